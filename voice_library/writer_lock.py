"""`WriterLock`: lets one process at a time change a library; errors name the process that holds it."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from agentaudio.errors import VoiceError

FILE = "library.lock"
POLL_S = 0.005


class WriterLock:
    """An advisory lock (flock) on FOLDER/library.lock; the system releases it when the process ends.

    wait_s: how long to wait for another writer, in seconds

    Raises VoiceError on entering when the folder cannot be written, or the lock stays held for `wait_s`.
    """

    def __init__(self, folder: Path, wait_s: float) -> None:
        self._folder = folder
        self._wait_s = wait_s
        self._handle = -1

    def __enter__(self) -> None:
        path = self._folder / FILE
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise VoiceError(
                f"cannot change the voice library {self._folder}: {error.strerror}; copy it to where it can be written"
            ) from None
        try:
            self._wait()
            os.ftruncate(self._handle, 0)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            os.pwrite(self._handle, f"process {os.getpid()} on {socket.gethostname()} since {now}".encode(), 0)
        except OSError as error:
            self._release()
            raise VoiceError(f"cannot write {path}: {error.strerror}; free some space") from None
        except BaseException:
            self._release()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(self._handle, 200, 0).decode(errors="replace") or "another process"
                    raise VoiceError(
                        f"the voice library {self._folder} is being changed by {holder}; "
                        f"gave up after {self._wait_s:g} s, try again when it is done"
                    ) from None
            time.sleep(POLL_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        # Unlock before closing: a child forked meanwhile has a copy of the descriptor.
        fcntl.flock(self._handle, fcntl.LOCK_UN)
        os.close(self._handle)
