"""The vocoder's Fourier transforms are those of torch, and nothing in them makes a host wait."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the vocoder needs torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from agentaudio.model.step_audio_2.token2wav.fourier import BINS, HOP, SIZE, istft, stft  # noqa: E402


def noise(*shape: int) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@settings(max_examples=30)
@given(st.integers(9, 3000), st.integers(1, 3))
def test_forward(samples: int, batch: int) -> None:
    wave = noise(batch, samples)
    expected = torch.stft(wave, SIZE, HOP, window=torch.hann_window(SIZE), return_complex=True)
    torch.testing.assert_close(stft(wave), torch.cat((expected.real, expected.imag), 1), atol=5e-6, rtol=0)


@settings(max_examples=30)
@given(st.integers(2, 800), st.integers(1, 3))
def test_inverse(frames: int, batch: int) -> None:
    real, imaginary = noise(batch, BINS, frames), noise(batch, BINS, frames + 1)[..., :frames]
    expected = torch.istft(torch.complex(real, imaginary), SIZE, HOP, window=torch.hann_window(SIZE))
    torch.testing.assert_close(istft(real, imaginary), expected, atol=5e-6, rtol=1e-5)


def test_there_and_back() -> None:
    wave = noise(2, 960)
    torch.testing.assert_close(istft(*stft(wave).chunk(2, 1)), wave, atol=1e-5, rtol=0)


def test_no_value_is_needed_by_the_host() -> None:
    wave = torch.empty(1, 960, device="meta")
    assert istft(*stft(wave).chunk(2, 1)).shape == wave.shape
