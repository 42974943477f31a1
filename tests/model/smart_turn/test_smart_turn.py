"""Smart Turn: what it hears, against stored vectors of its makers' code, and what it says with its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.weights import weights_folder

from agentaudio import Audio
from agentaudio.demo.run import questions_folder
from agentaudio.errors import BackendError, WeightsMissing
from agentaudio.model.smart_turn import BANDS, FILE, SAMPLE_RATE_HZ, SmartTurn, features

VECTORS = Path(__file__).with_name("features.npz")
"""Every 25th frame of what `compute_whisper_log_mel_features` of pipecat-ai 1.14 (_whisper_features.py) makes of the
last 8 s of `sound(seconds)`, with zeros in front of shorter sound."""
STEP = 25
RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "samples"


def sound(seconds: float) -> NDArray[np.float32]:
    """A rising sweep, noise, and silence at the end; it begins with a click and has an offset."""
    time = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    samples = 0.3 * np.sin(2 * np.pi * (100 + 200 * time) * time) * (time < seconds - 0.5)
    samples += 0.01 * np.random.RandomState(7).standard_normal(len(time)) + 0.02
    samples[0] = 0.9
    return samples.astype(np.float32)


@pytest.mark.parametrize("seconds", [0.5, 3.3, 8.0, 10.0])
def test_hears_what_its_makers_code_hears(seconds: float) -> None:
    stored = np.load(VECTORS)[f"of_{seconds}_s"]
    found = features(sound(seconds))
    assert found.shape == (BANDS, 800) and found.dtype == np.float32
    assert np.abs(found[:, ::STEP] - stored).max() < 1e-4


def test_hears_the_last_seconds_of_a_long_turn() -> None:
    long = sound(20.0)
    assert np.array_equal(features(long), features(long[-8 * SAMPLE_RATE_HZ :]))


def test_the_level_of_the_microphone_does_not_matter() -> None:
    assert np.abs(features(sound(3.3)) - features(0.05 * sound(3.3))).max() < 1e-2


def test_silence_and_no_sound_at_all_have_finite_features() -> None:
    for samples in (np.zeros(SAMPLE_RATE_HZ, np.float32), np.zeros(0, np.float32)):
        assert np.isfinite(features(samples)).all()


def test_a_damaged_file_is_named_with_the_command_that_fetches_it_again(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / FILE
    file.write_bytes(b"not a network")
    with pytest.raises(BackendError, match=rf"{FILE} is truncated.*agentaudio models fetch smart-turn"):
        SmartTurn(file).finished_now(Audio.silence(1, SAMPLE_RATE_HZ))


def test_without_its_weights_the_command_that_fetches_them_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="run `agentaudio models fetch smart-turn`"):
        SmartTurn.from_cache()


@pytest.fixture(scope="module")
def smart_turn() -> SmartTurn:
    pytest.importorskip("onnxruntime")
    return SmartTurn(weights_folder("smart-turn") / FILE)


def paused(audio: Audio, at_s: float | None = None) -> Audio:
    """A sound up to a pause, and the silence after which a session asks; None is its end."""
    whole = audio.resample(SAMPLE_RATE_HZ)
    end = len(whole.samples) if at_s is None else round(at_s * SAMPLE_RATE_HZ)
    return Audio(whole.samples[:end], SAMPLE_RATE_HZ) + Audio.silence(0.2, SAMPLE_RATE_HZ)


@pytest.mark.parametrize("name", ["time-in-tokyo", "call-my-mother", "distance-of-the-moon", "great-wall"])
async def test_a_question_is_finished_at_its_end_and_not_in_its_middle(smart_turn: SmartTurn, name: str) -> None:
    question = Audio.load(questions_folder() / f"{name}.flac")
    assert await smart_turn.finished(paused(question)) > 0.9
    assert await smart_turn.finished(paused(question, question.duration / 2)) < 0.5


async def test_a_recorded_speaker_pauses_and_has_not_finished(smart_turn: SmartTurn) -> None:
    file = RECORDINGS / "jfk.flac"
    if not file.is_file():
        pytest.skip(f"{file}, Whisper's test clip, is not here")
    speech = Audio.load(file)  # "ask not | what your country can do for you | ask what you can do for your country."
    for pause_s in (4.4, 7.7):
        assert await smart_turn.finished(paused(speech, pause_s)) < 0.1
    assert await smart_turn.finished(paused(speech)) > 0.5
