"""Repeat an attempt after a temporary failure, with exponentially growing pauses and jitter."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agentaudio.errors import AgentAudioError, ServiceUnavailable

log = logging.getLogger(__name__)

Value = TypeVar("Value")


def pause_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """Seconds to wait after `failures` failures in a row (1 or more): doubled each time, up to `longest_s`.

    Multiplied by a random factor in [0.5, 1], so that clients which failed together do not return together.
    """
    # The exponent is bounded because a float overflows at 2**1024.
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 64)) * random.uniform(0.5, 1)


async def retry(
    attempt: Callable[[], Awaitable[Value]],
    *,
    retries: int,
    first_pause_s: float = 0.1,
    longest_pause_s: float = 2.0,
    label: str,
) -> Value:
    """The result of the first attempt that succeeds.

    retries: further attempts after the first
    label: what is attempted, for the log

    Any exception is retried, except an AgentAudioError other than ServiceUnavailable: those are raised
    on purpose and would only recur. A service that names its time of return (`retry_after_s`) is left
    alone until then, or given up when that is later than `longest_pause_s`.

    Raises what the last attempt raised.
    """
    for failures in range(1, retries + 1):
        pause = pause_s(failures, first_s=first_pause_s, longest_s=longest_pause_s)
        try:
            return await attempt()
        except ServiceUnavailable as error:
            if error.retry_after_s is not None:
                pause = error.retry_after_s
            if pause > longest_pause_s:
                raise
            problem: Exception = error
        except AgentAudioError:
            raise
        except Exception as error:
            problem = error
        log.info("%s failed (%r); attempt %d of %d in %.2f s", label, problem, failures + 1, retries + 1, pause)
        await asyncio.sleep(pause)
    return await attempt()
