"""Memory that was freed leaves the process, also when it lies between blocks that are in use."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentaudio.model.generation import free_memory
from agentaudio.model.generation.free_memory import FreeMemory


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
    FreeMemory().give_back()
    assert before - resident_mb() > 80


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs the GNU C library"
)
def test_threads_share_one_heap_when_a_program_wants_it() -> None:
    program = """
import sys, threading
from agentaudio.model.generation.free_memory import share_one_heap
if sys.argv[1:]:
    share_one_heap()
kept = []
def work():
    kept.append(bytearray(100_000))  # from the heap of this thread
    meet.wait()
meet = threading.Barrier(8)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
# Each further heap is a mapping of 64 MB at its own place, of which the first part can be written.
starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps") if "rw-p 00000000 00:00 0" in line]
print(sum(start % (64 << 20) == 0 for start in starts))
"""
    heaps = [
        int(subprocess.run([sys.executable, "-c", program, *given], check=True, capture_output=True).stdout)
        for given in ([], ["share"])
    ]
    assert heaps[0] > 1 and heaps[1] == 0


def test_it_is_given_back_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = FreeMemory()
    calls: list[int] = []
    monkeypatch.setattr(memory, "_trim", calls.append)
    now = [100.0]
    monkeypatch.setattr(free_memory, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for now[0] in (100.0, 100.1, 109.0, 111.0, 112.0):
        memory.give_back_soon()
        for thread in threading.enumerate():
            if thread.name == "agentaudio-free-memory":
                thread.join()
    assert calls == [0, 0]


def test_a_system_without_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "os", SimpleNamespace(name="nt"))
    memory = FreeMemory()
    memory.give_back_soon()
    memory.give_back()
    free_memory.share_one_heap()
