"""One process at a time fetches an entry; others wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from agentaudio.weights.placing import unwritable

POLL_S = 0.05


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock (flock) on a file; the system releases it when the process ends.

    Waits as long as another thread or process holds it. Raises WeightsError when the file cannot be made.
    """
    handle = _open(path)
    try:
        while not _try(handle, path):
            time.sleep(POLL_S)
        yield
    finally:
        _release(handle)


@contextlib.asynccontextmanager
async def locked_async(path: Path) -> AsyncIterator[None]:
    """`locked`, which lets the event loop run while it waits."""
    handle = await asyncio.to_thread(_open, path)
    try:
        while not _try(handle, path):
            await asyncio.sleep(POLL_S)
        yield
    finally:
        _release(handle)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise unwritable(path, error) from None


def _try(handle: int, path: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some network file systems have no locks
        raise unwritable(path, error) from None
    return True


def _release(handle: int) -> None:
    # Unlock before closing: a child forked meanwhile has a copy of the descriptor.
    fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)
