"""Keeps small what the C library holds of freed memory, in processes that run for hours. Only glibc needs it."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable

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
        self._lock = threading.Lock()
        self._next_s = 0.0

    def give_back_soon(self) -> None:
        """Give it back in another thread, unless that was done less than INTERVAL_S ago."""
        now_s = time.monotonic()
        with self._lock:
            if _of_glibc("malloc_trim") is None or now_s < self._next_s:
                return
            self._next_s = now_s + INTERVAL_S
        threading.Thread(target=give_back, name="agentaudio-free-memory", daemon=True).start()


def give_back() -> None:
    """Give free memory back to the system now."""
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(0)


def share_one_heap() -> None:
    """Have threads that begin from now on share the heap of the process. Call it before many of them have begun.

    The GNU C library gives up to eight heaps a core to threads, and each keeps what the largest work of one left in it.
    For a program that runs long. Other systems do nothing here.
    """
    if (mallopt := _of_glibc("mallopt")) is not None:
        mallopt(M_ARENA_MAX, 1)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the GNU C library; None where there is another, as on macOS and Windows."""
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
    return found
