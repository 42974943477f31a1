"""Memory that was freed leaves the process, also when it lies between blocks that are in use."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentaudio import free_memory
from agentaudio.free_memory import FreeMemory, give_back

COUNTED = """
import threading
kept, meet = [], threading.Barrier(8)
def work():
    kept.append(bytearray(100_000))  # from the heap of this thread
    meet.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
# Each further heap is a mapping of 64 MB at its own place, of which the first part can be written.
starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps") if "rw-p 00000000 00:00 0" in line]
print(sum(start % (64 << 20) == 0 for start in starts))
"""
"""A program that counts the heaps of eight threads."""


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs the GNU C library"
)
def test_freed_blocks_between_used_ones_are_given_back() -> None:
    kept: list[bytearray] = []

    def fill() -> None:
        blocks = [bytearray(60_000) for _ in range(2000)]  # too small to be mapped by themselves
        kept.extend(blocks[::100])

    filling = threading.Thread(target=fill)
    filling.start()
    filling.join()
    before = resident_mb()
    give_back()
    assert before - resident_mb() > 80


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs the GNU C library"
)
def test_threads_share_one_heap_when_a_program_wants_it() -> None:
    program = f"""
import sys
from agentaudio.free_memory import share_one_heap
if sys.argv[1:]:
    share_one_heap()
{COUNTED}
"""
    heaps = [
        int(subprocess.run([sys.executable, "-c", program, *given], check=True, capture_output=True).stdout)
        for given in ([], ["share"])
    ]
    assert heaps[0] > 1 and heaps[1] == 0


def test_it_is_given_back_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = FreeMemory()
    calls: list[float] = []
    now = [100.0]
    monkeypatch.setattr(free_memory, "give_back", lambda: calls.append(now[0]))
    monkeypatch.setattr(free_memory, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for now[0] in (100.0, 100.1, 109.0, 111.0, 112.0):
        memory.give_back_soon()
        for thread in threading.enumerate():
            if thread.name == "agentaudio-free-memory":
                thread.join()
    assert calls == [100.0, 111.0]


def test_a_system_without_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "os", SimpleNamespace(name="nt"))
    FreeMemory().give_back_soon()
    give_back()
    free_memory.share_one_heap()


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs the GNU C library"
)
def test_commands_share_one_heap() -> None:
    program = f"""
import sys
from agentaudio.cli import app, main
@app.command(name="heaps")
def heaps():
    exec({COUNTED!r}, {{}})
main(sys.argv[1:])
"""
    found = subprocess.run([sys.executable, "-c", program, "heaps"], check=True, capture_output=True)
    assert int(found.stdout) == 0
