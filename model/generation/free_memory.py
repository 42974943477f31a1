"""Gives memory back to the system that was freed and that the C library keeps."""

from __future__ import annotations

import ctypes
import os
import threading
import time

M_ARENA_MAX = -8
"""Parameter of mallopt: the most heaps. Source: malloc.h of the GNU C library."""
INTERVAL_S = 10.0
"""Least time between two times; it takes some milliseconds, in which other threads may wait for memory."""


class FreeMemory:
    """For a process in which threads come and go, and need large blocks for a short time.

    The GNU C library gives each thread its own part of the heap, and keeps what is free in the middle of one, so the
    memory of a process that runs for hours would grow although nothing in it does. Other systems do nothing here.
    """

    def __init__(self) -> None:
        # Absent on macOS, Windows and musl.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
        self._lock = threading.Lock()
        self._next_s = 0.0

    def give_back_soon(self) -> None:
        """Give it back in another thread, unless that was done less than INTERVAL_S ago."""
        now_s = time.monotonic()
        with self._lock:
            if self._trim is None or now_s < self._next_s:
                return
            self._next_s = now_s + INTERVAL_S
        threading.Thread(target=self.give_back, name="agentaudio-free-memory", daemon=True).start()

    def give_back(self) -> None:
        """Give it back now."""
        if self._trim is not None:
            self._trim(0)


def share_one_heap() -> None:
    """Have threads that begin from now on share the heap of the process. Call it before many of them have begun.

    The GNU C library gives up to eight heaps a core to threads, and each keeps what the largest work of one left in it.
    For a program whose threads come and go by the thousand. Other systems do nothing here.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
