"""`in_fast_loop`: commands that serve many connections run in uvloop's event loop, where it is installed, and no other
thread holds it up for long.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")

SWITCH_S = 1e-4
"""How long a thread that computes in Python, such as a tool, may keep the event loop waiting. The loop waits so long
before each message that it reads: with Python's own 5 ms, one such thread would let it read 200 messages a second, and
20 conversations send 1,000.
"""


def in_fast_loop(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A command as a plain function. A message of a WebSocket costs uvloop a third of asyncio's time."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        before_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            with asyncio.Runner(loop_factory=_factory()) as runner:
                runner.run(command(*args, **kwargs))
        finally:
            sys.setswitchinterval(before_s)

    return run


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """None is asyncio's own. uvloop is not made for Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
