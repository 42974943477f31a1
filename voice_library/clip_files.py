"""The files of a library: clips named after their content, and the timbre prompts made from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentaudio.errors import VoiceError
from agentaudio.files import write_atomically


class ClipFiles:
    """FOLDER/clips/ab/abcd….flac, and FOLDER/prompts/abcd….*.safetensors beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._clips = folder / "clips"
        self._prompts = folder / "prompts"

    def path(self, sha256: str) -> Path:
        """Where the clip of that content is."""
        return self._clips / sha256[:2] / f"{sha256}.flac"

    def prompt_path(self, sha256: str) -> Path:
        """Where a model keeps the timbre prompt that it made from that clip."""
        return self._prompts / f"{sha256}.timbre.safetensors"

    def prompts(self, sha256: str) -> list[Path]:
        """Every file that was made from that clip."""
        return sorted(self._prompts.glob(f"{sha256}.*"))

    def put(self, sha256: str, content: bytes) -> bool:
        """Store a clip for good, before it returns; False when it is there already.

        Raises VoiceError when the disk is full, or the folder cannot be written.
        """
        path = self.path(sha256)
        if path.exists() and path.stat().st_size == len(content):
            return False
        write_atomically(path, content, error=VoiceError, durable=True)
        return True

    def discard_prompts(self, sha256: str) -> None:
        for path in self.prompts(sha256):
            path.unlink(missing_ok=True)

    def discard(self, sha256: str) -> None:
        """Delete a clip, and all that was made from it."""
        self.discard_prompts(sha256)
        path = self.path(sha256)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or another process was first
            path.parent.rmdir()

    def strays(self, known: set[str]) -> Iterator[Path]:
        """Files that belong to no voice.

        known: hashes of the clips that do
        """
        for file in sorted(self._clips.rglob("*")):
            if not file.is_dir() and (file.stem not in known or file != self.path(file.stem)):
                yield file
        for file in sorted(self._prompts.glob("*")):
            if file.name.partition(".")[0] not in known:
                yield file
