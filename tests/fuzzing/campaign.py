"""`campaign`: many inputs of one fuzzer in child processes, and what they found."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzing.target import find

ROOT = Path(__file__).parents[2]
STILL_S = 30.0
"""A process that says nothing for so long is killed: its input waits for something."""
START_S = 120.0
MINIMISE_S = 10.0
MOST_FAILURES = 20
"""After so many different failures a campaign ends."""


@dataclass
class Findings:
    """outcomes: how many inputs had each
    slowest_ms: processor time of the slowest input, and largest_mb its growth of memory
    failures: one for each cause, with the number of its first input and its `count`
    """

    target: str
    seed: int
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    slowest: int = -1
    largest_mb: float = 0.0
    seconds: float = 0.0
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)


def campaign(
    name: str, place: str, *, seed: int, inputs: int, start: int = 0, seconds: float = float("inf")
) -> Findings:
    """Run the inputs of a fuzzer until they, or the seconds, are over.

    name, place: of the target, see `fuzzing.TARGETS`
    """
    found = Findings(name, seed)
    begun = time.monotonic()
    number, end = start, start + inputs
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast_folder()) as folder:
        while number < end and time.monotonic() - begun < seconds and len(found.failures) < MOST_FAILURES:
            number = _run(found, place, number, end, Path(folder), begun + seconds)
    found.seconds = round(time.monotonic() - begun, 1)
    return found


def _run(found: Findings, place: str, number: int, end: int, folder: Path, deadline: float) -> int:
    """Run inputs in one process until it ends; returns the number to go on with."""
    command = ["run", place, str(found.seed), str(number), str(end), str(folder)]
    process = _child(command)
    assert process.stdout is not None
    rest, patience, stopped = b"", START_S, ""
    first = number
    while True:
        ready, _, _ = select.select([process.stdout], [], [], patience)
        if not ready and _is_running(process.pid):
            continue  # on a busy machine; the limit of processor time is the child's own
        piece = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
        if not piece:
            stopped = "" if ready else "still"
            break
        patience = STILL_S
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            number = _note(found, json.loads(line)) + 1
        if len(found.failures) >= MOST_FAILURES or time.monotonic() > deadline:
            stopped = "enough"
            break
    process.kill()
    status = process.wait()
    process.stdout.close()
    if stopped == "enough" or (not stopped and status == 0):
        return number
    if number == first and not stopped and status > 0:
        raise RuntimeError(f"the fuzzer {place} cannot start (status {status}); run: {' '.join(command)}")
    reason = "waits" if stopped else _reason(-status)
    _note(found, {"number": number, "outcome": "failure", "failure": reason, "detail": reason, "ms": 0, "mb": 0,
                  "id": reason.replace(" ", "-")})  # fmt: skip
    return number + 1


def _is_running(pid: int) -> bool:
    """Whether a process waits for nothing but a processor."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "R"


def _note(found: Findings, line: dict[str, Any]) -> int:
    number = int(line["number"])
    found.inputs += 1
    found.outcomes[line["outcome"]] += 1
    if line["ms"] > found.slowest_ms:
        found.slowest_ms, found.slowest = line["ms"], number
    found.largest_mb = max(found.largest_mb, line["mb"])
    if "failure" in line:
        kept = found.failures.setdefault(line["failure"], {**line, "count": 0})
        kept["count"] += 1
    return number


def replay(place: str, kind: str, content: bytes) -> dict[str, Any]:
    """The outcome of one input, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast_folder()) as folder:
        file = Path(folder, "input")
        file.write_bytes(content)
        process = _child(["replay", place, kind, str(file), folder])
        said, _ = process.communicate()
    return dict(json.loads(said)) if process.returncode == 0 else {"failure": _reason(-process.returncode)}


def write_failures(found: Findings, place: str, folder: Path, *, minimise_s: float = MINIMISE_S) -> list[Path]:
    """Write each failing input, minimised, and its description beside it. Returns the inputs' files."""
    target, written = find(place), []
    for failure in found.failures.values():
        case = target.case(found.seed, failure["number"])
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{found.target}-{failure['id']}.bin"
        path.write_bytes(case.content)
        with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast_folder()) as work:
            process = _child(["minimise", place, case.kind, str(path), work, str(minimise_s)])
            said, _ = process.communicate()
        if process.returncode == 0:
            path.write_bytes(bytes.fromhex(json.loads(said)["hex"]))
        about = {"target": found.target, "kind": case.kind, "seed": found.seed, **failure}
        path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
        written.append(path)
    return written


def _child(arguments: list[str]) -> subprocess.Popen[bytes]:
    paths = [str(ROOT), str(ROOT / "tests"), *filter(None, sys.path)]
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return subprocess.Popen(
        [sys.executable, "-m", "fuzzing.child", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if not os.environ.get("FUZZ_VERBOSE") else None,
        env={**os.environ, **threads, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(paths)},
    )


def _reason(number: int) -> str:
    if number == signal.SIGPROF:
        return "takes too long"
    return f"signal {signal.Signals(number).name}" if number > 0 else f"status {-number}"


def _fast_folder() -> str | None:
    """A folder in memory, where there is one: a target writes a file for each input."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
