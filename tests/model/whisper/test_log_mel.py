"""The log-mel spectrogram: stored vectors of the reference implementation, and that implementation where it is
installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.model.whisper.features import SAMPLE_RATE_HZ, log_mel

VECTORS = Path(__file__).with_name("golden") / "log_mel.npz"
"""Every 25th frame of `reference(sound(), bands)` for 80 and 128 bands, made by transformers 5.23:
`.venvs/local/bin/python tests/model/whisper/test_features.py` writes it."""
STEP = 25


def sound() -> NDArray[np.float32]:
    """3.3 s: a rising sweep, a click, noise, and silence at both ends."""
    time = np.arange(int(3.3 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    samples = 0.4 * np.sin(2 * np.pi * (100 + 900 * time) * time) * (time > 0.3) * (time < 2.6)
    samples += 0.01 * np.random.RandomState(7).standard_normal(len(time)) * (time > 1.0) * (time < 3.0)
    samples[2 * SAMPLE_RATE_HZ] = 0.9
    return samples.astype(np.float32)


def reference(samples: NDArray[np.float32], bands: int) -> NDArray[np.float32]:
    """The whole 30 s by the feature extractor that transformers uses for Whisper: (bands, 3000)."""
    from transformers import WhisperFeatureExtractor

    extract = WhisperFeatureExtractor(feature_size=bands)
    return np.asarray(extract(samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="np").input_features[0])


@pytest.mark.parametrize("bands", [80, 128])
def test_equals_the_stored_vectors_of_the_reference(bands: int) -> None:
    stored = np.load(VECTORS)[f"bands_{bands}"]
    assert np.abs(log_mel(sound(), bands, 30)[:, ::STEP] - stored).max() < 2e-3


@pytest.mark.parametrize("bands", [80, 128])
def test_equals_the_reference_itself(bands: int) -> None:
    pytest.importorskip("transformers", reason="transformers is installed by make test-local")
    assert np.abs(log_mel(sound(), bands, 30) - reference(sound(), bands)).max() < 2e-3


def test_a_shorter_window_gives_the_same_frames_and_leaves_out_the_silence_behind() -> None:
    whole, window = log_mel(sound(), 80, 30), log_mel(sound(), 80, 10)
    assert window.shape == (80, 1000) and window.dtype == np.float32
    assert np.allclose(whole[:, :1000], window, atol=1e-5)


def test_silence_is_the_floor() -> None:
    assert np.allclose(log_mel(np.zeros(0, np.float32), 80, 10), -1.5)


@pytest.mark.parametrize(("samples", "window_s"), [(160_001, 10), (10, 31), (10, 0)])
def test_refuses_what_does_not_fit(samples: int, window_s: int) -> None:
    with pytest.raises(AudioError, match="do not fit into a window"):
        log_mel(np.zeros(samples, np.float32), 80, window_s)


if __name__ == "__main__":
    made = {bands: reference(sound(), bands)[:, ::STEP].astype(np.float16) for bands in (80, 128)}
    np.savez_compressed(VECTORS, bands_80=made[80], bands_128=made[128])
