"""From a recording to a timbre prompt: any rate and length, and errors for unusable recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.sounds import tone

pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")
pytest.importorskip("safetensors", reason="the extra local is not installed")
pytest.importorskip("onnx", reason="the extra local is not installed")
pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")

from agentaudio.errors import BackendError, OptionError, VoiceError  # noqa: E402
from agentaudio.model.clip_voice import ClipVoice  # noqa: E402
from agentaudio.model.reference_clip import (  # noqa: E402
    LEVEL_DBFS,
    clipped_share,
    ready_clip,
)
from agentaudio.model.step_audio_2.token2wav.prompt_maker import PromptMaker  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder  # noqa: E402
from agentaudio.voice_library.library import demo_voices  # noqa: E402

NOISE = np.random.default_rng(0).normal(0, 0.1, 80_000).astype(np.float32)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> PromptMaker:
    return PromptMaker.load(write_tiny_onnx(tmp_path_factory.mktemp("tiny")))


def clip(name: str) -> Audio:
    return demo_voices().get(name).clip


def made_of(maker: PromptMaker, sound: Audio) -> TimbrePrompt:
    return maker.make(ClipVoice(sound))


def level_dbfs(audio: Audio) -> float:
    return 10 * float(np.log10(np.square(audio.samples, dtype=np.float64).mean()))


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 48_000])
def test_a_clip_of_any_rate_becomes_a_prompt(maker: PromptMaker, rate: int) -> None:
    prompt = made_of(maker, clip("angus").resample(rate))
    assert 95 <= len(prompt.tokens) <= 105
    assert prompt.mel.shape == (2 * len(prompt.tokens), 80)
    assert prompt.embedding.shape == (192,) and np.linalg.norm(prompt.embedding) > 0
    assert prompt.warnings == ()


def test_channels_and_file_format_do_not_matter(maker: PromptMaker) -> None:
    mono = clip("angus")
    stereo = Audio(np.stack([mono.samples, mono.samples], axis=1), mono.sample_rate)
    assert made_of(maker, stereo) == made_of(maker, mono)
    assert made_of(maker, Audio.load(mono.to_bytes("flac"))) == made_of(maker, mono)


@pytest.mark.parametrize("name", ["silas", "faye", "lily", "moses", "agnes"])
def test_whispers_and_odd_voices_are_speech(maker: PromptMaker, name: str) -> None:
    assert len(made_of(maker, clip(name)).tokens) > 75


def test_silence_at_the_ends_is_trimmed() -> None:
    alone = ready_clip(clip("angus")).audio
    room = Audio(np.random.default_rng(0).normal(0, 1e-4, 32_000), 16_000)
    padded = ready_clip(Audio.concat([room, clip("angus"), room])).audio
    assert padded.duration == pytest.approx(alone.duration, abs=0.3)


@pytest.mark.parametrize("gain", [0.02, 0.2, 1.5])
def test_loudness_is_set(gain: float) -> None:
    loud = Audio(clip("agnes").samples * np.float32(gain), 16_000)
    assert level_dbfs(ready_clip(loud).audio) == pytest.approx(LEVEL_DBFS, abs=1)


def test_peaks_are_never_clipped_for_the_sake_of_loudness() -> None:
    samples = clip("agnes").samples * np.float32(0.05)
    samples[20_000] = 1.0
    ready = ready_clip(Audio(samples, 16_000))
    assert ready.audio.peak < 1.0
    assert ready.warnings == ()


def test_a_long_clip_is_cut_at_a_pause(maker: PromptMaker) -> None:
    pause = Audio.silence(0.5, 16_000)
    parts = [part for name in ("walter", "oscar", "diana", "toby", "victor") for part in (clip(name), pause)]
    ends = np.cumsum([part.duration for part in parts])[0::2]
    ready = ready_clip(Audio.concat(parts), 15.0)
    assert np.abs(ends + 0.25 - ready.audio.duration).min() < 0.3
    assert 7.5 <= ready.audio.duration <= 15.0
    assert "are used" in ready.warnings[0]
    prompt = made_of(PromptMaker(maker.tokenizer, maker.speaker_encoder, longest_s=15.0), Audio.concat(parts))
    assert len(prompt.tokens) == -(-round(ready.audio.duration * 100) // 4)


def test_a_very_long_recording_is_searched_at_its_beginning() -> None:
    long = Audio.concat([clip("angus"), Audio(np.tile(NOISE, 200), 16_000), clip("angus")])
    ready = ready_clip(long)
    assert ready.audio.duration < 10
    with pytest.raises(VoiceError, match="no speech was found"):
        ready_clip(Audio.concat([Audio.silence(301.0, 16_000), clip("angus")]))


def test_up_to_30_s_are_used_or_less_where_wanted(maker: PromptMaker) -> None:
    long = Audio.concat([clip(name) for name in ("walter", "oscar", "diana", "toby", "victor", "carmen")])
    assert len(made_of(maker, long).tokens) == pytest.approx(25 * long.duration, abs=10)
    short = PromptMaker(maker.tokenizer, maker.speaker_encoder, longest_s=10.0)
    assert len(made_of(short, long).tokens) <= 250
    for seconds in (1.9, 31, float("nan")):
        with pytest.raises(OptionError, match="2 to 30 s"):
            PromptMaker(maker.tokenizer, maker.speaker_encoder, longest_s=seconds)


@pytest.mark.parametrize(
    ("sound", "message"),
    [
        (Audio.silence(5.0, 16_000), "silent"),
        (Audio.silence(0.0, 16_000), "silent"),
        (Audio(NOISE, 16_000), "no speech was found"),
        (Audio(NOISE * np.float32(0.01), 16_000), "no speech was found"),
        (tone(220, 5.0), "no speech was found"),
        (Audio(NOISE[:5], 16_000), "no speech was found"),
    ],
    ids=["silence", "empty", "noise", "faint noise", "tone", "five samples"],
)
def test_recordings_without_a_voice_are_refused(maker: PromptMaker, sound: Audio, message: str) -> None:
    with pytest.raises(VoiceError, match=f"voice 'x'.*{message}"):
        maker.make(ClipVoice(sound, id="x"))


def test_too_little_speech_is_refused_with_its_length(maker: PromptMaker) -> None:
    short = Audio.concat([Audio.silence(3.0, 16_000), clip("angus").slice(0, 1.2), Audio.silence(3.0, 16_000)])
    with pytest.raises(VoiceError, match=r"holds 1\.\d\d s of speech, but a voice needs at least 2 s"):
        made_of(maker, short)


@pytest.mark.parametrize("gain", [2, 4, 8])
def test_a_clipped_recording_is_warned_about_even_when_made_quieter(maker: PromptMaker, gain: int) -> None:
    clean = clip("walter")
    clipped = Audio(np.clip(clean.samples / clean.peak * gain, -1, 1) * np.float32(0.5), clean.sample_rate)
    assert clipped_share(clean.samples) == 0
    assert any("clipped" in warning for warning in made_of(maker, clipped).warnings)


class Narrow:
    """resemblyzer's network where CAM++ belongs: its weights are here, and tell people apart."""

    same_speaker_above = 0.75

    def __init__(self) -> None:
        self._encoder = EmbeddedSpeakerEncoder()

    def encode(self, audio: Audio) -> Any:
        return self._encoder.encode_prepared(audio.samples)[:192]

    def fingerprint(self) -> str:
        return self._encoder.name


def test_two_speakers_in_a_clip_are_warned_about(maker: PromptMaker) -> None:
    maker = PromptMaker(maker.tokenizer, Narrow())
    assert made_of(maker, clip("walter")).warnings == ()
    both = Audio.concat([clip("walter"), clip("ruby")])
    assert made_of(maker, both).warnings == (
        "two people seem to speak in it, so the voice may be a mixture; use a clip of one",
    )


def test_prompts_are_the_same_every_time_and_say_what_made_them(maker: PromptMaker, tmp_path: Path) -> None:
    again = PromptMaker.load(write_tiny_onnx(tmp_path / "same"))
    other = PromptMaker.load(write_tiny_onnx(tmp_path / "other", seed=1))
    assert made_of(again, clip("angus")) == made_of(maker, clip("angus"))
    assert made_of(maker, clip("angus")).made_by == maker.version != other.version
    assert maker.version != PromptMaker(maker.tokenizer, maker.speaker_encoder, longest_s=10.0).version


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"speech_tokenizer_v2_25hz\.onnx is missing"):
        made_of(PromptMaker.load(tmp_path), clip("angus"))
