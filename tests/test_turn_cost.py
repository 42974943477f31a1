"""What a turn costs, counted in calls of functions and callbacks of the event loop: a busy machine changes neither."""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio.events import Handle
from types import FrameType
from typing import Any

import pytest

from agentaudio import Agent, Session, tool
from agentaudio.conversation import ToolCall
from agentaudio.model.scripted import Scripted, ScriptStep
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.tracing import flush_spans, trace

STEPS: list[ScriptStep] = [
    [CallDelta(ToolCall(f"c{n}", "instant", {"x": n})) for n in range(2)],
    [TextDelta("Done.")],
]


@tool
async def instant(x: int) -> str:
    """Does nothing."""
    return str(x)


def agent() -> Agent:
    return Agent(Scripted(STEPS), tools=[instant])


async def calls_of(session: Session) -> int:
    """Number of functions, of Python and of C, that a turn calls."""
    count = 0

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        reply = await session.run("go")
    finally:
        sys.setprofile(None)
    assert [run.status for run in reply.tool_calls] == ["done", "done"] and reply.text == "Done."
    return count


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other versions of asyncio make other calls")
@pytest.mark.parametrize(("traced", "most"), [(False, 1_350), (True, 1_530)])
async def test_a_turn_with_two_calls_does_no_needless_work(traced: bool, most: int) -> None:
    made = agent()
    if traced:
        sdk = pytest.importorskip("opentelemetry.sdk.trace")
        trace(made, provider=sdk.TracerProvider())
    await made.run("warm up")
    assert 500 < await calls_of(made.session(plays=False)) <= most


@pytest.mark.parametrize("traced", [False, True])
async def test_a_turn_leaves_nothing_to_the_garbage_collector(traced: bool) -> None:
    made = agent()
    if traced:
        sdk = pytest.importorskip("opentelemetry.sdk.trace")
        trace(made, provider=sdk.TracerProvider())
    await made.run("warm up")
    await asyncio.sleep(0)
    assert not traced or flush_spans()
    gc.collect()
    gc.disable()
    try:
        await made.run("go")
        await asyncio.sleep(0)
        assert not traced or flush_spans()
        assert gc.collect() == 0
    finally:
        gc.enable()


async def test_a_turn_with_two_calls_needs_few_callbacks_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    made = agent()
    await made.run("warm up")
    ran: list[Handle] = []
    real = Handle._run

    def counted(self: Handle) -> None:
        ran.append(self)
        real(self)

    monkeypatch.setattr(Handle, "_run", counted)
    before = asyncio.all_tasks()
    await made.session(plays=False).run("go")
    assert 8 <= len(ran) <= 18 and asyncio.all_tasks() == before
