"""Archives of the hub, unpacked beside themselves."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from agentaudio.errors import EvaluationError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")


def is_archive(path: str) -> bool:
    """Whether a file is an archive, by its name."""
    return path.endswith(ENDINGS)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive. Members that are not regular files are left out.

    Raises EvaluationError when it cannot be read, when a member lies outside of the folder, when it holds more than the
    disk does, and when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as zipped:
                _check(archive, folder, sum(one.file_size for one in zipped.infolist()))
                for one in zipped.infolist():
                    if not one.is_dir():
                        with zipped.open(one) as source:
                            _write(folder, one.filename, source, archive)
        else:
            with tarfile.open(archive) as tarred:
                for member in tarred:
                    opened = tarred.extractfile(member) if member.isreg() else None
                    if opened is not None:
                        _check(archive, folder, member.size)
                        _write(folder, member.name, opened, archive)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, RuntimeError) as error:
        if isinstance(error, EvaluationError):
            raise
        raise EvaluationError(
            f"{archive} cannot be unpacked: {error}; delete it and run the same command again"
        ) from None


def _write(folder: Path, name: str, source: IO[bytes], archive: Path) -> None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise EvaluationError(f"{archive} names the file {name!r}, which is outside of it; do not use it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _check(archive: Path, folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise EvaluationError(
            f"{archive} unpacks to {size / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left; free some space, or "
            "set AGENTAUDIO_CACHE to another place"
        )
