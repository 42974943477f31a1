"""How long after its first loud frame a voice interrupts the agent under server_vad, by the sound's own clock."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from agentaudio import Audio
from agentaudio.demo.run import questions_folder
from agentaudio.live.settings import TurnTaking
from agentaudio.live.turn_taking import Hold, Stop, TurnTaker, UserBegan
from agentaudio.live.voice_frames import VoiceFrames
from agentaudio.server.realtime.turn_detection import SERVER_VAD, detection
from agentaudio.sound.stream import PcmStream

FRAME_MS = 20
LOUD = 300 / 32768
NAMES = ("great-wall", "time-in-tokyo", "call-my-mother", "distance-of-the-moon", "national-museum")


@cache
def said(name: str, rate: int, late_ms: int) -> tuple[Audio, ...]:
    """A question after a pause, in a quiet room, as frames of a client."""
    sound = Audio.load(questions_folder() / f"{name}.flac").resample(rate).samples
    whole = np.concatenate([np.zeros(rate // 2 + late_ms * rate // 1000, np.float32), sound])
    whole += 3e-4 * np.random.default_rng(late_ms).standard_normal(len(whole)).astype(np.float32)
    return tuple(Audio(np.clip(whole, -1, 1), rate).chunks(FRAME_MS))


def delay_ms(frames: tuple[Audio, ...], rate: int) -> int:
    loud = next(place for place, frame in enumerate(frames) if np.abs(frame.samples).mean() > LOUD)
    taker = TurnTaker(detection(SERVER_VAD).turn_taking, hears=False)
    voice, stream = VoiceFrames(), PcmStream(16_000, from_hz=rate, prompt=True)
    for place, frame in enumerate(frames):
        actions = []
        for probability, level_dbfs in voice.push(stream.push(frame).samples):
            actions += taker.push(probability, level_dbfs, agent_left_s=math.inf)
        if not taker.user_speaks and (seen := voice.glimpse()):
            actions += taker.glimpse(*seen, agent_left_s=math.inf)
        if any(isinstance(action, Stop) for action in actions):
            return (place - loud) * FRAME_MS
    raise AssertionError("the voice did not interrupt")


@pytest.mark.parametrize("rate", (8_000, 16_000, 24_000))
def test_a_voice_interrupts_within_eighty_milliseconds(rate: int) -> None:
    delays = [delay_ms(said(name, rate, late), rate) for name in NAMES for late in range(0, 32, 5)]
    assert np.median(delays) <= 40 and np.percentile(delays, 95) <= 80 and max(delays) <= 100


def test_without_ears_enough_voice_interrupts_without_a_moment_of_holding() -> None:
    taker = TurnTaker(TurnTaking(interrupts_after_s=0.04), hears=False)
    assert taker.push(0.9, -20.0, agent_left_s=math.inf) == []
    actions = taker.glimpse(0.9, -20.0, 0.016, agent_left_s=math.inf)
    assert [type(action) for action in actions] == [UserBegan, Stop]


def test_less_voice_than_that_holds_the_sound_until_more_comes() -> None:
    taker = TurnTaker(TurnTaking(interrupts_after_s=0.1), hears=False)
    assert taker.push(0.9, -20.0, agent_left_s=math.inf) == []
    assert taker.glimpse(0.9, -20.0, 0.016, agent_left_s=math.inf) == [Hold()]
    kinds = [type(one) for _ in range(3) for one in taker.push(0.9, -20.0, agent_left_s=math.inf)]
    assert kinds == [UserBegan, Stop]
