"""Taking sound costs little, however it is cut, and the shortcuts decide as the plain way does."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio import Agent, Audio
from agentaudio.demo.run import questions_folder
from agentaudio.live.echo_match import BLOCK, COMPARED, CORRELATION, DELAYS, SILENT, EchoMatch
from agentaudio.live.voice_frames import VoiceFrames
from agentaudio.model.scripted import Scripted
from agentaudio.sound.vad import ENDS_BELOW, STARTS_ABOVE, VoiceActivityStream

Samples = NDArray[np.float32]

RATE = 16_000


def question(name: str) -> Samples:
    return Audio.load(questions_folder() / f"{name}.flac").resample(RATE).samples


def correlates_by_definition(mic: Samples, played: Samples) -> bool:
    """Whether the end of `mic` and some part of `played` that ends up to DELAYS blocks earlier are alike."""
    size = COMPARED * BLOCK
    window = mic[-size:].astype(np.float64)
    padded = np.concatenate([np.zeros(size + DELAYS * BLOCK), played.astype(np.float64)])
    for delay in range(DELAYS * BLOCK):
        other = padded[len(padded) - delay - size : len(padded) - delay]
        scale = max(other @ other, SILENT * size) * max(window @ window, SILENT * size)
        if (window @ other) ** 2 > CORRELATION**2 * scale:
            return True
    return False


@pytest.mark.parametrize("every", (1, 3))
def test_the_sound_of_the_loudspeaker_is_found_at_every_delay_as_by_definition(every: int) -> None:
    played, user = question("great-wall")[: 2 * RATE], question("time-in-tokyo")[: 2 * RATE]
    late = np.concatenate([np.zeros(1777, np.float32), played])[: len(played)]
    mic: Samples = late * np.float32(0.3)
    mic[RATE:] += user[RATE : len(mic)]
    mic += (1e-3 * np.random.default_rng(1).standard_normal(len(mic))).astype(np.float32)
    match, found = EchoMatch(), []
    for place in range(len(mic) // BLOCK):
        block = slice(place * BLOCK, (place + 1) * BLOCK)
        match.push(mic[block], played[block])
        if place > COMPARED and place % every == 0:
            answer = match.correlates()
            found.append(answer)
            if place % 9 == 0:
                assert answer == correlates_by_definition(mic[: block.stop], played[: block.stop])
    assert any(found) and not all(found)


def test_a_muted_microphone_is_not_looked_at_and_speech_after_it_is_found_as_before() -> None:
    said = question("time-in-tokyo")
    sound = np.concatenate([said, np.zeros(2 * RATE, np.float32), said, np.zeros(RATE // 2, np.float32), said])
    frames = VoiceFrames().push(sound)
    plain = VoiceActivityStream().push(sound[: len(frames) * 512])
    ours = np.array([frame.probability for frame in frames])
    assert np.count_nonzero(ours == 0) > 30
    for level in (STARTS_ABOVE, ENDS_BELOW):
        assert np.array_equal(ours >= level, plain >= level)


def cpu_per_second(live: object, sound: Samples, ms: int) -> float:
    """CPU seconds of this thread for a second of sound in frames of so many ms: the least of several runs."""
    frames = [frame.to_pcm16() for frame in Audio(sound, RATE).chunks(ms)]
    took = []
    for _ in range(5):
        began = time.thread_time()
        for frame in frames:
            live.push(frame)  # type: ignore[attr-defined]
        took.append((time.thread_time() - began) / (len(sound) / RATE))
    return min(took)


async def test_small_frames_cost_at_most_half_more_than_large_ones() -> None:
    sound = question("great-wall")[: 2 * RATE]
    async with Agent(Scripted(["Yes."], loop=True)).live(ears=None, plays=False) as live:
        cpu_per_second(live, sound, 20)
        assert cpu_per_second(live, sound, 10) <= 1.5 * cpu_per_second(live, sound, 40)
