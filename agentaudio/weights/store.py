"""The weights on this machine: `folder` finds them, `ensure` fetches what is missing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentaudio.errors import WeightsError, WeightsMissing
from agentaudio.files import TEMPORARY_SUFFIX, write_atomically
from agentaudio.weights.hub import endpoint
from agentaudio.weights.ledger import Archive, Entry, File, Hub, Release, Source, Wheels, find, ledger
from agentaudio.weights.lock import locked, locked_async
from agentaudio.weights.nearby import parts_of
from agentaudio.weights.placing import SourceFailed, SourceSilent, fault, files_in, place_parts, unwritable
from agentaudio.weights.threads import finish
from agentaudio.weights.wheels import fetch_wheels

LICENCE = "LICENCE.txt"
"""Name of the file, beside the weights, with their licence and terms."""
_STAMP = ".verified.json"
_KEPT = ".kept"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch has come.

    source: where the bytes come from, such as "huggingface.co" or "the package index"
    done, total: bytes from this source
    """

    name: str
    source: str
    done: int
    total: int


def folder(name: str) -> Path:
    """The folder with the verified files of an entry of the ledger; see `Store.folder`."""
    return Store().folder(name)


def missing(name: str) -> tuple[str, ...]:
    """Files of an entry that are not in the cache; see `Store.missing`."""
    return Store().missing(name)


async def ensure(name: str, progress: Callable[[Progress], None] | None = None) -> Path:
    """Fetch what is missing of an entry, and return its folder; see `Store.ensure`."""
    return await Store().ensure(name, progress)


def cache_folder() -> Path:
    """Where fetched weights are kept.

    AGENTAUDIO_CACHE/weights if that is set, else agentaudio/weights in XDG_CACHE_HOME or ~/.cache.
    """
    if chosen := os.environ.get("AGENTAUDIO_CACHE"):
        return Path(chosen).expanduser() / "weights"
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path("~/.cache").expanduser()) / "agentaudio" / "weights"


class Store:
    """Weights of a ledger, in a folder of the cache.

    A host that does not answer is asked once by each Store.

    entries: by name; None is the ledger that ships with agentaudio
    root: None is `cache_folder()`
    allowed: hosts, besides those of the ledger, whose addresses may be private

    All methods raise WeightsError for a name that the ledger does not have.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry] | None = None,
        root: Path | None = None,
        *,
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        self._entries = ledger() if entries is None else entries
        self._root = cache_folder() if root is None else root
        self._allowed = allowed
        self._silent: dict[str, str] = {}

    def path(self, name: str) -> Path:
        """Where the files of an entry are kept, if they are there."""
        return self._root / f"{name}-{find(name, self._entries).digest[:12]}"

    def missing(self, name: str) -> tuple[str, ...]:
        """Files that are not in the cache, or not as they must be.

        A file is read only if its size or its time of change differ from when it was verified.
        """
        return tuple(file for file, _ in _missing(find(name, self._entries), self.path(name)))

    def folder(self, name: str) -> Path:
        """The folder with the verified files of an entry. It uses no network.

        Files that an installed package or the cache of the Hugging Face hub has are taken over first, which
        may take seconds: call it in a thread, not in the event loop.

        Raises WeightsMissing, with the command that fetches them, when files are missing or have changed,
        and WeightsError when the cache cannot be written.
        """
        entry, home = find(name, self._entries), self.path(name)
        left = _missing(entry, home)
        if left and _is_nearby(entry, left):
            with locked(_lock(home)):
                _take_over(name, entry, home)
            left = _missing(entry, home)
        elif not left:
            with contextlib.suppress(WeightsError):  # a cache that cannot be written is read each time
                _stamp(entry, home)
        if left:
            files = (
                f"{len(left)} of {len(entry.files)} files are missing or damaged" if len(entry.files) > 1 else "1 file"
            )
            raise WeightsMissing(
                f"the weights {name!r} are not on this machine ({files}, {megabytes(_size(left))}); run "
                f"`agentaudio models fetch {name}`"
            )
        return home

    async def ensure(self, name: str, progress: Callable[[Progress], None] | None = None) -> Path:
        """Fetch what is missing of an entry, and return its folder.

        progress: called in the event loop while bytes arrive

        Several threads and processes may call it at the same time: one fetches, and the others wait for it.
        When it is cancelled or killed, what has arrived is kept for the next call.

        Raises WeightsError when no source has the files as they must be, and when they cannot be written.
        """
        entry, home = find(name, self._entries), self.path(name)
        if not await finish(_missing, entry, home):
            return home
        async with locked_async(_lock(home)):
            await finish(_take_over, name, entry, home)
            problems: dict[str, str] = {}  # what is wrong, and with which source
            for source in entry.sources:
                left = await finish(_missing, entry, home)
                if not left:
                    break
                label = label_of(source)

                def report(done: int, total: int, label: str = label) -> None:
                    if progress is not None:
                        progress(Progress(name, label, done, total))

                try:
                    await finish(_require_space, name, home, left)
                    await self._fetch(source, left, home, report)
                except SourceSilent as error:
                    self._silent[host_of(source)] = str(error)
                    problems.setdefault(str(error), label)
                except SourceFailed as error:
                    problems.setdefault(str(error), label)
                finally:
                    await finish(_stamp, entry, home)
            if await finish(_missing, entry, home):
                reasons = "; ".join(f"{label}: {problem}" for problem, label in problems.items())
                raise WeightsError(
                    f"the weights {name!r} cannot be fetched: {reasons}. Mend one of these, and run `agentaudio models "
                    f"fetch {name}` again"
                )
            await finish(shutil.rmtree, home / _KEPT, True)
        return home

    async def _fetch(
        self, source: Source, left: Sequence[tuple[str, File]], home: Path, report: Callable[[int, int], None]
    ) -> None:
        # Imported here: finding weights that are there needs no HTTP client.
        from agentaudio.weights.remote import fetch_archive, fetch_files

        if silent := self._silent.get(host_of(source)):
            raise SourceFailed(silent)
        match source:
            case Hub() | Release():
                await fetch_files(source, left, home, report, allowed=self._allowed)
            case Archive():
                await fetch_archive(source, left, home, home / _KEPT, report, allowed=self._allowed)
            case Wheels():
                await fetch_wheels(source, left, home, home / _KEPT, report)

    def verify(self, name: str) -> dict[str, str]:
        """Read all files of an entry again. Returns what is wrong, by file; `ensure` fetches those again.

        Raises OSError when a file cannot be read.
        """
        entry, home = find(name, self._entries), self.path(name)
        wrong: dict[str, str] = {}
        for file, expected in entry.files.items():
            try:
                problem = fault(home / file, expected.size, expected.sha256)
            except FileNotFoundError:
                problem = f"{file} is missing"
            if problem is not None:
                wrong[file] = problem
        if home.is_dir():
            with contextlib.suppress(WeightsError):  # a cache that cannot be written can be verified all the same
                _write_stamp(home, [file for file in entry.files if file not in wrong])
        return wrong


def label_of(source: Source) -> str:
    """A source in a few words, such as "huggingface.co/OWNER/NAME"."""
    return f"{host_of(source)}/{source.repository}" if isinstance(source, Hub) else host_of(source)


def host_of(source: Source) -> str:
    """Host that has a source, or "the package index"."""
    match source:
        case Hub():
            return endpoint().split("/")[2]
        case Release():
            return next(iter(source.urls.values())).split("/")[2]
        case Archive():
            return source.url.split("/")[2]
        case Wheels():
            return "the package index"


def megabytes(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _lock(home: Path) -> Path:
    return home.with_name(f"{home.name}.lock")


def _size(files: Sequence[tuple[str, File]]) -> int:
    return sum(file.size for _, file in files)


def _missing(entry: Entry, home: Path) -> list[tuple[str, File]]:
    known = _read_stamp(home)
    return [(name, file) for name, file in entry.files.items() if not _is_verified(home / name, file, known.get(name))]


def _is_verified(path: Path, file: File, stamp: object) -> bool:
    try:
        status = path.stat()
        if status.st_size != file.size:
            return False
        return stamp == [status.st_size, status.st_mtime_ns] or fault(path, file.size, file.sha256) is None
    except OSError:
        return False


def _read_stamp(home: Path) -> dict[str, object]:
    """What `_write_stamp` noted; empty when there is nothing usable."""
    try:
        stamp = json.loads((home / _STAMP).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _stamp(entry: Entry, home: Path) -> None:
    wrong = {name for name, _ in _missing(entry, home)}
    _write_stamp(home, [name for name in entry.files if name not in wrong])


def _write_stamp(home: Path, verified: Sequence[str]) -> None:
    """Note size and time of change of the files that were verified."""
    stamp = {}
    for name in verified:
        status = (home / name).stat()
        stamp[name] = [status.st_size, status.st_mtime_ns]
    if stamp == _read_stamp(home):
        return
    write_atomically(home / _STAMP, json.dumps(stamp).encode(), error=WeightsError, durable=True)


def _is_nearby(entry: Entry, left: Sequence[tuple[str, File]]) -> bool:
    return any(parts_of(source, name, file) for source in entry.sources for name, file in left)


def _take_over(name: str, entry: Entry, home: Path) -> None:
    """Clear away what a killed process has left, and take files that are on this machine into the folder."""
    for path in (home / _KEPT).glob("pip-*"):
        shutil.rmtree(path, ignore_errors=True)
    try:
        for path in files_in(home):
            if path.name.startswith(".") and path.name.endswith(TEMPORARY_SUFFIX):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(home, error) from None
    about = f"{name}: {entry.purpose}\nlicence: {entry.licence}\nby: {entry.credit}\nfrom: {entry.home}\n"
    terms = f"terms: {entry.terms}\n" if entry.terms else ""
    write_atomically(home / LICENCE, (about + terms).encode(), error=WeightsError)
    for file, expected in _missing(entry, home):
        for source in entry.sources:
            if parts := parts_of(source, file, expected):
                with contextlib.suppress(SourceFailed):
                    place_parts(home / file, expected, parts)
                    break
    _stamp(entry, home)


def _require_space(name: str, home: Path, left: Sequence[tuple[str, File]]) -> None:
    """Raises WeightsError when the files would not fit on the disk."""
    there = sum(path.stat().st_size for path in files_in(home) if path.suffix == ".part")
    needed, free = max(0, _size(left) - there), shutil.disk_usage(home).free
    if needed > free:
        raise WeightsError(
            f"the weights {name!r} need {megabytes(needed)} and {home} has {megabytes(free)} left; free some space, or "
            "set AGENTAUDIO_CACHE to another place"
        )
