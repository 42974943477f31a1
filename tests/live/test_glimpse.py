"""A look between two frames of the voice detector: the agent is held sooner, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio import Audio
from agentaudio.demo.run import questions_folder
from agentaudio.live.settings import TurnTaking
from agentaudio.live.turn_taking import Action, Hold, TurnTaker
from agentaudio.live.voice_frames import VoiceFrames

Samples = NDArray[np.float32]

RATE, CHUNK = 16_000, 320
LONG_S = 5.0


def quiet_then_question(lead: int) -> Samples:
    said = Audio.load(questions_folder() / "time-in-tokyo.flac").resample(RATE).samples
    noise = np.random.default_rng(lead).standard_normal(lead + len(said)).astype(np.float32) * np.float32(1e-3)
    noise[lead:] += said
    return noise


def held_after_s(sound: Samples, *, glimpses: bool) -> float:
    """When a speaking agent is held, in chunks of 20 ms."""
    frames, taker = VoiceFrames(), TurnTaker(hears=True)
    for at in range(0, len(sound) - CHUNK, CHUNK):
        actions: list[Action] = []
        for frame in frames.push(sound[at : at + CHUNK]):
            actions += taker.push(*frame, agent_left_s=LONG_S)
        if glimpses and (seen := frames.glimpse()):
            actions += taker.glimpse(*seen, agent_left_s=LONG_S)
        if Hold() in actions:
            return (at + CHUNK) / RATE
    raise AssertionError("never held")


def test_glimpses_change_no_frame() -> None:
    sound = quiet_then_question(4_000)
    plain = VoiceFrames().push(sound)
    looked, frames = VoiceFrames(), []
    for at in range(0, len(sound), CHUNK):
        frames += looked.push(sound[at : at + CHUNK])
        looked.glimpse()
    assert np.allclose(frames, plain[: len(frames)], atol=1e-4)


def test_a_speaking_agent_is_held_sooner_and_never_later_with_glimpses() -> None:
    leads = [8_000 + 40 * place for place in range(12)]
    plain = [held_after_s(quiet_then_question(lead), glimpses=False) for lead in leads]
    looked = [held_after_s(quiet_then_question(lead), glimpses=True) for lead in leads]
    assert all(sooner <= later for sooner, later in zip(looked, plain, strict=True))
    assert np.mean(plain) - np.mean(looked) >= 0.01


def test_there_is_nothing_to_glimpse_until_half_a_frame_is_new_or_where_nobody_is_listened_for() -> None:
    frames = VoiceFrames()
    frames.push(np.full(512 + 255, 0.1, np.float32))
    assert frames.glimpse() is None
    frames.push(np.full(1, 0.1, np.float32))
    seen = frames.glimpse()
    assert seen is not None and seen.new_s == pytest.approx(0.016)
    assert frames.glimpse(nobody_below_dbfs=-10.0) is None


def test_one_glimpse_alone_holds_nothing_and_a_frame_after_it_does() -> None:
    taker = TurnTaker(hears=True)
    assert taker.glimpse(0.9, -24.0, 0.02, agent_left_s=LONG_S) == []
    assert taker.push(0.9, -24.0, agent_left_s=LONG_S) == [Hold()]


@pytest.mark.parametrize("left_s", (0.0, 0.3))
def test_a_glimpse_holds_no_agent_that_is_silent_or_about_to_end(left_s: float) -> None:
    taker = TurnTaker(hears=True)
    taker.push(0.9, -24.0, agent_left_s=left_s)
    assert taker.glimpse(0.9, -24.0, 0.03, agent_left_s=left_s) == []
    assert not taker.user_speaks


def test_a_glimpse_holds_no_agent_that_may_not_be_interrupted() -> None:
    taker = TurnTaker(TurnTaking(interruptible=False), hears=True)
    taker.push(0.9, -24.0, agent_left_s=LONG_S)
    assert taker.glimpse(0.9, -24.0, 0.03, agent_left_s=LONG_S) == []
    assert not taker.user_speaks
