"""Each fuzzer runs, and finds nothing in a few inputs; and the fuzzers find what they are made for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

if not Path("/proc/self/statm").exists():
    pytest.skip("the fuzzers count memory, files and processes in /proc", allow_module_level=True)

from fuzzing import TARGETS
from fuzzing.campaign import campaign, replay, write_failures
from fuzzing.target import Case, Target, find
from fuzzing.watch import Broken

from agentaudio.errors import AudioError, RetrievalError

NEEDED = {"pages": "trafilatura", "documents": "docx", "mcp": "mcp", "manifests": "pyarrow", "indexes": "faiss"}


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_inputs_of_each_fuzzer_find_nothing(name: str) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    found = campaign(name, TARGETS[name], seed=1, inputs=100)
    assert found.failures == {} and found.inputs == 100
    assert len(found.outcomes) >= 2


@pytest.mark.parametrize("name", TARGETS)
def test_the_input_of_a_number_is_the_same_again(name: str) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    one, again = find(TARGETS[name]), find(TARGETS[name])
    assert [one.case(3, n) for n in range(20)] == [again.case(3, n) for n in range(20)]
    assert len({one.case(3, n) for n in range(20)}) > 10


class Faulty(Target):
    """Fails for what its input says."""

    name = "faulty"
    refusals = (AudioError,)
    cpu_s = 3.0
    memory_mb = 60
    inside = True

    def seeds(self) -> dict[str, list[bytes]]:
        return {"a": [b"fine"]}

    def prepare(self, folder: Path) -> None:
        self._folder = folder

    def changed(self, chance: object, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        faults = (b"fine", b"refused", b"crash", b"untyped", b"class", b"text", b"lines", b"spin", b"memory",
                  b"outside", b"files", b"handles", b"program", b"sub", b"connect", b"invalid")  # fmt: skip
        return b"xx" + faults[getattr(chance, "randrange")(len(faults))] + b"yyy"  # noqa: B009

    def read(self, case: Case) -> str:
        for fault in (b"crash", b"untyped", b"class", b"text", b"lines", b"spin", b"memory", b"outside", b"files",
                      b"handles", b"program", b"connect", b"invalid", b"refused"):  # fmt: skip
            if fault in case.content:
                getattr(self, f"_{fault.decode()}")()
        return "read"

    def _refused(self) -> None:
        raise AudioError("not a sound; use WAV")

    def _crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def _untyped(self) -> None:
        raise KeyError("a")

    def _class(self) -> None:
        raise RetrievalError("of another module")

    def _text(self) -> None:
        error = AudioError("")
        error.args = ("\x1b[2J",)
        raise error

    def _lines(self) -> None:
        error = AudioError("")
        error.args = ("a\nb",)
        raise error

    def _spin(self) -> None:
        while True:
            pass

    def _memory(self) -> None:
        bytearray(os.urandom(1)) * 120_000_000

    def _outside(self) -> None:
        Path(self._folder.parent.parent / "outside").exists() or Path("/var/tmp/agentaudio-outside").write_text("x")

    def _files(self) -> None:
        (self._folder / f"left-{time.monotonic_ns()}").write_text("x")

    def _handles(self) -> None:
        os.open(self._folder, os.O_RDONLY)

    def _program(self) -> None:
        subprocess.run(["true"], check=True)

    def _connect(self) -> None:
        import socket

        try:
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        except OSError:
            return

    def _invalid(self) -> None:
        raise Broken("invalid", "no samples")


PLACE = "test_fuzzers:Faulty"


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (b"fine", None), (b"refused", None), (b"crash", "signal SIGSEGV"), (b"untyped", "untyped KeyError"),
        (b"class", "untyped RetrievalError"), (b"text", "text AudioError"), (b"lines", "text AudioError"),
        (b"spin", "takes too long"), (b"memory", "memory Broken"), (b"outside", "outside Broken"),
        (b"files", "left Broken"), (b"handles", "left Broken"), (b"program", "outside Broken"),
        (b"connect", "outside Broken"), (b"invalid", "invalid Broken"),
    ],
)  # fmt: skip
def test_what_must_not_happen_is_found(content: bytes, failure: str | None) -> None:
    found = replay(PLACE, "a", b"12" + content + b"34")
    Path("/var/tmp/agentaudio-outside").unlink(missing_ok=True)
    assert str(found.get("failure", None)).startswith(str(failure)), found


def test_a_campaign_goes_on_after_a_crash_and_writes_minimised_inputs(tmp_path: Path) -> None:
    found = campaign("faulty", PLACE, seed=1, inputs=60)
    Path("/var/tmp/agentaudio-outside").unlink(missing_ok=True)
    assert found.inputs == 60 and sum(found.outcomes.values()) == 60
    crashes = [failure for failure in found.failures.values() if failure["failure"] == "signal SIGSEGV"]
    assert len(crashes) == 1 and crashes[0]["count"] > 1
    found.failures = {name: one for name, one in found.failures.items() if name.startswith(("signal", "untyped Key"))}
    written = write_failures(found, PLACE, tmp_path)
    assert sorted(path.read_bytes() for path in written) == [b"crash", b"untyped"]
    about = json.loads(written[0].with_suffix(".json").read_text())
    assert about["seed"] == 1 and find(PLACE).case(1, about["number"]).content.startswith(b"xx")


def test_the_script_ends_with_1_for_a_failure_and_merges_figures(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "scripts" / "fuzz.py"
    figures = tmp_path / "fuzz.json"
    for name in ("calls", "sound"):
        command = [sys.executable, str(script), name, "--inputs", "20", "--seed", "1", "--json", str(figures)]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    kept = json.loads(figures.read_text())
    assert set(kept["targets"]) == {"calls", "sound"} and kept["targets"]["sound"]["inputs"] == 20
    assert not (tmp_path / "fuzz-failures").exists()
