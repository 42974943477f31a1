"""`Worker`: the one thread that a network of Pocket TTS runs in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TypeVar

from agentaudio.errors import BackendError
from agentaudio.model.pocket_tts.engine import Floats

Result = TypeVar("Result")
CLOSED = "Pocket TTS was closed; load it again"


class Worker:
    """Runs works one after the other, in the order in which they were given.

    Utterances at the same time take turns, piece by piece, because the package pocket-tts may not be called from
    several threads.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pocket-tts")
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._works = 0

    @property
    def busy(self) -> bool:
        """Whether a work waits or runs."""
        return self._works > 0

    def run(self, work: Callable[[], Result]) -> Result:
        """The result of a work; blocks. Raises BackendError after `close`."""
        try:
            return self._executor.submit(self._counted(work)).result()
        except (RuntimeError, CancelledError):
            if self._closed.is_set():
                raise BackendError(CLOSED) from None
            raise

    async def stream(self, work: Callable[[threading.Event], Iterator[Floats]]) -> AsyncGenerator[Floats, None]:
        """What a work yields, while it goes on.

        work: given an event; it ends soon once that is set

        Closing the generator sets the event, and leaves out a work that has not begun.
        Raises what the work raises, BackendError after `close`.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Floats | BaseException | None] = asyncio.Queue()
        stop = threading.Event()

        def put(item: Floats | BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(queue.put_nowait, item)
            except RuntimeError:  # the loop is closed: nobody waits any more
                stop.set()

        def produce() -> None:
            try:
                if not stop.is_set():
                    for frames in work(stop):  # to its end, so that it ends its own threads
                        if self._closed.is_set():
                            stop.set()
                        if not stop.is_set():
                            put(frames)
                put(BackendError(CLOSED) if self._closed.is_set() else None)
            except BaseException as error:
                put(error)

        try:
            future = self._executor.submit(self._counted(produce))
        except RuntimeError:
            raise BackendError(CLOSED) from None
        future.add_done_callback(lambda done: put(BackendError(CLOSED)) if done.cancelled() else None)
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            if future.cancel():
                self._count(-1)

    def close(self, last: Callable[[], None]) -> None:
        """Take no more works, stop the present one, and run `last` when it has ended. It may be called twice."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
        self._executor.submit(last)
        self._executor.shutdown(wait=False)

    def _counted(self, work: Callable[[], Result]) -> Callable[[], Result]:
        self._count(1)

        def counted() -> Result:
            try:
                return work()
            finally:
                self._count(-1)

        return counted

    def _count(self, change: int) -> None:
        with self._lock:
            self._works += change
