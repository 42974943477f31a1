"""Sources on the web: the hub, releases and archives."""

from __future__ import annotations

import functools
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from agentaudio.weights import hub
from agentaudio.weights.download import Address, download
from agentaudio.weights.ledger import Archive, File, Hub, Release
from agentaudio.weights.placing import PIECE_BYTES, SourceFailed, fault, place
from agentaudio.weights.threads import finish

Report = Callable[[int, int], None]
"""(bytes that are there, bytes in all)"""


async def fetch_files(
    source: Hub | Release,
    wanted: Iterable[tuple[str, File]],
    folder: Path,
    report: Report,
    *,
    allowed: frozenset[str] = frozenset(),
) -> None:
    """Download the files that the source has into the folder.

    allowed: hosts, besides those of the source, whose addresses may be private

    Raises SourceFailed when it cannot be reached, refuses, or has other files, WeightsError when a file
    cannot be written and for a malformed token of the user.
    """
    if isinstance(source, Hub) and hub.is_offline():
        raise SourceFailed("not asked, because HF_HUB_OFFLINE is set")
    files = [(name, file, address) for name, file in wanted if (address := _address(source, name)) is not None]
    total, before = sum(file.size for _, file, _ in files), 0
    for name, file, address in files:
        await download(
            address,
            folder / name,
            size=file.size,
            sha256=file.sha256,
            report=functools.partial(_add, report, before, total),
            allowed=allowed,
        )
        before += file.size


async def fetch_archive(
    source: Archive,
    wanted: Sequence[tuple[str, File]],
    folder: Path,
    kept: Path,
    report: Report,
    *,
    allowed: frozenset[str] = frozenset(),
) -> None:
    """Download an archive, and put its files into the folder.

    kept: folder for the archive until its files are in place

    Raises as `fetch_files` does.
    """
    path = kept / f"{source.sha256[:12]}.tar.gz"
    if not await finish(_is, source, path):
        await download(
            Address(source.url),
            path,
            size=source.size,
            sha256=source.sha256,
            report=lambda done: report(done, source.size),
            allowed=allowed,
        )
    await finish(_unpack, source, wanted, folder, path)


def _address(source: Hub | Release, name: str) -> Address | None:
    if isinstance(source, Release):
        url = source.urls.get(name)
        return None if url is None else Address(url)
    path = source.path(name)
    if path is None:
        return None
    headers = hub.headers_for(source)
    return Address(hub.url_of(source, path), headers, functools.partial(hub.refusal, source, logged_in=bool(headers)))


def _add(report: Report, before: int, total: int, done: int) -> None:
    report(before + done, total)


def _is(source: Archive, path: Path) -> bool:
    try:
        return fault(path, source.size, source.sha256) is None
    except OSError:
        return False


def _unpack(source: Archive, wanted: Sequence[tuple[str, File]], folder: Path, path: Path) -> None:
    left = dict(wanted)
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.removeprefix(f"{source.folder}/")
                if member.isreg() and name != member.name and name in left:
                    place(folder / name, left.pop(name), _pieces(archive, member))
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise SourceFailed(f"the archive cannot be read: {error}") from None
    if left:
        raise SourceFailed(f"the archive has no {source.folder}/{next(iter(left))}")


def _pieces(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    opened = archive.extractfile(member)
    assert opened is not None  # it is a regular file
    while piece := opened.read(PIECE_BYTES):
        yield piece
