"""`kept_logging`: the levels and handlers of loggers, as they were before another library changed them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

CHANGED = (None, "agentaudio", "inspect_ai", "httpx", "httpx2")
"""Names of the loggers that inspect-ai changes; None is the root."""


@contextmanager
def kept_logging() -> Iterator[None]:
    """Give the loggers of the process back what inspect-ai changes within the block."""
    loggers = [logging.getLogger(name) for name in CHANGED]
    before = [(one, one.level, list(one.handlers), one.propagate) for one in loggers]
    try:
        yield
    finally:
        for logger, level, handlers, propagates in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate = propagates
