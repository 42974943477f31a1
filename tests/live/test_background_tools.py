"""Background tools: the conversation goes on, and the result is brought in once, when it is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from support.live_room import Room

from agentaudio import Agent, Conversation, tool
from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Delta, ReferenceVoice, TextDelta
from agentaudio.tools.tool import Tool


class Search:
    """A background tool that ends when the test says so."""

    def __init__(self, **options: Any) -> None:
        self.runs, self.end = 0, asyncio.Event()

        @tool(background=True, **options)
        async def search(what: str) -> str:
            """Search for something."""
            self.runs += 1
            await self.end.wait()
            return f"found {what}"

        self.tool: Tool = search


def step(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
    """Calls once; says what the last output says; else echoes the user."""
    last = conversation.messages[-1]
    if last.role == "tool":
        return [TextDelta(last.tool_outputs[-1].text)]
    if not any(message.tool_calls for message in conversation):
        return [CallDelta(ToolCall("1", "search", {"what": "gold"}))]
    return [TextDelta(f"you said {last.text}")]


def agent(search: Search) -> Agent:
    return Agent(Scripted([step], loop=True), tools=[search.tool])


def results(conversation: Conversation) -> list[str]:
    return [output.text for message in conversation for output in message.tool_outputs]


async def test_the_conversation_goes_on_while_it_runs_and_the_next_turn_brings_it_in() -> None:
    search = Search()
    session = agent(search).session(plays=False)
    first = await session.run("look for gold")
    assert "background" in first.text and first.tool_calls[0].status == "running"
    assert (await session.run("hello")).text == "you said hello"
    assert not session.has_news
    search.end.set()
    while not session.has_news:
        await asyncio.sleep(0.01)
    reply = await session.run(None)
    assert reply.text == "found gold"
    assert results(session.conversation)[1:] == ["found gold"]
    assert search.runs == 1 and not session.has_news
    with pytest.raises(OptionError, match="nothing has arrived"):
        await session.run(None)


async def test_a_user_who_speaks_first_gets_both_answered_in_one_turn() -> None:
    search = Search()
    session = agent(search).session(plays=False)
    await session.run("look for gold")
    search.end.set()
    while not session.has_news:
        await asyncio.sleep(0.01)
    await session.run("hello")
    assert [message.role for message in session.conversation][-4:] == ["assistant", "tool", "user", "assistant"]
    assert results(session.conversation).count("found gold") == 1
    ids = [call.id for message in session.conversation for call in message.tool_calls]
    assert len(ids) == len(set(ids)) and session.conversation.open_calls == ()


async def test_one_that_ends_at_once_is_brought_in_once_too() -> None:
    search = Search()
    search.end.set()
    session = agent(search).session(plays=False)
    await session.run("look for gold")
    while not session.has_news:
        await asyncio.sleep(0.01)
    await session.run(None)
    assert results(session.conversation).count("found gold") == 1


async def test_a_failure_and_a_timeout_arrive_too() -> None:
    search = Search(timeout_s=0.1)
    session = agent(search).session(plays=False)
    await session.run("look for gold")
    while not session.has_news:
        await asyncio.sleep(0.02)
    reply = await session.run(None)
    assert "longer than 0.1 s" in reply.text


async def test_an_interruption_does_not_lose_it() -> None:
    search = Search()
    session = agent(search).session(plays=False)
    await session.run("look for gold")
    search.end.set()
    while not session.has_news:
        await asyncio.sleep(0.01)
    async for event in session.stream(None):
        if event.type == "turn.started":
            await session.interrupt()
    await session.run("hello")
    assert results(session.conversation).count("found gold") == 1
    assert session.conversation.open_calls == ()


async def test_a_live_session_tells_it_when_both_are_silent() -> None:
    search = Search()
    async with Room(agent(search).live(ears=None)) as at:
        await at.live.send("look for gold")
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
        search.end.set()
        for _ in range(300):
            await at.quiet(0.05)
            if at.types().count("agent.finished") == 2:
                break
    texts = "".join(event.text for _, event in at.happened if event.type == "text.delta")
    assert texts.endswith("found gold") and texts.count("found gold") == 1


async def test_a_session_that_ends_keeps_what_arrived_in_the_place_of_the_call() -> None:
    search = Search()
    live = agent(search).live(ears=None)
    async with Room(live) as at:
        await at.live.send("look for gold")
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
        search.end.set()
        await asyncio.sleep(0.02)
    assert results(live.conversation) == ["found gold"]
