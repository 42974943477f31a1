"""`Apart`: the part of a recogniser that blocks, in a thread, and how a cancelled caller stops it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

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
        self._closed = False

    async def run(self, work: Callable[[CheckStop], Result]) -> Result:
        """The result of `work`. When the awaiting task is cancelled, its argument raises the next time it is called.

        Raises BackendError after `close`.
        """
        if self._closed:
            raise BackendError("this recogniser was closed; load it again")
        stop = threading.Event()

        def check_stop() -> None:
            if stop.is_set():
                raise Stopped

        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, check_stop)
        finally:
            stop.set()

    def close(self) -> None:
        """Accept no more work; what is running ends by itself. It may be called twice."""
        self._closed = True
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
