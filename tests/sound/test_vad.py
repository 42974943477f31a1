"""Voice activity detection: in recordings, noise and silence, and in streamed sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import BackendError
from agentaudio.onnx import OnnxNetwork
from agentaudio.sound.audio import Audio
from agentaudio.sound.onnx_weights import onnx_weights
from agentaudio.sound.silero import CONTEXT, FILE, FRAME
from agentaudio.sound.vad import VoiceActivity, VoiceActivityStream
from agentaudio.voice_library.library import demo_voices


@pytest.fixture(scope="module")
def clip() -> Audio:
    return demo_voices().get("angus").clip


@pytest.fixture(scope="module")
def activity() -> VoiceActivity:
    return VoiceActivity()


@pytest.mark.parametrize(("voice", "cut_s"), [("lily", 1.5), ("silas", 1.0), ("angus", 1.0)])
def test_speech_that_a_sound_begins_with_is_found(activity: VoiceActivity, voice: str, cut_s: float) -> None:
    assert activity.speech(demo_voices().get(voice).clip.slice(cut_s))[0][0] < 0.15


def test_finds_where_the_speech_is(activity: VoiceActivity, clip: Audio) -> None:
    alone = activity.speech(clip)
    padded = Audio.concat([Audio.silence(2.0, 16_000), clip, Audio.silence(1.5, 16_000)])
    found = activity.speech(padded)
    assert found[0][0] == pytest.approx(2.0 + alone[0][0], abs=0.15)
    assert found[-1][1] == pytest.approx(2.0 + alone[-1][1], abs=0.25)


def test_trims_to_the_speech_and_a_margin(activity: VoiceActivity, clip: Audio) -> None:
    padded = Audio.concat([Audio.silence(3.0, 16_000), clip, Audio.silence(3.0, 16_000)])
    assert clip.duration - 0.6 < activity.trim(padded).duration < clip.duration + 0.6


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_any_sample_rate_will_do(activity: VoiceActivity, clip: Audio, rate: int) -> None:
    trimmed = activity.trim(clip.resample(rate))
    assert trimmed.sample_rate == rate
    assert trimmed.duration > 0.7 * clip.duration


def test_quiet_speech_is_speech(activity: VoiceActivity, clip: Audio) -> None:
    assert activity.speech(Audio(clip.samples * np.float32(0.02), 16_000))


def _noise(level: float) -> Audio:
    return Audio((np.random.default_rng(0).standard_normal(32_000) * level).astype(np.float32), 16_000)


def _tone(hertz: float) -> Audio:
    return Audio(np.sin(np.arange(32_000) * 2 * np.pi * hertz / 16_000).astype(np.float32) * 0.5, 16_000)


@pytest.mark.parametrize(
    "sound",
    [
        Audio.silence(2.0, 16_000),
        Audio.silence(0.0, 16_000),
        _noise(0.1),
        _noise(0.001),
        _tone(440),
        _tone(100),
        Audio(np.tile(np.array([2.0, -2.0], np.float32), 16_000), 16_000),
    ],
    ids=["silence", "empty", "loud noise", "faint noise", "tone", "hum", "a tone above full scale"],
)
def test_sound_without_speech_is_trimmed_to_nothing(activity: VoiceActivity, sound: Audio) -> None:
    assert activity.speech(sound) == []
    assert len(activity.trim(sound)) == 0


def test_the_stream_decides_the_same_for_any_chunks(clip: Audio) -> None:
    whole = VoiceActivityStream().push(clip.samples)
    stream, parts, position = VoiceActivityStream(), [], 0
    steps = np.random.default_rng(1)
    while position < len(clip):
        step = int(steps.integers(1, 3000))
        parts.append(stream.push(clip.samples[position : position + step]))
        position += step
    assert np.allclose(np.concatenate(parts), whole, atol=1e-4)
    assert whole.max() > 0.9


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 17])
def test_frames_that_come_together_have_the_probabilities_and_leave_the_state_of_frames_one_by_one(
    clip: Audio, frames: int
) -> None:
    random = np.random.default_rng(frames)
    together, apart = VoiceActivityStream(), VoiceActivityStream()
    for _ in range(3):
        samples = random.normal(0, 0.1, frames * FRAME).astype(np.float32)
        one_by_one = [apart.push(samples[at : at + FRAME]) for at in range(0, len(samples), FRAME)]
        assert np.allclose(together.push(samples), np.concatenate(one_by_one), atol=1e-5)
    following = clip.samples[: 4 * FRAME]
    assert np.allclose(together.push(following), apart.push(following), atol=1e-5)


@pytest.mark.parametrize("level", (1.0, 0.01))
def test_the_network_gives_what_onnx_runtime_gives(clip: Audio, level: float) -> None:
    pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
    noise = 1e-3 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    sound = np.concatenate([clip.samples * np.float32(level), np.zeros(8_000, np.float32), noise, clip.samples])
    state = (1, 1, 128)
    network = OnnxNetwork(FILE, "a test", inputs=((None, CONTEXT + FRAME), state, state), extra="embedded")
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), sound])
    windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
    expected, *_ = network.run(np.ascontiguousarray(windows), np.zeros(state, np.float32), np.zeros(state, np.float32))
    np.testing.assert_allclose(VoiceActivityStream().push(sound), expected.reshape(-1), atol=2e-5)


@pytest.mark.parametrize("cut", (0, 100, 100_000, -1))
def test_weights_of_a_broken_file_are_refused(tmp_path: Path, cut: int) -> None:
    broken = tmp_path / "cut.onnx"
    broken.write_bytes(FILE.read_bytes()[:cut])
    found = {}
    try:
        found = onnx_weights(broken, "get another")
    except BackendError as error:
        assert "cut.onnx is truncated or not an ONNX file" in str(error) and "get another" in str(error)
    assert len(found) < len(onnx_weights(FILE, ""))


def test_a_file_of_weights_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"absent\.onnx.*; get another"):
        onnx_weights(tmp_path / "absent.onnx", "get another")


def test_finding_speech_in_a_long_sound_can_be_stopped(activity: VoiceActivity) -> None:
    calls = []

    def check_stop() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        activity.probabilities(Audio.silence(600, 16_000), check_stop)
    assert len(calls) == 3
