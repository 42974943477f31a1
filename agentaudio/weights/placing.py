"""Puts files into the folder of an entry, where each appears complete and verified or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from agentaudio.errors import WeightsError
from agentaudio.files import TEMPORARY_SUFFIX, replacing
from agentaudio.weights.ledger import File

PIECE_BYTES = 1 << 20


class SourceFailed(Exception):
    """A source does not have the files, or not as they must be; the next source may."""


class SourceSilent(SourceFailed):
    """The server of a source does not answer at all."""


def unwritable(path: Path, error: OSError) -> WeightsError:
    """The error for a file or folder of the cache that cannot be written."""
    reason = error.strerror or str(error)
    return WeightsError(f"cannot write {path}: {reason}; free some space, or set AGENTAUDIO_CACHE to another place")


def place(path: Path, file: File, pieces: Iterable[bytes]) -> None:
    """Write a file from its pieces.

    Raises SourceFailed for a wrong size or hash and when `pieces` cannot be read, WeightsError when the
    file cannot be written.
    """
    with replacing(path, error=WeightsError, durable=True) as temporary:
        digest, size = hashlib.sha256(), 0
        with temporary.open("wb") as target:
            for piece in _reading(pieces):
                digest.update(piece)
                size += len(piece)
                if size > file.size:
                    raise SourceFailed(f"{path.name} has more than {file.size} bytes")
                target.write(piece)
        if size != file.size:
            raise SourceFailed(f"{path.name} has {size} bytes instead of {file.size}")
        if digest.hexdigest() != file.sha256:
            raise SourceFailed(f"{path.name} has the sha256 {digest.hexdigest()} instead of {file.sha256}")


def place_parts(path: Path, file: File, parts: Sequence[Path]) -> None:
    """Make a file from parts on this machine: a single one becomes a hard link if that is possible.

    Raises as `place` does.
    """
    if len(parts) == 1:
        _place_link(path, file, parts[0])
    else:
        place(path, file, (piece for part in parts for piece in _read_pieces(part)))


def _place_link(path: Path, file: File, original: Path) -> None:
    temporary = path.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(original, temporary)
    except OSError:
        place(path, file, _read_pieces(original))
        return
    try:
        if wrong := fault(temporary, file.size, file.sha256):
            raise SourceFailed(wrong.replace(temporary.name, path.name))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _read_pieces(path: Path) -> Iterator[bytes]:
    """The content of a file in pieces. Raises OSError."""
    with path.open("rb") as source:
        while piece := source.read(PIECE_BYTES):
            yield piece


def files_in(folder: Path) -> Iterator[Path]:
    """All files in a folder and its folders, also while another process deletes some of them."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def fault(path: Path, size: int, sha256: str) -> str | None:
    """What is wrong with a file that should have this size and hash; None when nothing is. Raises OSError."""
    found = path.stat().st_size
    if found != size:
        return f"{path.name} has {found} bytes instead of {size}"
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return None if digest == sha256 else f"{path.name} has the sha256 {digest} instead of {sha256}"


def _reading(pieces: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceFailed(f"it cannot be read: {error}") from None
