"""`Prompts`: the files that models keep of clips, so that a voice is prepared once.

FOLDER/prompts/ab/abcd…/MODEL@VERSION.SUFFIX: one folder for each clip, one file for each maker.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agentaudio.errors import VoiceError

_MAKER = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_NAME = re.compile(rf"({_MAKER})@({_MAKER}?)(\.[a-z0-9]{{1,20}})")


@dataclass(frozen=True)
class KeptState:
    """A file that one maker made of one clip.

    sha256: of the clip's FLAC file; model, version: the maker; made: when the file was written, UTC
    """

    path: Path
    sha256: str
    model: str
    version: str
    size_bytes: int
    made: datetime

    def to_dict(self) -> dict[str, str | int]:
        """File name, maker, size and time as plain data."""
        return {
            "file": self.path.name, "model": self.model, "version": self.version, "bytes": self.size_bytes,
            "made": self.made.isoformat(timespec="seconds"),
        }  # fmt: skip


class Prompts:
    """The prompts of a library. Makers do not overwrite each other's, nor those of other versions.

    folder: of the library
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "prompts"

    def path(self, sha256: str, model: str, version: str, suffix: str) -> Path:
        """The file for what (model, version) makes of a clip; it need not exist yet.

        suffix: of the file's format, with its dot
        Raises VoiceError when these do not make a file name.
        """
        name = f"{model}@{version}{suffix}"
        if not _NAME.fullmatch(name):
            raise VoiceError(
                f"{name!r} cannot name a file; give a model and a version of letters, digits, '.', '_' and '-', "
                "and a suffix such as '.safetensors'"
            )
        return self._of_clip(sha256) / name

    def of(self, sha256: str) -> list[KeptState]:
        """What is kept of a clip, ordered by file name."""
        return [state for file in sorted(self._of_clip(sha256).glob("*")) if (state := _state(file))]

    def __iter__(self) -> Iterator[KeptState]:
        """Everything that is kept, ordered by clip and file name."""
        return (state for file in self._files() if (state := _state(file)))

    def discard(self, sha256: str) -> None:
        """Delete what is kept of a clip. Raises OSError when that is not possible."""
        folder = self._of_clip(sha256)
        for file in list(folder.glob("*")):
            file.unlink(missing_ok=True)
        with suppress(OSError):  # absent, or another process is writing into it
            folder.rmdir()
            folder.parent.rmdir()

    def clear(self) -> None:
        """Delete what is kept of all clips."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def strays(self, known: set[str]) -> Iterator[Path]:
        """Files that no voice accounts for: of other clips, or with a name that `path` does not give.

        known: hashes of the clips that voices have
        """
        for file in self._files():
            digest = file.parent.name
            if file.parent != self._of_clip(digest) or digest not in known or not _NAME.fullmatch(file.name):
                yield file

    def _of_clip(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _files(self) -> list[Path]:
        return sorted(file for file in self._folder.rglob("*") if not file.is_dir())


def _state(file: Path) -> KeptState | None:
    """What the file is; None when another process deleted it, or it is not a prompt."""
    name = _NAME.fullmatch(file.name)
    try:
        status = file.stat()
    except OSError:
        return None
    if name is None:
        return None
    made = datetime.fromtimestamp(status.st_mtime, UTC)
    return KeptState(file, file.parent.name, name[1], name[2], status.st_size, made)
