"""What the agent says of its own accord: apologies, fillers of tools, notices; none is part of the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
from support.live_room import RATE, GivenWords, Room

from agentaudio import Agent, Conversation, tool
from agentaudio.errors import BackendError
from agentaudio.live.events import NoticeSpoken
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, TextDelta


class Fails(Scripted):
    """A service that fails in its first generation, and answers afterwards."""

    def __init__(self, how: str) -> None:
        super().__init__(["all is well"], loop=True)
        self.how, self.asked = how, list[list[str]]()

    async def generate(self, conversation: Conversation, **given: Any) -> AsyncGenerator[Delta, None]:
        self.asked.append([message.text for message in conversation])
        if len(self.asked) == 1:
            if self.how == "hangs":
                await asyncio.sleep(60)
            if self.how == "dies":
                async for delta in super().generate(conversation, **given):
                    yield delta
                    if isinstance(delta, TextDelta) and "well" in delta.text:
                        break
            raise BackendError("429")
        async for delta in super().generate(conversation, **given):
            yield delta


def notices(at: Room) -> list[tuple[str, str]]:
    return [(event.reason, event.text) for _, event in at.happened if isinstance(event, NoticeSpoken)]


def sounding_s(at: Room) -> float:
    return float(np.count_nonzero(np.abs(np.concatenate(at.heard)) > 1e-4) / RATE)


@pytest.mark.parametrize("how", ["refuses", "hangs"])
@pytest.mark.parametrize(("words", "said"), [("what is the time?", "sorry"), ("几点了？", "对不起")])
async def test_a_turn_that_fails_without_a_word_ends_in_a_spoken_apology(how: str, words: str, said: str) -> None:
    model = Fails(how)
    async with Room(Agent(model).live(ears=None, first_word_s=0.3)) as at:
        await at.live.send(words)
        await at.until_playing(0.2, at_most=20)
        await at.quiet(2)
        await at.live.send("and now?")
        await at.until_playing(0.2)
    assert [reason for reason, _ in notices(at)] == ["failure"]
    assert said in notices(at)[0][1]
    assert at.types().count("turn.failed") == 1
    assert not any(notices(at)[0][1] in text for text in model.asked[1])


async def test_what_was_heard_before_a_failure_is_not_said_again() -> None:
    model = Fails("dies")
    async with Room(Agent(model).live(ears=None)) as at:
        await at.live.send("hello?")
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
        await at.live.send("go on")
        await at.until_playing(0.2)
    texts = [message.text for message in at.live.conversation if message.role == "assistant"]
    assert texts[0] == "all is"  # the sound of the last word was never made
    assert [reason for reason, _ in notices(at)] == ["failure"]


def working(seconds: float, filler: str) -> Agent:
    @tool(filler=filler)
    async def look_up(what: str) -> str:
        """Look something up."""
        await asyncio.sleep(seconds)
        return "found"

    script: list[Any] = [{"calls": [{"name": "look_up", "arguments": {"what": "x"}}]}, "here it is"]
    return Agent(Scripted(script), tools=[look_up])


@pytest.mark.parametrize(
    ("seconds", "filler", "said"), [(0.6, "let me look", 1), (0.0, "let me look", 0), (0.6, "", 0)]
)
async def test_a_tool_that_takes_its_time_is_bridged_by_its_filler(seconds: float, filler: str, said: int) -> None:
    async with Room(working(seconds, filler).live(ears=None, filler_s=0.2)) as at:
        await at.live.send("look it up")
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
    assert [text for _, text in notices(at)] == [filler] * said
    # 0.3 s of tone a word, in the filler and in the answer, one after the other
    assert sounding_s(at) == pytest.approx(0.3 * 3 * (1 + said), rel=0.25)
    assert at.live.conversation.messages[-1].text == "here it is"


async def test_a_filler_counts_neither_as_heard_words_nor_as_heard_sound() -> None:
    async with Room(working(0.4, "one moment please let me look it all up").live(ears=None, filler_s=0.1)) as at:
        await at.live.send("look it up")
        while "tool.finished" not in at.types():
            await at.quiet(0.02)
        while not any(event.type == "text.delta" for _, event in at.happened):
            await at.quiet(0.02)
        await at.live.interrupt()  # while the filler is still being played
        await at.quiet(0.2)
    said = [message.text for message in at.live.conversation if message.role == "assistant" and message.text]
    assert said == []


async def test_a_greeting_is_heard_and_not_part_of_the_conversation() -> None:
    async with Room(Agent(Scripted(["fine"])).live(ears=GivenWords("hello"))) as at:
        await at.live.say("good morning to you")
        await at.until_playing(0.5)
        await at.quiet(1.5)
        assert "agent.finished" in at.types()
        await at.live.send("hello")
        await at.until_playing(0.1)
    assert [message.text for message in at.live.conversation if message.role == "user"] == ["hello"]
    assert [reason for reason, _ in notices(at)] == ["notice"]
