"""`SoundFiles`: the sound of stored turns, each under the digest of its content."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentaudio.errors import StorageError
from agentaudio.files import TEMPORARY_SUFFIX, open_within, write_atomically

STRAY_AFTER_S = 3_600.0
"""Age of a file that no turn names after which it is taken for what a killed process left."""


class SoundFiles:
    """FOLDER/ab/abcd….wav"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of that name."""
        return self.folder / name[:2] / name

    def put(self, name: str, content: bytes) -> Path | None:
        """Write a file; None when it is there already. Raises StorageError when it cannot be written."""
        path = self.path(name)
        with suppress(OSError):
            if path.stat().st_size == len(content):
                return None
        write_atomically(path, content, error=StorageError)
        return path

    def get(self, name: str) -> bytes | None:
        """The content of a file; None when there is none. Raises StorageError when it cannot be read."""
        try:
            with open_within(self.folder, self.path(name)) as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {self.path(name)}: {error.strerror or error}") from None

    def discard(self, name: str) -> None:
        """Delete a file. Raises StorageError when that is not possible."""
        path = self.path(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot delete {path}: {error.strerror}") from None
        with suppress(OSError):  # not empty
            path.parent.rmdir()

    def strays(self, known: set[str]) -> Iterator[Path]:
        """Old files that no turn names, and old temporary files.

        known: names that turns have
        """
        before = time.time() - STRAY_AFTER_S
        with suppress(OSError):
            for folder in os.scandir(self.folder):
                for file in os.scandir(folder.path) if folder.is_dir(follow_symlinks=False) else ():
                    is_ours = file.name.endswith((".wav", TEMPORARY_SUFFIX))
                    if is_ours and file.name not in known and file.stat(follow_symlinks=False).st_mtime < before:
                        yield Path(file.path)
