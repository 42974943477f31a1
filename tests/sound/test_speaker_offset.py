"""Speaker embeddings of sound with a constant offset, and the probability of the same speaker."""

from __future__ import annotations

import numpy as np
import pytest

from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import CalibratedSpeakerEncoder, EmbeddedSpeakerEncoder
from agentaudio.voice_library.library import demo_voices

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("offset", [0.02, -0.2])
def test_a_constant_offset_does_not_change_the_speaker(offset: float) -> None:
    clip = demo_voices().get("angus").clip
    plain = Audio(clip.samples * np.float32(0.4), clip.sample_rate)
    shifted = Audio(plain.samples + np.float32(offset), clip.sample_rate)
    encoder = EmbeddedSpeakerEncoder()
    assert encoder.encode(shifted) @ encoder.encode(plain) > 0.999


def test_the_probability_grows_with_the_cosine_and_with_its_lead() -> None:
    encoder = EmbeddedSpeakerEncoder()
    assert isinstance(encoder, CalibratedSpeakerEncoder)
    grid = [encoder.same_speaker_probability(cosine, 0.65) for cosine in (0.66, 0.7, 0.75, 0.8, 0.9)]
    assert grid == sorted(grid) and 0 < grid[0] < 0.3 and 0.9 < grid[-1] < 1
    assert encoder.same_speaker_probability(0.75, 0.74) < encoder.same_speaker_probability(0.75, 0.6)
