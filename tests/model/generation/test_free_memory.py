"""Memory that was freed leaves the process, also when it lies between blocks that are in use."""

from __future__ import annotations

import ctypes
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
