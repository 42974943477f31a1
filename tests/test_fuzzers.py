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

pytestmark = pytest.mark.hostile

NEEDED = {"pages": "trafilatura", "documents": "docx", "mcp": "mcp", "manifests": "pyarrow", "indexes": "faiss",
          "signatures": "c2pa"}  # fmt: skip


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


FAULTS = (b"fine", b"refused", b"crash", b"untyped", b"class", b"text", b"lines", b"spin", b"memory", b"outside",
          b"program", b"connect", b"invalid")  # fmt: skip


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
        return seed

    def case(self, seed: int, number: int) -> Case:
        return Case("a", b"xx" + FAULTS[number] + b"yyy")

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


def test_what_must_not_happen_is_found_and_the_campaign_goes_on(tmp_path: Path) -> None:
    found = campaign("faulty", PLACE, seed=1, inputs=len(FAULTS))
    Path("/var/tmp/agentaudio-outside").unlink(missing_ok=True)
    assert found.inputs == sum(found.outcomes.values()) == len(FAULTS)
    by_fault = {FAULTS[failure["number"]]: name for name, failure in found.failures.items()}
    expected = {
        b"crash": "signal SIGSEGV", b"untyped": "untyped KeyError", b"class": "untyped RetrievalError",
        b"text": "text AudioError", b"lines": "text AudioError", b"spin": "takes too long", b"memory": "memory Broken",
        b"outside": "outside Broken", b"invalid": "invalid Broken",
    }  # fmt: skip
    # Faults with the same name are counted once.
    assert all(by_fault[fault].startswith(name) for fault, name in expected.items() if fault in by_fault), by_fault
    assert set(by_fault) >= {b"crash", b"untyped", b"class", b"spin", b"invalid", b"outside"}, by_fault
    assert not set(by_fault) & {b"fine", b"refused"}
    found.failures = {name: one for name, one in found.failures.items() if name.startswith(("signal", "untyped Key"))}
    written = write_failures(found, PLACE, tmp_path, minimise_s=30)
    assert sorted(path.read_bytes() for path in written) == [b"crash", b"untyped"]
    assert json.loads(written[0].with_suffix(".json").read_text())["seed"] == 1


@pytest.mark.parametrize("fault", [b"files", b"handles"])
def test_what_is_left_behind_is_found(fault: bytes) -> None:
    assert str(replay(PLACE, "a", fault).get("failure")).startswith("left Broken")


def test_the_script_ends_with_1_for_a_failure_and_merges_figures(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "scripts" / "fuzz.py"
    figures = tmp_path / "fuzz.json"
    for name in ("calls", "sound"):
        command = [sys.executable, str(script), name, "--inputs", "20", "--seed", "1", "--json", str(figures)]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    kept = json.loads(figures.read_text())
    assert set(kept["targets"]) == {"calls", "sound"} and kept["targets"]["sound"]["inputs"] == 20
    assert not (tmp_path / "fuzz-failures").exists()
