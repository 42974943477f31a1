"""The spectrograms of a timbre prompt: golden numbers, lengths, and mirrored padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import AudioError
from agentaudio.model.step_audio_2.network.features import log_mel
from agentaudio.model.step_audio_2.token2wav.prompt_features import decoder_mel, fitted, tokenizer_mel


def chirp(rate: int, duration_s: float = 0.5) -> np.ndarray:
    time = np.arange(round(rate * duration_s)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 * time + 3000 * time**2))).astype(np.float32)


def test_decoder_mel_of_a_chirp() -> None:
    """From an implementation that passes the reference's vectors; bands 5, 20, 40, 60 of frames 0, 12 and 24."""
    mel = decoder_mel(chirp(24_000))
    assert mel.shape == (25, 80) and mel.dtype == np.float32
    np.testing.assert_allclose(mel[[0, 12, 24]][:, [5, 20, 40, 60]], GOLDEN_DECODER, atol=1e-4)


def test_tokenizer_mel_of_a_chirp() -> None:
    mel = tokenizer_mel(chirp(16_000))
    assert mel.shape == (128, 50) and mel.dtype == np.float32
    np.testing.assert_allclose(mel[[5, 30, 60, 100]][:, [0, 25, 49]], GOLDEN_TOKENIZER, atol=1e-5)


def test_tokenizer_mel_is_the_encoders_away_from_the_end() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16_100).astype(np.float32)
    np.testing.assert_allclose(tokenizer_mel(samples)[:, :98], log_mel(samples)[:, :98], atol=1e-6)


def test_a_long_recording_is_transformed_in_blocks_that_do_not_show() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 24_000 * 21).astype(np.float32)
    np.testing.assert_allclose(decoder_mel(samples)[990:1010], decoder_mel(samples[960 * 480 :])[30:50], atol=1e-5)


@given(st.integers(0, 3000))
def test_lengths_are_whole_hops(samples: int) -> None:
    silence = np.zeros(samples, np.float32)
    assert decoder_mel(silence).shape == (samples // 480, 80)
    assert tokenizer_mel(silence).shape == (128, samples // 160)


@given(st.integers(1, 9), st.integers(0, 12))
def test_fitting_cuts_or_repeats_the_last_frame(have: int, want: int) -> None:
    mel = np.arange(have * 2, dtype=np.float32).reshape(have, 2)
    out = fitted(mel, want)
    assert out.shape == (want, 2)
    np.testing.assert_array_equal(out, mel[np.minimum(np.arange(want), have - 1)])


def test_empty_spectrograms_cannot_be_fitted() -> None:
    with pytest.raises(AudioError, match="too short"):
        fitted(np.zeros((0, 80), np.float32), 4)


GOLDEN_DECODER = [
    [0.95508, -2.61207, -4.23328, -5.71639],
    [-11.51293, -11.29742, 1.54761, -11.51293],
    [-3.18644, -3.12644, -2.83246, -2.03887],
]
GOLDEN_TOKENIZER = [
    [1.178807, -0.568337, -0.360403],
    [0.602181, -0.568337, -0.239656],
    [0.221873, 0.597848, -0.222503],
    [-0.156319, -0.568337, -0.123547],
]
