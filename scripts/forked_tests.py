"""Runs tests again and again, each time in a fork of this process, which has imported most of what they use.

    python scripts/forked_tests.py module [pytest's arguments]

module: name of the module that changes between the runs. Only the tests, this module and those that import it are
imported by each run. The first run finds out what the tests use.

Each line of input is a time limit in seconds of processor time, so that other programs do not shorten it. The answer is
a line with pytest's exit code and the processor time; the code is -1 for a run that was stopped, because it took longer
or waited for IDLE_S without any progress. Linux only.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

POLL_S = 0.02
IDLE_S = 10.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that the output of the tests is not taken for an answer
    imported = Path("imported.txt")
    imported.unlink(missing_ok=True)
    known = False
    for line in sys.stdin:
        code, seconds = _run(float(line), imported)
        answers.write(f"{code} {seconds}\n")
        answers.flush()
        if imported.exists() and not known:
            known = True
            _import_all_but(sys.argv[1], imported.read_text(encoding="utf-8").split())


def _run(limit_s: float, imported: Path) -> tuple[int, float]:
    """Run the tests in a process group of their own, and end what they left running."""
    child = os.fork()
    if not child:
        os.setsid()
        os._exit(_tests(imported))
    done, status, used_s = 0, 0, 0.0
    progress = looked = time.monotonic()
    while not done and used_s < limit_s and looked < progress + IDLE_S:
        time.sleep(POLL_S)
        if time.monotonic() > looked + 10 * POLL_S:
            looked, now_s = time.monotonic(), _processor_s(child)
            if now_s > used_s:
                used_s, progress = now_s, looked
        done, status = os.waitpid(child, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if done:
        return os.waitstatus_to_exitcode(status), used_s
    os.waitpid(child, 0)
    return -1, used_s


def _processor_s(group: int) -> float:
    """Seconds of processor time that a process group has used. Source: proc_pid_stat(5)."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[2]) == group:
                ticks += sum(map(int, fields[11:15]))  # also of children that have ended
    return ticks / CLOCK_TICKS


def _tests(imported: Path) -> int:
    try:
        code = int(pytest.main(["-W", "ignore::pytest.PytestAssertRewriteWarning", *sys.argv[2:]]))
        if not imported.exists():
            imported.write_text("\n".join(_imported()), encoding="utf-8")
        return code
    except BaseException:
        traceback.print_exc()
        return pytest.ExitCode.INTERNAL_ERROR


def _imported() -> list[str]:
    tests = str(Path.cwd() / "tests")
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return [name for name, file in files.items() if file and not file.startswith(tests) and name != "__main__"]


class _Refuses(importlib.abc.MetaPathFinder):
    """Lets the import of one module fail, and so that of all modules that import it."""

    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == self._module:
            raise ImportError(name)


def _import_all_but(module: str, names: list[str]) -> None:
    refuses = _Refuses(module)
    sys.meta_path.insert(0, refuses)
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    sys.meta_path.remove(refuses)


if __name__ == "__main__":
    main()
