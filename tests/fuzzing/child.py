"""The process that runs a fuzzer's inputs: one JSON line for each on standard output.

    python -m fuzzing.child run PLACE SEED START END FOLDER        inputs START to END - 1
    python -m fuzzing.child replay PLACE KIND FILE FOLDER          one input
    python -m fuzzing.child minimise PLACE KIND FILE FOLDER SECONDS

It may crash or hang: the campaign notices, and goes on with the next input in another process.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError
from fuzzing.minimise import minimised
from fuzzing.near import IN_WORKERS
from fuzzing.target import Case, Target, find
from fuzzing.watch import Broken, Leaks, Opened, check_text

MOST_MEMORY_BYTES = 8 * 10**9
"""Address space of the process: the machine is shared."""
CHECKED_EVERY = 50
"""After so many inputs, files and processes are counted."""


def main() -> None:
    command, place, *rest = sys.argv[1:]
    sys.dont_write_bytecode = True  # a compiled module is a file outside, too
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    answers = os.dup(1)
    os.dup2(2, 1)  # parsers print
    target = find(place)
    folder = Path(rest.pop(3 if command == "run" else 2)) / "work"
    shutil.rmtree(folder, ignore_errors=True)  # of a process that crashed
    folder.mkdir(parents=True)
    tempfile.tempdir = str(folder)
    os.environ["TMPDIR"] = str(folder)
    runner = Runner(target, folder)
    if command == "run":
        seed, start, end = map(int, rest)
        for number in range(start, end):
            line = {"number": number, **runner.outcome(target.case(seed, number), number)}
            os.write(answers, json.dumps(line).encode() + b"\n")
        return
    case = Case(rest[0], Path(rest[1]).read_bytes())
    if command == "minimise":
        content = minimised(case, runner.signature, seconds=float(rest[2]))
        os.write(answers, json.dumps({"hex": content.hex()}).encode() + b"\n")
    else:
        os.write(answers, json.dumps(runner.outcome(case)).encode() + b"\n")


class Runner:
    """Runs the inputs of a target in this process."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target, self._folder = target, folder
        _, hardest = resource.getrlimit(resource.RLIMIT_AS)
        if hardest == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
        self._opened = Opened()
        self._opened.allowed = (os.path.realpath(folder) + os.sep,)
        target.prepare(folder)
        self._warm()
        self._leaks = Leaks(folder)

    def _warm(self) -> None:
        """Read well-formed contents first: imports and caches are not growth."""
        for kind, contents in self._target.seeds().items():
            for content in contents:
                with suppress(AgentAudioError):
                    self._target.read(Case(kind, content))

    def outcome(self, case: Case, number: int = 0) -> dict[str, Any]:
        """`outcome`, `ms` of processor time and `mb` of growth; for a failure also `failure` and `detail`."""
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        begun = time.process_time()
        # Ends the process when the time is over, also inside a C library.
        signal.setitimer(signal.ITIMER_PROF, self._target.cpu_s)
        self._opened.outside.clear()
        self._opened.on = True
        found: dict[str, Any] = {}
        try:
            found["outcome"] = self._target.read(case)
        except self._target.refusals as refusal:
            found["outcome"] = type(refusal).__name__
            try:
                check_text(refusal)
            except Broken as broken:
                found.update(_failure(broken, refusal))
        except Broken as broken:
            found.update(_failure(broken, broken))
        except BaseException as error:
            found.update(_failure(Broken("untyped", repr(error)[:500]), error))
        finally:
            self._opened.on = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))  # `workers.child` leaves its limit behind
        found["ms"] = round(1_000 * (time.process_time() - begun), 1)
        found["mb"] = round(self._leaks.grown_mb(), 1)
        found.setdefault("outcome", "failure")
        if "failure" not in found:
            found.update(self._after(found["mb"], number))
        return found

    def _after(self, grown_mb: float, number: int) -> dict[str, Any]:
        try:
            if grown_mb > self._target.memory_mb:
                raise Broken("memory", f"{grown_mb:.0f} MB")
            allowed = ("opens",) * (not self._target.inside) + ("connects",) * self._target.connects
            if os.environ.get(IN_WORKERS):
                allowed += ("starts",)
            if outside := [one for one in self._opened.outside if not one.startswith(allowed)]:
                raise Broken("outside", outside[0])
            if number % CHECKED_EVERY == 0 and not os.environ.get(IN_WORKERS):  # idle workers stay
                self._leaks.check()
        except Broken as broken:
            return _failure(broken, broken)
        return {}

    def signature(self, case: Case) -> str | None:
        """How an input fails, found out in a fork of this process, which may crash; None when it does not."""
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(5)  # for what waits
            found = self.outcome(case)
            os.write(write_end, str(found.get("failure", "")).encode()[:1_000])
            os._exit(0)
        os.close(write_end)
        with open(read_end, "rb") as pipe:
            said = pipe.read().decode()
        _, status = os.waitpid(pid, 0)
        return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else said or None


def _failure(broken: Broken, error: BaseException) -> dict[str, Any]:
    """The failure as data. Its name is the same for the same cause: kind, class, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if ".venv" not in frame.filename and "/fuzzing/child" not in frame.filename]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    last = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    name = f"{broken.kind} {type(error).__name__} {where} {last}".strip()
    return {
        "failure": name,
        "detail": str(broken)[:600],
        "trace": "".join(traceback.format_exception(error))[-3_000:],
        "id": hashlib.sha256(name.encode()).hexdigest()[:8],
    }


if __name__ == "__main__":
    main()
