"""Log-mels and resampling: equal to the reference, whole or streamed, and errors for invalid sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.model.step_audio_2.network.features import (
    PIECE_SAMPLES,
    SAMPLE_RATE,
    FeatureStream,
    batch,
    features,
    frame_count,
    log_mel,
    token_count,
)
from agentaudio.model.step_audio_2.network.resample import ResampleStream, resample
from agentaudio.sound.audio import Audio

# Waves and what the reference made of them: the smallest of the vectors that tests/parity reads.
KEPT = np.load(Path(__file__).parents[1] / "data" / "front_end.npz")


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def cut(samples: NDArray[np.float32], at: list[int]) -> list[NDArray[np.float32]]:
    return np.split(samples, sorted(place % (len(samples) + 1) for place in at))


@pytest.mark.parametrize("name", [name for name in KEPT if "wave" in name])
def test_log_mel_is_the_references(name: str) -> None:
    expected = KEPT[name.replace("wave", "mel")]
    assert np.abs(log_mel(KEPT[name]) - expected).max() < 2e-4


@pytest.mark.parametrize("name", [name for name in KEPT if "_to_" in name])
def test_resampling_is_the_references(name: str) -> None:
    source, target = name.removeprefix("rs_").split("_to_")
    expected = KEPT[name]
    assert np.abs(resample(KEPT[f"rs_in_{source}"], int(source), int(target)) - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("samples", "frames", "tokens"),
    [(1, 3, 0), (480, 5, 1), (16_000, 102, 13), (399_999, 2502, 313), (400_000, 2502, 313)],
)
def test_a_piece_takes_so_many_tokens(samples: int, frames: int, tokens: int) -> None:
    assert frame_count(samples) == frames
    assert token_count(frames) == tokens


@given(st.integers(1, 3000), st.lists(st.integers(0, 10_000), max_size=6), st.sampled_from([16_000, 8_000, 44_100]))
def test_streamed_features_are_the_whole_ones(samples: int, at: list[int], rate: int) -> None:
    wave = noise(samples, seed=samples)
    whole = features(Audio(wave, rate))
    stream = FeatureStream(rate)
    pieces = [piece for part in cut(wave, at) for piece in stream.push(part)] + stream.finish()
    assert len(pieces) == len(whole)
    for piece, expected in zip(pieces, whole, strict=True):
        np.testing.assert_allclose(piece, expected, atol=1e-6)


def test_pieces_leave_the_stream_as_soon_as_they_are_whole() -> None:
    wave = noise(PIECE_SAMPLES + 1000)
    stream = FeatureStream()
    assert stream.push(wave[: PIECE_SAMPLES - 1]) == []
    assert stream.frames == 2499
    (first,) = stream.push(wave[PIECE_SAMPLES - 1 :])
    (second,) = stream.finish()
    whole = features(Audio(wave, SAMPLE_RATE))
    np.testing.assert_allclose(first, whole[0], atol=1e-6)
    np.testing.assert_allclose(second, whole[1], atol=1e-6)


@given(
    st.integers(0, 2000),
    st.lists(st.integers(0, 10_000), max_size=6),
    st.sampled_from([(8_000, 16_000), (44_100, 16_000), (48_000, 16_000), (16_000, 24_000), (22_051, 16_000)]),
)
def test_streamed_resampling_is_the_whole_one(samples: int, at: list[int], rates: tuple[int, int]) -> None:
    wave = noise(samples, seed=samples)
    stream = ResampleStream(*rates)
    streamed = np.concatenate([*(stream.push(part) for part in cut(wave, at)), stream.finish()])
    assert len(streamed) == -(-samples * rates[1] // rates[0])
    np.testing.assert_allclose(streamed, resample(wave, *rates), atol=1e-7)


def test_every_channel_is_resampled() -> None:
    stereo = np.stack([noise(500, 1), noise(500, 2)])
    both = resample(stereo, 48_000, 16_000)
    np.testing.assert_array_equal(both[1], resample(stereo[1], 48_000, 16_000))


def test_silence_is_sound() -> None:
    assert (log_mel(np.zeros(16_000, np.float32)) == -1.5).all()


def test_ten_minutes_are_24_pieces() -> None:
    pieces = features(Audio(noise(600 * 8_000), 8_000))
    assert [piece.shape for piece in pieces] == [(128, 2502)] * 24


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float64, np.float32])
def test_arrays_of_any_type_give_the_same_features(dtype: type) -> None:
    wave = np.round(noise(4000) * 32768) / 32768
    stored = (wave * 2.0 ** (8 * np.dtype(dtype).itemsize - 1)).astype(dtype) if dtype in (np.int16, np.int32) else wave
    (one,) = features(Audio(stored.astype(dtype), SAMPLE_RATE))
    np.testing.assert_allclose(one, log_mel(wave.astype(np.float32)), atol=1e-5)


def test_stereo_is_mixed_before_it_is_heard() -> None:
    wave = noise(4000)
    (one,) = features(Audio(np.stack([wave, wave], axis=1), SAMPLE_RATE))
    np.testing.assert_allclose(one, log_mel(wave), atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(bad: float) -> None:
    wave = noise(100)
    wave[7] = bad
    with pytest.raises(AudioError, match="1 of 100 samples are NaN or infinite"):
        log_mel(wave)
    with pytest.raises(AudioError, match="NaN or infinite"):
        FeatureStream(8_000).push(wave)


def test_empty_sound_is_refused() -> None:
    for attempt in (
        lambda: log_mel(noise(0)),
        lambda: features(Audio(noise(0), 44_100)),
        lambda: FeatureStream().finish(),
    ):
        with pytest.raises(AudioError, match="holds no samples"):
            attempt()


@pytest.mark.parametrize("rate", [SAMPLE_RATE, 8_000])
def test_a_finished_stream_takes_nothing_more(rate: int) -> None:
    resampling, pieces = ResampleStream(rate, SAMPLE_RATE), FeatureStream(rate)
    for stream in (resampling, pieces):
        stream.push(noise(100))
        stream.finish()
        with pytest.raises(AudioError, match="finished; begin another"):
            stream.push(noise(1))
        with pytest.raises(AudioError, match="finished; begin another"):
            stream.finish()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(0, 16_000), (16_000, -1)])
def test_rates_must_be_positive(from_hz: int, to_hz: int) -> None:
    with pytest.raises(AudioError, match=f"from {from_hz} Hz to {to_hz} Hz"):
        ResampleStream(from_hz, to_hz)


def test_what_is_not_one_channel_of_floats_is_refused() -> None:
    with pytest.raises(AudioError, match="int16 are not floats"):
        log_mel(np.zeros(100, np.int16))
    with pytest.raises(AudioError, match="not one channel"):
        FeatureStream().push(np.zeros((2, 100), np.float32))
    with pytest.raises(AudioError, match="more than the 400000 of one piece"):
        log_mel(np.zeros(PIECE_SAMPLES + 1, np.float32))


def test_a_text_file_named_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("not a sound at all")
    with pytest.raises(AudioError, match="not a sound file"):
        features(Audio.load(path))


def test_a_batch_is_padded_with_zeros() -> None:
    stacked = batch([log_mel(noise(2000)), log_mel(noise(500))])
    assert stacked.input_features.shape == (2, 128, 15)
    assert stacked.feature_lengths.tolist() == [15, 6]
    assert (stacked.input_features[1, :, 6:] == 0).all()
    assert batch([]).input_features.shape == (0, 128, 0)
