"""`Line`: generations in a thread, one after the other, and their deltas in the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import Delta, End

CheckStop = Callable[[], None]
"""Raises Stopped once nobody waits for the answer."""

Work = Callable[[Callable[[Delta], None], CheckStop], None]
"""Generates an answer: calls its first argument with each delta, its second between two tokens."""


class Stopped(Exception):
    """Nobody waits for the answer any more."""


class Line:
    """Generations of one network, one after the other: a network keeps state of the one that runs.

    name: of the model, for messages
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._stops: set[Callable[[], None]] = set()
        self._closed = False

    async def deltas(self, work: Work, on_stop: Callable[[], None] = lambda: None) -> AsyncGenerator[Delta, None]:
        """The deltas of a generation.

        on_stop: called when nobody waits for the answer any more, for work that is busy between two `check_stop`

        Closing the generator stops the work before its next token, and waits for that.
        Raises what the work raises, and BackendError when the line is closed meanwhile.
        """
        if self._closed:
            raise BackendError(f"model {self._name!r} was closed; load it again")
        items: asyncio.Queue[Delta | Exception | None] = asyncio.Queue()
        loop, stop = asyncio.get_running_loop(), threading.Event()

        def end() -> None:
            stop.set()
            on_stop()

        def hand(item: Delta | Exception | None) -> None:
            try:
                loop.call_soon_threadsafe(items.put_nowait, item)
            except RuntimeError:  # the event loop was closed
                end()

        def check_stop() -> None:
            if stop.is_set():
                raise Stopped

        def run() -> None:
            try:
                check_stop()
                work(hand, check_stop)
            except Stopped:
                pass
            except Exception as error:
                hand(error)

        self._stops.add(end)
        future: Future[Any] = self._executor.submit(run)
        future.add_done_callback(lambda _: hand(None))
        running, ended = True, False
        try:
            while (item := await items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                ended = isinstance(item, End)
                yield item
            running = False
            if not ended:
                raise BackendError(f"model {self._name!r} was closed while it was generating")
        finally:
            end()
            self._stops.discard(end)
            if running:
                future.cancel()
                while await items.get() is not None:
                    pass

    async def aclose(self) -> None:
        """Stop all generations, and wait until they have stopped. It may be called twice."""
        self._closed = True
        for end in tuple(self._stops):
            end()
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
