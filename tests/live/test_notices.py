"""What the agent says of its own accord: apologies, fillers of tools, notices; none is part of the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
from support.live_room import RATE, GivenWords, Room

from agentaudio import Agent, Audio, Conversation, tool
from agentaudio.demo.run import questions_folder
from agentaudio.errors import BackendError, OptionError
from agentaudio.live.events import NoticeSpoken
from agentaudio.live.idle import IdlePrompts
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


async def test_a_protected_notice_plays_whole_and_what_is_said_meanwhile_is_dropped() -> None:
    speech = Audio.load(questions_folder() / "time-in-tokyo.flac").resample(RATE).samples
    async with Room(Agent(Scripted(["fine"])).live(ears=GivenWords("my name is Ana"))) as at:
        await at.live.say("please note that this call may be recorded for training", interruptible=False)
        await at.until_playing(0.3)
        await at.say(speech)
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
        assert sounding_s(at) == pytest.approx(0.3 * 10, rel=0.2)
        assert not {"agent.paused", "agent.stopped", "user.started"} & set(at.types())
        await at.say(speech)  # the next words are heard again
        await at.until_playing(0.1)
    assert len([message for message in at.live.conversation if message.role == "user"]) == 1


async def test_a_silent_user_is_asked_twice_and_then_left_alone() -> None:
    idle = IdlePrompts(after_s=0.4, prompts=("are you there?", "hello?"))
    async with Room(Agent(Scripted(["fine"], loop=True)).live(ears=None, idle=idle)) as at:
        await at.live.send("hi")
        for _ in range(200):
            await at.quiet(0.2)
            if "user.idle" in at.types():
                break
        assert [text for _, text in notices(at)] == ["are you there?", "hello?"]
        await at.quiet(10)
        assert at.types().count("user.idle") == 1 and len(notices(at)) == 2
        await at.live.send("yes")
        while len(notices(at)) < 3:
            await at.quiet(0.2)
        answered = [place for place, kind in enumerate(at.types()) if kind == "agent.finished"]
        asked = [place for place, kind in enumerate(at.types()) if kind == "notice"]
        assert answered[0] < asked[0]  # not while the answer is still being played


async def test_nobody_is_asked_while_a_tool_works_or_the_microphone_is_off() -> None:
    idle = IdlePrompts(after_s=0.2)
    async with Room(working(1.0, "").live(ears=None, idle=idle)) as at:
        await at.live.send("look it up")
        while "tool.finished" not in at.types():
            await at.quiet(0.1)
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
        assert notices(at) == []
        await asyncio.sleep(2.5)  # no frames arrive
        assert len(notices(at)) <= 1


@pytest.mark.parametrize("wrong", [{"after_s": 0}, {"prompts": ()}, {"prompts": "hello?"}])
def test_idle_prompts_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="IdlePrompts"):
        IdlePrompts(**wrong)


async def test_words_before_a_fast_call_come_first_and_are_said_once() -> None:
    @tool
    async def look_up() -> str:
        """Look something up."""
        return "found"

    script: list[Any] = [{"say": "let me look that up", "calls": [{"name": "look_up"}]}, "here it is"]
    async with Room(Agent(Scripted(script), tools=[look_up]).live(ears=None)) as at:
        await at.live.send("look it up")
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
    assert sounding_s(at) == pytest.approx(0.3 * 8, rel=0.2)
    roles = [(message.role, message.text) for message in at.live.conversation]
    assert roles[:2] == [("user", "look it up"), ("assistant", "let me look that up")]
    assert [role for role, _ in roles[2:]] == ["tool", "assistant"] and roles[3][1] == "here it is"
