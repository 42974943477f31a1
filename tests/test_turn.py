"""The loop of a turn: what it waits for, and where its work is done."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, tool
from agentaudio.conversation import Citation, Passage, SpeechPart, ToolCall
from agentaudio.errors import AudioError, BackendError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, CitationDelta, Delta, TextDelta
from agentaudio.tools.external import external_tool
from agentaudio.tools.result import ToolResult


class Folder(os.PathLike[str]):
    """A folder that notes the threads in which its path is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.threads: list[threading.Thread] = []

    def __fspath__(self) -> str:
        self.threads.append(threading.current_thread())
        return str(self._path)


@tool
def look() -> str:
    return "seen"


async def test_documents_are_opened_outside_the_event_loop(tmp_path: Path) -> None:
    (tmp_path / "hours.txt").write_text("The museum opens at nine.", encoding="utf-8")
    folder = Folder(tmp_path)
    agent = Agent(scripted(calls(("look", {})), "Nine."), tools=[look], documents=folder)
    folder.threads.clear()
    assert (await agent.run("when?")).text == "Nine."
    assert folder.threads and threading.current_thread() not in folder.threads


@tool
def look_closely() -> ToolResult:
    return ToolResult("Oak.", passages=(Passage("The door is oak.", "Doors", "doors.md"),))


async def test_passages_are_not_cited_for_a_model_that_cites_them_itself() -> None:
    own = Citation("Wood", "wood.md", "Oak is hard.")
    steps = calls(("look_closely", {})), [TextDelta("The door is oak."), CitationDelta(own)]
    assert (await Agent(scripted(*steps, cites=True), tools=[look_closely]).run("go")).citations == (own,)


async def test_passages_are_cited_when_the_answer_is_complete_not_before_the_callers_result() -> None:
    open_door = external_tool("open_door", "Open a door.", {"type": "object"})
    step = [TextDelta("The door is oak."), CallDelta(ToolCall("1", "open_door", {}))]
    agent = Agent(scripted(calls(("look_closely", {})), step), tools=[look_closely, open_door])
    reply = await agent.run("go")
    assert (reply.stop, reply.citations) == ("tool_calls", ())


async def test_calls_in_another_form_than_the_models_own_are_counted() -> None:
    step = [CallDelta(ToolCall(str(n), "look", {}), is_native=n == 0) for n in range(3)]
    events = [event async for event in Agent(scripted(step, "Oak."), tools=[look]).session().stream("go")]
    assert [e.irregular_calls for e in events if e.type == "step.finished"] == [2, 0]


async def test_a_failure_in_a_later_step_keeps_the_speech_of_each_step() -> None:
    def breaks(*_: object) -> Iterator[Delta]:
        yield TextDelta("It is ")
        raise ValueError("broken")

    seeing = [TextDelta("Let me see."), CallDelta(ToolCall("1", "look", {}))]
    session = Agent(scripted(seeing, breaks), tools=[look]).session()
    with pytest.raises(BackendError, match="broken"):
        await session.run("what is it?")
    parts = [part for message in session.conversation for part in message.parts if isinstance(part, SpeechPart)]
    assert [(part.text, part.interrupted) for part in parts] == [("Let me see.", False), ("It is", True)]


async def test_one_message_of_the_user_may_hold_sounds_and_written_words() -> None:
    agent = Agent(Scripted([{"heard": "what is this", "say": "A door."}]))
    session = agent.session(plays=False)
    await session.run([tone(300, 1), "Answer in one word.", tone(200, 1)])
    asked, _ = session.conversation
    assert [type(part).__name__ for part in asked.parts] == ["AudioPart", "TextPart", "AudioPart"]
    assert asked.text == "what is this Answer in one word."  # the words of all sounds stand in the first
    with pytest.raises(AudioError, match="empty"):
        await session.run([])
    with pytest.raises(AudioError, match="sounds last 4000 s"):
        await session.run([tone(300, 2_000, 1_000), tone(300, 2_000, 1_000)])


@pytest.mark.parametrize("leaves_at", ["turn.started", "turn.failed"])
async def test_a_reader_that_leaves_a_failing_turn_gets_no_report_from_asyncio(leaves_at: str) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(report))
    session = Agent(scripted("Never said.")).session(plays=False)
    async with aclosing(session.stream({"c0": "a result that nobody has asked for"})) as happening:
        async for event in happening:
            await asyncio.sleep(0.01)
            if event.type == leaves_at:
                break
    del session, happening, event
    gc.collect()
    assert reports == []
