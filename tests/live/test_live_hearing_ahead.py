"""A model gets the user's sound while the user speaks, and what it gets is what the turn holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

import numpy as np
import pytest
from support.live_room import Room, silence

from agentaudio import Agent, Audio
from agentaudio.conversation import AudioPart
from agentaudio.demo.run import questions_folder
from agentaudio.errors import BackendError
from agentaudio.live.settings import TurnTaking
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import TextDelta


class Attentive(Scripted):
    """Notes what it hears ahead."""

    def __init__(self, failing: bool = False) -> None:
        super().__init__([[TextDelta("Yes.")]], loop=True)
        self.turns: list[list[Audio]] = []
        self.open = 0
        self.failing = failing

    async def hear_ahead(self, sound: AsyncIterable[Audio]) -> None:
        parts: list[Audio] = []
        self.turns.append(parts)
        self.open += 1
        try:
            async for part in sound:
                if self.failing:
                    raise BackendError("the encoder is gone")
                parts.append(part)
        finally:
            self.open -= 1


def question() -> np.ndarray:
    return Audio.load(questions_folder() / "time-in-tokyo.flac").resample(16_000).samples


@pytest.mark.parametrize("pre_roll_s", [0.3, 0.6])
async def test_the_sound_of_each_turn_arrives_in_parts_while_it_is_spoken(pre_roll_s: float) -> None:
    model = Attentive()
    live = Agent(model).live(ears=None, turn_taking=TurnTaking(pre_roll_s=pre_roll_s))
    async with Room(live) as at:
        for _ in range(3):
            await at.quiet(0.7)
            await at.say(question()[:16_000])
            await asyncio.sleep(0)
            assert len(model.turns[-1]) >= 3  # of 0.2 s, while the user still speaks
            await at.say(question()[16_000:])
            await at.quiet(1.5)
        assert model.open == 2
        sounds = [part.audio for one in live.conversation for part in one.parts if isinstance(part, AudioPart)]
    assert model.open == 0
    assert len(sounds) == len(model.turns) == 3
    for sound, heard in zip(sounds, model.turns, strict=True):
        whole = np.concatenate([part.samples for part in heard])
        assert {part.sample_rate for part in heard} == {sound.sample_rate}
        assert len(sound) <= len(whole) and np.array_equal(whole[: len(sound)], sound.samples)


async def test_a_model_that_fails_to_hear_ahead_still_answers() -> None:
    model = Attentive(failing=True)
    async with Room(Agent(model).live(ears=None)) as at:
        await at.say(question())
        await at.quiet(1.5)
        assert [message.role for message in at.live.conversation] == ["user", "assistant"]
    assert model.turns == [[]]


async def test_what_the_user_is_saying_is_dropped_when_it_is_forgotten() -> None:
    model = Attentive()
    async with Room(Agent(model).live(ears=None)) as at:
        await at.say(question()[:16_000])
        assert model.open == 1
        at.live.clear()
        await at.say(silence(0.2))
        assert model.open == 0


async def test_nothing_is_heard_ahead_while_nobody_speaks() -> None:
    model = Attentive()
    async with Room(Agent(model).live(ears=None)) as at:
        await at.quiet(2)
    assert model.turns == []
