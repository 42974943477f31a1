"""`Audio` as a value: from arrays, slicing, joining, comparison."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.examples import share
from support.sounds import tone

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream

samples = arrays(np.float32, st.integers(0, 3000), elements=st.floats(-1, 1, width=32))
rates = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])


def test_channels_of_opposite_polarity_do_not_cancel_to_silence() -> None:
    voice = tone().samples
    assert Audio(np.stack([voice, -voice], axis=1), 16_000).peak == pytest.approx(0.3, rel=0.01)


def test_the_shorter_axis_is_the_channels_by_default() -> None:
    frames = np.zeros((2, 100), np.float32)
    assert len(Audio(frames, 8_000)) == 100
    assert len(Audio(frames.T, 8_000)) == 100
    assert len(Audio(np.zeros((1, 2), np.float32), 8_000, channels_first=False)) == 1


@pytest.mark.parametrize(("dtype", "full"), [(np.int16, 2**15), (np.int32, 2**31), (np.int8, 2**7)])
def test_integers_are_scaled_by_their_range(dtype: type, full: int) -> None:
    assert Audio(np.array([-full, 0, full // 2], dtype), 8_000).samples.tolist() == [-1.0, 0.0, 0.5]


def test_unsigned_bytes_have_their_zero_in_the_middle() -> None:
    assert Audio(np.array([0, 128, 192], np.uint8), 8_000).samples.tolist() == [-1.0, 0.0, 0.5]


def test_audio_does_not_change_with_its_source_array() -> None:
    array = np.zeros(10, np.float32)
    audio = Audio(array, 8_000)
    array[:] = 1
    assert audio.peak == 0
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0] = 1


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.array([0, np.nan, np.inf], np.float32), "2 of 3 samples are NaN"),
        (np.array([0.0, 20_000.0]), "full scale is 1.0"),
        (np.zeros((3, 3, 3), np.float32), "shape (3, 3, 3)"),
        (np.zeros((100, 50), np.float32), "50 channels"),
        (np.array(["a"]), "not sound"),
        (np.array([1j]), "not sound"),
        (np.array([True]), "not sound"),
    ],
)
def test_invalid_arrays_are_refused(samples: np.ndarray, words: str) -> None:
    with pytest.raises(AudioError) as caught:
        Audio(samples, 16_000)
    assert words in str(caught.value)


@pytest.mark.parametrize("rate", [0, -1, 16_000.5, 10**9])
def test_impossible_sample_rates_are_refused(rate: float) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        Audio(np.zeros(4, np.float32), rate)  # type: ignore[arg-type]


def test_slices_count_in_seconds() -> None:
    audio = tone(duration_s=2)
    assert audio.slice(0.5, 1.5).duration == pytest.approx(1)
    assert audio.slice(-0.25).duration == pytest.approx(0.25)
    assert audio.slice(5).duration == 0
    assert audio.slice(-math.inf, math.inf) == audio
    assert audio.slice(math.inf).duration == 0
    for start, end in ((math.nan, 1.0), (0.0, math.nan)):
        with pytest.raises(AudioError, match="cannot cut a sound at nan seconds"):
            audio.slice(start, end)


@pytest.mark.parametrize("rate", [math.nan, math.inf, -math.inf, None, "16000", 16_000.5, 0])
def test_a_rate_that_is_not_a_whole_number_in_range_is_refused(rate: Any) -> None:
    for make in (lambda: Audio(np.zeros(5), rate), lambda: PcmStream(rate), lambda: tone().resample(rate)):
        with pytest.raises(AudioError, match="is out of range; give a whole number"):
            make()


def test_it_can_be_pickled_compared_and_hashed() -> None:
    audio = tone()
    assert pickle.loads(pickle.dumps(audio)) == audio
    assert len({audio, tone(), tone(330)}) == 2


@given(samples, rates, rates)
@settings(max_examples=share(60))
def test_resampling_keeps_the_duration_and_never_explodes(x: np.ndarray, rate: int, target: int) -> None:
    resampled = Audio(x, rate).resample(target)
    assert resampled.sample_rate == target
    assert abs(resampled.duration - len(x) / rate) <= 1 / rate + 1 / target
    assert resampled.peak < 4


def test_joining_keeps_the_highest_rate() -> None:
    low, high = tone(440, 0.5, 8_000), tone(440, 0.5, 24_000)
    for parts in ([low, high], [high, low], [low, Audio.silence(0, 48_000), high]):
        joined = Audio.concat(parts)
        assert joined.sample_rate == 24_000 and joined.duration == pytest.approx(1.0)
    assert low + high == Audio.concat([low, high])
    assert np.array_equal(Audio.concat([low, high]).samples[-len(high) :], high.samples)


def test_neighbours_of_one_rate_join_without_seams_before_they_are_converted() -> None:
    whole, high = tone(440, 1.0, 16_000), tone(440, 0.2, 24_000)
    assert Audio.concat([*whole.chunks(20), high]) == Audio.concat([whole, high])


def test_empty_parts_decide_the_rate_only_among_themselves() -> None:
    assert Audio.concat([Audio.silence(0, 48_000), tone()]) == tone()
    empty = Audio.concat([Audio.silence(0, 8_000), Audio.silence(0, 16_000)])
    assert len(empty) == 0 and empty.sample_rate == 16_000
    with pytest.raises(AudioError, match="nothing to join"):
        Audio.concat([])


def test_resampling_to_an_impossible_rate_is_refused() -> None:
    for audio in (tone(), Audio.silence(0, 16_000)):
        with pytest.raises(AudioError, match="sample rate"):
            audio.resample(0)


@given(samples, rates, st.floats(1, 2000))
@settings(max_examples=share(60))
def test_chunks_joined_are_the_whole(x: np.ndarray, rate: int, chunk_ms: float) -> None:
    audio = Audio(x, rate)
    pieces = list(audio.chunks(chunk_ms))
    if len(x):
        assert Audio.concat(pieces) == audio
    else:
        assert pieces == []


@given(samples, rates)
@settings(max_examples=share(60))
def test_sixteen_bit_pcm_and_wav_round_trip_within_half_a_step(x: np.ndarray, rate: int) -> None:
    audio = Audio(x, rate)
    for again in (Audio.from_pcm16(audio.to_pcm16(), rate), Audio.load(audio.to_bytes("wav"))):
        assert len(again) == len(audio)
        np.testing.assert_allclose(again.samples, x, atol=1.01 / 32768)
