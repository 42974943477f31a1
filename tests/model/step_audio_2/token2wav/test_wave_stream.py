"""The vocoder: its excitation, and equality of streamed and whole sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share

torch = pytest.importorskip("torch", reason="the vocoder needs torch")
pytest.importorskip("yaml", reason="the decoder needs PyYAML")

from agentaudio.model.step_audio_2.token2wav.chunks import OVERLAP_FRAMES  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.noise import SeededNoise, Silence  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.source import HARMONICS, NOISE_WIDTH, HarmonicSource  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_weights import random_hift  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.wave_stream import WaveStream  # noqa: E402

VOCODER = random_hift(16, 8)
NOISE = SeededNoise(NOISE_WIDTH, 0)
FRAMES = 60


@pytest.fixture(autouse=True)
def inference() -> Any:
    with torch.no_grad():
        yield


def mel(frames: int = FRAMES) -> Any:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((1, 80, frames), np.float32))


def whole(spoken: Any) -> Any:
    return VOCODER(spoken, NOISE.rows(0, spoken.shape[-1]).view(-1, HARMONICS))[0]


def streamed(spoken: Any, sizes: list[int], *, reference: bool = False) -> Any:
    stream, parts = WaveStream(VOCODER, NOISE, reference=reference), []
    for piece in spoken.split(sizes, -1):
        parts.append(stream.push(piece))
        assert stream.nbytes <= 4 * 480 * OVERLAP_FRAMES * 2 + 4 * 80 * OVERLAP_FRAMES + 8 * HARMONICS
    return torch.cat([*parts, stream.flush()])


def test_harmonics_are_multiples_of_the_pitch() -> None:
    source, f0 = HarmonicSource(), torch.full((1, 50), 200.0)
    sines = source.sines(source.phases(f0))[0].double()
    inner = sines[:, 240:-240]  # phase moves between the middles of frames
    time = torch.arange(inner.shape[-1], dtype=torch.float64) + 0.5
    first = 480 * 200 / 24_000
    for k in range(HARMONICS):
        expected = 0.1 * torch.sin(2 * torch.pi * (k + 1) * (first + time * 200 / 24_000))
        torch.testing.assert_close(inner[k], expected, atol=1e-6, rtol=0)


def test_unvoiced_excitation_is_noise_and_voiced_is_mostly_harmonic() -> None:
    source = HarmonicSource().requires_grad_(False)
    source.l_linear.weight.fill_(0.1)
    source.l_linear.bias.fill_(0)
    f0 = torch.tensor([[0.0, 9.0, 100.0, 100.0]])
    loud, quiet = (source(f0, source.phases(f0), noise.rows(0, 4).view(-1, HARMONICS))[0, 0]
                   for noise in (NOISE, Silence(NOISE_WIDTH)))  # fmt: skip
    assert quiet[:960].abs().max() == 0
    assert quiet[960:].abs().max() > 0
    assert 0.005 < loud[:960].std() < 0.02
    assert (loud - quiet)[960:].std() < 0.002


@settings(max_examples=share(15))
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_a_mel_in_pieces_has_every_sample_and_sounds_like_the_whole(sizes: list[int]) -> None:
    spoken = mel(sum(sizes))
    made = streamed(spoken, sizes)
    assert len(made) == 480 * sum(sizes)
    # Pieces shorter than the overlap leave the vocoder too little to look back on.
    if min(sizes) >= OVERLAP_FRAMES:
        difference = made - whole(spoken)
        assert difference.abs().max() < 0.05 * whole(spoken).abs().max()
        assert difference.square().mean() < 1e-4 * whole(spoken).square().mean()


def test_seams_are_as_smooth_and_as_loud_as_the_rest() -> None:
    spoken, sizes = mel(), [20, 20, 20]
    seam = torch.zeros(480 * FRAMES, dtype=torch.bool)
    for border in (20, 40):
        seam[480 * (border - OVERLAP_FRAMES) - 1 : 480 * border + 1] = True
    made = streamed(spoken, sizes)
    steps = made.diff().abs()
    assert steps[seam[1:]].max() <= 1.05 * steps[~seam[1:]].max()
    gain = {ref: float(streamed(spoken, sizes, reference=ref)[seam].std() / whole(spoken)[seam].std())
            for ref in (False, True)}  # fmt: skip
    assert gain[False] == pytest.approx(1, abs=0.005)
    assert gain[True] == pytest.approx(1.08, abs=0.02)


def test_going_on_in_phase_is_nearer_to_the_whole_than_starting_again() -> None:
    spoken, sizes = mel(), [20, 20, 20]
    on, again = ((streamed(spoken, sizes, reference=ref) - whole(spoken)).square().mean() for ref in (False, True))
    assert on < 0.01 * again


def test_an_empty_stream_gives_no_sound() -> None:
    assert len(WaveStream(VOCODER, NOISE).flush()) == 0
