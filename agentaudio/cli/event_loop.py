"""`in_fast_loop`: commands that serve many connections run in uvloop's event loop, where it is installed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


def in_fast_loop(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A command as a plain function. A message of a WebSocket costs uvloop a third of asyncio's time."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=_factory()) as runner:
            runner.run(command(*args, **kwargs))

    return run


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """None is asyncio's own. uvloop is not made for Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
