"""`Apart`: the part of a recogniser that blocks, in a thread, and how a cancelled caller stops it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from agentaudio.cancellation import is_cancelled
from agentaudio.errors import AudioError, BackendError

Result = TypeVar("Result")
CheckStop = Callable[[], None]
"""Raises once nobody waits for the result any more."""


class Stopped(Exception):
    """Nobody waits for the result any more."""


class Apart:
    """Threads for the blocking work of a recogniser.

    threads: works done at the same time; more of them wait
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="recogniser")
        self._closed = threading.Event()

    async def run(self, work: Callable[[CheckStop], Result]) -> Result:
        """The result of `work`. Its argument raises once the awaiting task is cancelled, or after `close`.

        Raises BackendError after `close`.
        """
        stop = threading.Event()

        def check_stop() -> None:
            if stop.is_set() or self._closed.is_set():
                raise Stopped

        try:
            check_stop()
            # A task that is cancelled takes its future with it: work that has not begun is left out.
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, check_stop)
        except (Stopped, asyncio.CancelledError):
            if self._closed.is_set() and not is_cancelled(asyncio.current_task()):
                raise BackendError("this recogniser was closed; load it again") from None
            raise
        finally:
            stop.set()

    def close(self) -> None:
        """Accept no more work, and stop what is running. It may be called twice."""
        self._closed.set()
        self._executor.shutdown(wait=False, cancel_futures=True)


def check_length(duration_s: float, longest_s: float) -> None:
    """Raise AudioError for a sound that is empty or too long to recognise."""
    if not duration_s:
        raise AudioError("the sound holds no samples; record it again")
    if duration_s > longest_s:
        raise AudioError(
            f"a sound of {duration_s:.0f} s is too long to recognise; the limit is "
            f"{longest_s:.0f} s, cut it into shorter ones"
        )
