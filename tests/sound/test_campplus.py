"""The CAM++ speaker encoder: its input features, refused sound, and errors for other files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.sounds import tone

from agentaudio.errors import BackendError, VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.campplus import CamPlusPlus, fbank

pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")
pytest.importorskip("onnx", reason="the extra local is not installed")
pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")

from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx  # noqa: E402

QUESTIONS = Path(str(files("agentaudio.demo") / "questions"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_onnx(tmp_path_factory.mktemp("tiny")) / "campplus.onnx"


def plain_fbank(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Kaldi's definition, term by term, in float64."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), 400)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft(frames * window, 512)[:, :256]) ** 2
    low, high = 1127 * np.log(1 + np.array([20, 8000]) / 700)
    edges = np.linspace(low, high, 82)
    bins = 1127 * np.log(1 + np.arange(256) * 16_000 / 512 / 700)
    rising = (bins - edges[:-2, None]) / (edges[1] - edges[0])
    falling = (edges[2:, None] - bins) / (edges[1] - edges[0])
    energies: NDArray[np.float64] = np.log(
        np.maximum(power @ np.maximum(0, np.minimum(rising, falling)).T, 1.1920929e-7)
    )
    return energies


def test_filterbank_is_kaldis() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 8123).astype(np.float32)
    features = fbank(samples)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, plain_fbank(samples), atol=2e-3)
    np.testing.assert_array_equal(features, fbank(samples))  # no dither


def test_embedding_is_raw_and_depends_on_the_voice(weights: Path) -> None:
    encoder = CamPlusPlus(weights)
    man, woman = (encoder.encode(Audio.load(QUESTIONS / f"{name}.flac")) for name in ("great-wall", "time-in-tokyo"))
    assert man.shape == (encoder.dim,) and man.dtype == np.float32
    assert np.linalg.norm(man) > 2
    assert not np.allclose(man, woman, atol=0.1)


def test_a_clip_of_another_rate_is_brought_to_16_khz(weights: Path) -> None:
    encoder = CamPlusPlus(weights)
    man, woman = (Audio.load(QUESTIONS / f"{name}.flac") for name in ("great-wall", "time-in-tokyo"))
    one, same, other = (encoder.encode(clip) for clip in (man, man.resample(48_000), woman))
    assert np.linalg.norm(one - same) < 0.3 * np.linalg.norm(one - other)


def test_sixteen_threads_may_share_one_encoder(weights: Path) -> None:
    clips = [tone(100 + 20 * n) for n in range(16)]
    encoder = CamPlusPlus(weights)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(encoder.encode, clips))
    np.testing.assert_array_equal(together, [CamPlusPlus(weights).encode(clip) for clip in clips])


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (Audio.silence(3.0, 16_000), "silent"),
        (Audio.silence(0.0, 16_000), "silent"),
        (tone(duration_s=0.2), "0.20 s"),
    ],
)
def test_too_little_sound_is_refused(weights: Path, clip: Audio, message: str) -> None:
    with pytest.raises(VoiceError, match=message):
        CamPlusPlus(weights).encode(clip)


def test_the_file_is_opened_on_first_use(tmp_path: Path) -> None:
    encoder = CamPlusPlus(tmp_path / "absent.onnx")
    with pytest.raises(BackendError, match=r"absent\.onnx is missing; download it again"):
        encoder.encode(tone())
    with pytest.raises(BackendError, match="missing"):
        encoder.fingerprint()


@pytest.mark.parametrize("size", [0, 5, 1000, 50_000])
def test_a_truncated_file_is_named(weights: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "campplus.onnx"
    path.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(BackendError, match=r"campplus\.onnx is truncated .*download it again"):
        CamPlusPlus(path).encode(tone())


def test_a_git_lfs_pointer_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "campplus.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 28303423\n")
    with pytest.raises(BackendError, match="git lfs pull"):
        CamPlusPlus(path).encode(tone())


def test_another_network_is_recognised_by_its_inputs(weights: Path) -> None:
    with pytest.raises(BackendError, match=r"another network: it takes 1x128x\? and 1, not 1x\?x80"):
        CamPlusPlus(weights.with_name("speech_tokenizer_v2_25hz.onnx")).encode(tone())


def test_fingerprints_tell_weights_apart(weights: Path, tmp_path: Path) -> None:
    again, other = write_tiny_onnx(tmp_path / "a"), write_tiny_onnx(tmp_path / "b", seed=1)
    assert (again / "campplus.onnx").read_bytes() == weights.read_bytes()
    assert CamPlusPlus(weights).fingerprint() == CamPlusPlus(again / "campplus.onnx").fingerprint()
    assert CamPlusPlus(weights).fingerprint() != CamPlusPlus(other / "campplus.onnx").fingerprint()
