"""`Hold`: reserves a session for one program. `FileHold`: by a lock on a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from agentaudio.errors import SessionInUse, StorageError


class Hold(Protocol):
    """A session that is reserved until `release`, or until its process has ended."""

    def release(self) -> None:
        """Give the session free; again does nothing."""


def holder() -> str:
    """What others are told about who holds a session."""
    return f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC).isoformat(timespec='seconds')}"


class FileHold:
    """An advisory lock (flock) on a file, which is deleted with it. The system releases it when the process ends.

    path: of the file
    what: the session, for error messages

    Raises SessionInUse while the file is locked, StorageError when it cannot be written.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._handle, self._process = path, -1, os.getpid()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            while self._handle < 0:
                self._take(what)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, holder().encode(), 0)
        except OSError as error:
            self.release()
            raise StorageError(
                f"cannot write {path}: {error.strerror}; free some space, or choose another place"
            ) from None

    def _take(self, what: str) -> None:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last holder may have deleted the file after it was opened here; another one is locked then.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(self._path)):
                    self._handle, handle = handle, -1
        except BlockingIOError:
            other = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
            mine = " (this process)" if other.startswith(f"process {os.getpid()} on {socket.gethostname()} ") else ""
            raise SessionInUse(f"{what} is in use by {other}{mine}; end it there first, or choose another id") from None
        finally:
            if handle >= 0:
                os.close(handle)

    def release(self) -> None:
        if self._handle < 0:
            return
        handle, self._handle = self._handle, -1
        if self._process == os.getpid():  # else this is a copy in a forked child, and the parent goes on
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            # Unlock before closing: a child forked meanwhile has a copy of the descriptor.
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", -1) >= 0:
            self.release()
