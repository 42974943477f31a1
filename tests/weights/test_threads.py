"""`finish`: when it returns, nothing writes any more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from agentaudio.weights.threads import finish


async def test_a_cancelled_call_ends_when_its_thread_has_ended() -> None:
    begun, go_on, written = threading.Event(), threading.Event(), []

    def work(value: int) -> None:
        begun.set()
        go_on.wait(10)
        written.append(value)

    call = asyncio.ensure_future(finish(work, 7))
    await asyncio.to_thread(begun.wait, 10)
    call.cancel()
    await asyncio.sleep(0.05)
    assert not call.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert written == [7]


async def test_results_and_errors_are_those_of_the_work() -> None:
    assert await finish(max, 1, 2) == 2
    with pytest.raises(ValueError, match="invalid literal"):
        await finish(int, "x")
