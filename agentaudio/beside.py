"""`start_beside`: begin a daemon thread without waiting for it."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable


def start_beside(work: Callable[[], None], name: str, refused: Callable[[RuntimeError], None]) -> None:
    """Run `work` in a daemon thread of that name.

    `Thread.start` waits until the new thread has had a processor and Python's lock, which takes milliseconds where
    others work, and in an event loop no session goes on meanwhile. So another thread waits for it.

    refused: called in a thread when the system starts no more threads

    Raises RuntimeError when the system does not start even the one that waits.
    """

    def begin() -> None:
        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError as error:
            refused(error)

    _thread.start_new_thread(begin, ())
