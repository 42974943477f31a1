"""Blocking functions beside the event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from agentaudio.tools.thread import in_thread

SLOW_START_S = 0.3


async def longest_gap_s(until: asyncio.Future[object]) -> float:
    """The longest time between two rounds of the event loop."""
    longest, before = 0.0, time.perf_counter()
    while not until.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


async def test_the_event_loop_goes_on_while_a_thread_starts_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    real = threading.Thread.start

    def slow(thread: threading.Thread) -> None:
        time.sleep(SLOW_START_S)  # as where other programs have all processors
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", slow)
    found = asyncio.ensure_future(in_thread(lambda: "done"))
    assert await longest_gap_s(found) < SLOW_START_S - 0.05
    assert await found == "done"


async def test_a_thread_that_the_system_refuses_is_an_error_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await asyncio.wait_for(in_thread(lambda: "done"), 5)


async def test_a_function_runs_in_a_daemon_thread_that_ends_with_it() -> None:
    thread = await in_thread(threading.current_thread)
    assert thread.daemon and thread.name == "agentaudio-tool"
    thread.join(5)
    assert not thread.is_alive() and thread not in threading.enumerate()
