"""Blocking work of recognisers: cancelled, closed, and at the same time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from agentaudio.errors import AudioError, BackendError
from agentaudio.model.recognisers.apart import Apart, CheckStop, check_length


def endless(ended: threading.Event) -> Callable[[CheckStop], None]:
    def work(check_stop: CheckStop) -> None:
        try:
            while True:
                check_stop()
                time.sleep(0.01)
        finally:
            ended.set()

    return work


async def test_cancelling_stops_what_runs_and_leaves_out_what_waits() -> None:
    apart, ended, begun = Apart(1), threading.Event(), threading.Event()
    running = asyncio.ensure_future(apart.run(endless(ended)))
    waiting = asyncio.ensure_future(apart.run(lambda stop: begun.set()))
    await asyncio.sleep(0.05)
    waiting.cancel()
    running.cancel()
    for task in (running, waiting):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await asyncio.to_thread(ended.wait, 60)
    assert await apart.run(lambda stop: 7) == 7
    assert not begun.is_set()
    apart.close()


async def test_closing_ends_all_work_with_an_error() -> None:
    apart, ended = Apart(1), threading.Event()
    tasks = [asyncio.ensure_future(apart.run(endless(ended))) for _ in range(2)]
    await asyncio.sleep(0.05)
    apart.close()
    apart.close()
    for task in tasks:
        with pytest.raises(BackendError, match="this recogniser was closed"):
            await task
    assert ended.is_set()
    with pytest.raises(BackendError, match="this recogniser was closed"):
        await apart.run(lambda stop: 7)


async def test_as_many_works_run_at_the_same_time_as_there_are_threads() -> None:
    apart, together = Apart(2), threading.Barrier(2, timeout=60)
    assert sorted(await asyncio.gather(*(apart.run(lambda stop: together.wait()) for _ in range(2)))) == [0, 1]
    apart.close()


def test_lengths_are_checked() -> None:
    check_length(1.0, 30.0)
    with pytest.raises(AudioError, match="no samples"):
        check_length(0.0, 30.0)
    with pytest.raises(AudioError, match="31 s is too long to recognise; the limit is 30 s"):
        check_length(31.2, 30.0)
