"""`ClipFiles`: the clips of a library, each stored under the hash of its content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentaudio.errors import VoiceError
from agentaudio.files import write_atomically


class ClipFiles:
    """FOLDER/clips/ab/abcd….flac, and FOLDER/set-aside/ for recordings that belong to no voice"""

    def __init__(self, folder: Path) -> None:
        self._clips = folder / "clips"
        self._aside = folder / "set-aside"

    def path(self, sha256: str) -> Path:
        """The file of the clip with that content."""
        return self._clips / sha256[:2] / f"{sha256}.flac"

    def put(self, sha256: str, content: bytes) -> bool:
        """Store a clip durably before returning; False when it is stored already.

        Raises VoiceError when the disk is full, or the folder cannot be written.
        """
        path = self.path(sha256)
        if path.exists() and path.stat().st_size == len(content):
            return False
        write_atomically(path, content, error=VoiceError, durable=True)
        return True

    def discard(self, sha256: str) -> None:
        """Delete a clip. Raises OSError when that is not possible."""
        (self._aside / f"{sha256}.flac").unlink(missing_ok=True)
        path = self.path(sha256)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or another process was first
            path.parent.rmdir()

    def set_aside(self, file: Path) -> Path:
        """Move a file to FOLDER/set-aside/, where nothing is overwritten; returns its new path. Raises OSError."""
        self._aside.mkdir(exist_ok=True)
        to = self._aside / file.name
        number = 1
        while to.exists():
            to = self._aside / f"{file.stem}-{number}{file.suffix}"
            number += 1
        file.rename(to)
        with suppress(OSError):  # not empty
            file.parent.rmdir()
        return to

    def strays(self, known: set[str]) -> Iterator[Path]:
        """Files that belong to no voice.

        known: hashes of the clips that voices have
        """
        for file in sorted(self._clips.rglob("*")):
            if not file.is_dir() and (file.stem not in known or file != self.path(file.stem)):
                yield file
