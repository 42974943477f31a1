"""The resampler of live sound: as good as is needed, and milliseconds late."""

from __future__ import annotations

import numpy as np
import pytest

from agentaudio import Audio
from agentaudio.demo.run import questions_folder
from agentaudio.sound.prompt_resampler import PromptResampler, is_simple
from agentaudio.sound.stream import PcmStream

RATE = 16_000
RATES = (8_000, 12_000, 24_000, 32_000, 48_000)


def tone(hz: float, rate: int, seconds: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def decibels(part: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    middle = part[1000:-1000]
    return float(20 * np.log10(np.std(middle) / np.sqrt(0.5) + 1e-9))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("share", (0.02, 0.3, 0.6, 0.88))
def test_tones_up_to_most_of_the_band_keep_level_and_place(rate: int, share: float) -> None:
    hz = share * min(rate, RATE) / 2
    found = PromptResampler(rate, RATE).push(tone(hz, rate), last=True)
    assert decibels(found - tone(hz, RATE)) < -50


@pytest.mark.parametrize("rate", (24_000, 32_000, 48_000))
@pytest.mark.parametrize("hz", (8_900, 10_000, 11_500))
def test_what_the_lower_rate_cannot_hold_is_taken_out(rate: int, hz: float) -> None:
    assert decibels(PromptResampler(rate, RATE).push(tone(hz, rate), last=True)) < -80


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("ms", (1, 10, 20, 33))
def test_sound_leaves_within_milliseconds_however_it_is_cut(rate: int, ms: int) -> None:
    sound = Audio.load(questions_folder() / "great-wall.flac").resample(rate).samples
    whole = PromptResampler(rate, RATE).push(sound, last=True)
    stream, parts = PcmStream(RATE, from_hz=rate, prompt=True), []
    for at in range(0, len(sound), ms * rate // 1000):
        parts.append(stream.push(sound[at : at + ms * rate // 1000]).samples)
        behind_s = min(len(sound), at + ms * rate // 1000) / rate - sum(map(len, parts)) / RATE
        assert 0 <= behind_s < (0.0041 if rate > 12_000 else 0.0061)
    parts.append(stream.finish().samples)
    found = np.concatenate(parts)
    assert len(found) == len(whole) == int(len(sound) * RATE / rate + 0.5)
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_other_ratios_are_left_to_soxr_and_are_the_same_as_ever() -> None:
    sound = tone(440, 44_100)
    assert not is_simple(44_100, RATE) and not is_simple(11_025, RATE)
    with pytest.raises(ValueError, match="44100"):
        PromptResampler(44_100, RATE)
    stream = PcmStream(RATE, from_hz=44_100, prompt=True)
    found = np.concatenate([stream.push(sound).samples, stream.finish().samples])
    assert np.array_equal(found, Audio(sound, 44_100).resample(RATE).samples)


def test_rates_may_change_in_the_stream_of_a_microphone() -> None:
    stream = PcmStream(RATE, prompt=True)
    parts = [stream.push(Audio(tone(300, rate), rate)).samples for rate in (24_000, 48_000, 44_100, 16_000)]
    assert abs(sum(map(len, parts)) - 4 * RATE) < 0.05 * RATE
