"""Checks and usage limits in live sessions: what was not approved is never heard, and nobody is left in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from support.live_room import RATE, GivenWords, Room
from support.parts import Beeps

from agentaudio import Agent, Audio, Limits, Stop, UsageLimits, tool
from agentaudio.demo.run import questions_folder
from agentaudio.live.events import NoticeSpoken
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.scripted import Scripted
from agentaudio.turn_checks import WITHHELD


def no_prices(text: str) -> Stop | None:
    return Stop("no prices") if "euro" in text else None


def sounding_s(at: Room) -> float:
    return float(np.count_nonzero(np.abs(np.concatenate(at.heard)) > 1e-4) / RATE)


async def finished(at: Room) -> None:
    async with asyncio.timeout(20):
        while "agent.finished" not in at.types():
            await at.quiet(0.05)


async def test_a_refused_sentence_is_not_heard_and_its_place_is_taken_by_the_words_of_the_check() -> None:
    agent = Agent(Scripted(["It is open. Nine euro please. Goodbye."]), output_checks=[no_prices])
    async with Room(agent.live(ears=None)) as at:
        await at.live.send("hello")
        await finished(at)
    assert sounding_s(at) == pytest.approx(0.3 * 5, rel=0.2)
    assert at.live.conversation.messages[-1].text == "It is open. no prices"


async def test_spoken_words_that_are_refused_never_reach_the_model() -> None:
    ears = GivenWords("how many euro is that?")
    model = Cascade(ears, Wordy(), Beeps())
    async with Room(Agent(model, input_checks=[no_prices]).live(ears=GivenWords("how many euro is that?"))) as at:
        await at.say(Audio.load(questions_folder() / "time-in-tokyo.flac").resample(RATE).samples)
        await finished(at)
    assert [message.text for message in at.live.conversation] == [WITHHELD, "no prices"]


class Wordy:
    """A chat model that must not be asked."""

    name, calls_tools, cites, languages, options = "wordy", True, False, (), frozenset[str]()

    async def chat(self, conversation: Any, **given: Any) -> Any:
        raise AssertionError("the model was asked")
        yield

    def expected(self, tools: Any) -> tuple[str, ...]:
        return ()

    async def warm_up(self, tools: Any = ()) -> None: ...

    async def aclose(self) -> None: ...


async def test_words_before_a_fast_call_come_first_and_are_said_once_with_checks_too() -> None:
    """SCENARIOS, Live 11."""

    @tool
    async def look_up() -> str:
        return "found"

    script: list[Any] = [{"say": "let me look that up", "calls": [{"name": "look_up"}]}, "here it is"]
    agent = Agent(Scripted(script), tools=[look_up], input_checks=[no_prices], output_checks=[no_prices])
    async with Room(agent.live(ears=None)) as at:
        await at.live.send("look it up")
        await finished(at)
    assert sounding_s(at) == pytest.approx(0.3 * 8, rel=0.2)
    roles = [(message.role, message.text) for message in at.live.conversation]
    assert roles == [
        ("user", "look it up"), ("assistant", "let me look that up"), ("tool", ""), ("assistant", "here it is"),
    ]  # fmt: skip


class Hangs(Scripted):
    """A service that opens the stream and says nothing."""

    async def generate(self, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)
        yield


async def test_a_service_without_a_word_is_excused_in_time_with_checks_too() -> None:
    """SCENARIOS, Live 5."""
    async with Room(Agent(Hangs(["x"]), output_checks=[no_prices]).live(ears=None, first_word_s=0.3)) as at:
        await at.live.send("hello?")
        await at.until_playing(0.2, at_most=20)
    assert [event.reason for _, event in at.happened if isinstance(event, NoticeSpoken)] == ["failure"]


async def test_a_session_that_has_used_all_it_may_says_so_instead_of_falling_silent() -> None:
    agent = Agent(Scripted(["hello"], loop=True), limits=Limits(session=UsageLimits(requests=1)))
    async with Room(agent.live(ears=None)) as at:
        await at.live.send("hello?")
        await finished(at)
        await at.live.send("and now?")
        await at.until_playing(0.2, at_most=20)
        await at.quiet(0.1)
    assert [event.reason for _, event in at.happened if isinstance(event, NoticeSpoken)] == ["failure"]
