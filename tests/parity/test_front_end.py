"""Log-mels, token counts and resampling against the reference vectors."""

from __future__ import annotations

import numpy as np
import pytest
from support.step_audio_2_vectors import Vectors

from agentaudio.model.step_audio_2.network.features import (
    N_MELS,
    SAMPLE_RATE,
    WINDOW,
    FeatureStream,
    features,
    frame_count,
    log_mel,
    token_count,
)
from agentaudio.model.step_audio_2.network.resample import resample
from agentaudio.sound.audio import Audio
from agentaudio.sound.mel import mel_filters


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Vectors:
    return Vectors.chosen(request.config)


def test_log_mels(vectors: Vectors) -> None:
    name = "01_logmel.safetensors"
    tensors = vectors.tensors(name)
    waves = [key for key in tensors if "wave" in key]
    assert waves
    for key in waves:
        expected = tensors[key.replace("wave", "mel")]
        vectors.check(name, key, log_mel(tensors[key]), expected)
        stream = FeatureStream()
        done = [piece for part in np.array_split(tensors[key], 7) for piece in stream.push(part)]
        (streamed,) = done + stream.finish()
        vectors.check(name, f"{key}, streamed", streamed, expected)


def test_mel_filters(vectors: Vectors) -> None:
    tensors = vectors.tensors("01_logmel.safetensors")
    if "mel_filters_128" in tensors:
        np.testing.assert_allclose(mel_filters(N_MELS, WINDOW, SAMPLE_RATE), tensors["mel_filters_128"], atol=1e-7)


def test_token_counts(vectors: Vectors) -> None:
    table = vectors.json("01_token_counts.json")["token_table"]
    assert table["columns"] == ["mel_frames_T", "local_reference_tokens", "vllm_fork_tokens"]
    for frames, local, fork in table["rows"]:
        assert token_count(frames) == local, frames
        assert token_count(frames + 2) == fork, frames


def test_long_sound_is_cut_into_pieces(vectors: Vectors) -> None:
    for case in vectors.json("01_token_counts.json")["chunking"]:
        samples = case["samples_16k"]
        if not samples:
            continue
        pieces = features(Audio(np.zeros(samples, np.float32), SAMPLE_RATE))
        assert [piece.shape[1] for piece in pieces] == case["mel_frames"], samples
        assert [frame_count(count) for count in case["chunk_samples"]] == case["mel_frames"], samples
        assert [token_count(piece.shape[1]) for piece in pieces] == case["tokens"], samples


def test_resampling(vectors: Vectors) -> None:
    name = "09_resample.safetensors"
    tensors = vectors.tensors(name)
    outputs = [key for key in tensors if "_to_" in key]
    assert outputs
    for key in outputs:
        source, target = key.removeprefix("rs_").split("_to_")
        vectors.check(name, key, resample(tensors[f"rs_in_{source}"], int(source), int(target)), tensors[key])
