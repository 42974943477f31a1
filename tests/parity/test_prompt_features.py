"""The features of a timbre prompt, against the reference vectors: Kaldi's filterbank and the 24 kHz mel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.step_audio_2_vectors import Tensors, Vectors

from agentaudio.model.step_audio_2.token2wav.prompt_features import decoder_mel
from agentaudio.sound.campplus import fbank

NAME = "09_prompt_features.safetensors"


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Vectors:
    return Vectors.chosen(request.config)


def check(vectors: Vectors, kind: str, key: str, actual: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    tolerance = vectors.entry(NAME)["tolerance"]
    tolerance = tolerance.get(kind, tolerance)
    assert actual.shape == expected.shape, key
    np.testing.assert_allclose(
        actual, expected, atol=tolerance["atol"], rtol=tolerance.get("rtol", 0), err_msg=f"{NAME}: {key}"
    )


def waves(tensors: Tensors, kind: str) -> list[tuple[str, NDArray[np.float32]]]:
    found = [(key.rpartition("_")[2], wave.reshape(-1)) for key, wave in tensors.items() if f"{kind}_wave" in key]
    if not found:
        pytest.skip(f"{NAME} holds no {kind}")
    return found


def test_speaker_filterbank(vectors: Vectors) -> None:
    pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")
    tensors = vectors.tensors(NAME)
    for number, wave in waves(tensors, "fbank"):
        features = fbank(wave)
        check(vectors, "fbank", f"fbank_{number}", features, tensors[f"fbank_{number}"])
        key = f"fbank_meannorm_{number}"
        if key in tensors:
            check(vectors, "fbank", key, features - features.mean(axis=0), tensors[key])


def test_prompt_mel(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    for number, wave in waves(tensors, "mel24"):
        check(vectors, "mel24", f"mel24_{number}", decoder_mel(wave).T, tensors[f"mel24_{number}"])
