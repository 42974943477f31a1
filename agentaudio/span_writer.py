"""`SpanWriter`: makes the spans of turns that have ended, in a thread, so that no event loop waits for that."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Iterable
from queue import Empty, SimpleQueue

from agentaudio.lazy_span import LazySpan

log = logging.getLogger(__name__)

FLUSH_S = 5.0
MOST_WAITING = 1_000
"""Turns that wait for their spans, before those of others are dropped."""
LATER_S, LOOKS = 0.01, 100
"""Time after which spans are made: until then the end of the turn is stored and read, which the work of another thread
would hold up. And how many times the thread looks for more before it waits to be woken, which costs the event loop."""

Ended = Iterable[tuple[LazySpan, int]]
"""Spans, and when they ended, in ns since 1970; it is iterated in the thread."""


class SpanWriter:
    """One thread, which begins with the first turn. What is waiting at the end of the program is made then."""

    _latest: SpanWriter | None = None
    _lock = threading.Lock()

    @classmethod
    def of_process(cls) -> SpanWriter:
        """The one of this process; a fork has its own."""
        found = cls._latest
        if found is None or found._process != os.getpid():
            with cls._lock:
                found = cls._latest
                if found is None or found._process != os.getpid():
                    found = cls._latest = cls()
        return found

    def __init__(self) -> None:
        self._process = os.getpid()
        self._drops = False  # and the log says so, once
        self._waiting: SimpleQueue[Ended | threading.Event] = SimpleQueue()
        threading.Thread(target=self._run, name="agentaudio-spans", daemon=True).start()
        # Registered after the exporters, which are there before the first turn ends, and so called before they close.
        atexit.register(self.flush)

    def write(self, ended: Ended) -> None:
        """Make these spans soon, in this order, and end them; or drop them when MOST_WAITING turns wait already."""
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put(ended)
        elif not self._drops:
            self._drops = True
            log.warning("spans are lost: the processors of spans are slower than the turns; export them in batches")

    def flush(self, wait_s: float = FLUSH_S) -> bool:
        """Wait until all spans so far are made. Returns False when that takes longer."""
        if self._process != os.getpid():
            return True
        reached = threading.Event()
        self._waiting.put(reached)
        return reached.wait(wait_s)

    def _run(self) -> None:
        while True:
            ended: Ended | threading.Event | None = self._waiting.get()
            looks = LOOKS
            while looks:
                looks -= 1
                time.sleep(LATER_S)
                while ended is not None or (ended := self._next()) is not None:
                    looks = LOOKS
                    if isinstance(ended, threading.Event):
                        ended.set()
                    else:
                        _finish(ended)
                    ended = None

    def _next(self) -> Ended | threading.Event | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None


def _finish(ended: Ended) -> None:
    try:
        for span, at_ns in ended:
            try:
                span.finish(at_ns)
            except Exception:
                log.exception("a span is lost")
    except Exception:
        log.exception("the spans of a turn are lost")
