"""Revoicing: any speech in the timbre of a prompt, whole and streamed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the decoder needs torch")
pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")
pytest.importorskip("onnx", reason="the extra local is not installed")
pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")

from agentaudio.errors import AudioError  # noqa: E402
from agentaudio.model.clip_voice import ClipVoice  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.prompt_maker import PromptMaker  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.revoicing import Revoicer, revoice  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_weights import write_tiny_token2wav  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402

QUESTIONS = Path(str(files("agentaudio.demo") / "questions"))


@dataclass(frozen=True)
class Parts:
    token2wav: Token2Wav
    maker: PromptMaker
    man: TimbrePrompt
    woman: TimbrePrompt


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = write_tiny_onnx(write_tiny_token2wav(tmp_path_factory.mktemp("token2wav")))
    maker = PromptMaker.load(folder)
    man, woman = (maker.make(ClipVoice(question(name))) for name in ("great-wall", "time-in-tokyo"))
    return Parts(Token2Wav.load(folder, device="cpu", steps=2), maker, man, woman)


def question(name: str) -> Audio:
    return Audio.load(QUESTIONS / f"{name}.flac")


def streamed(parts: Parts, pieces: list[Audio], prompt: TimbrePrompt) -> Audio:
    revoicer = Revoicer(parts.token2wav, parts.maker.tokenizer, prompt)
    return Audio.concat([*(revoicer.feed(piece) for piece in pieces), revoicer.finish()])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_length_is_kept_at_any_rate(parts: Parts, rate: int) -> None:
    speech = question("scottish-man").resample(rate)
    said = revoice(parts.token2wav, parts.maker.tokenizer, speech, parts.woman)
    assert said.sample_rate == 24_000
    assert said.duration == pytest.approx(speech.duration, abs=0.04)
    assert 0 < said.peak <= 1


def test_another_prompt_or_seed_gives_other_sound_and_the_same_the_same(parts: Parts) -> None:
    speech, tokenizer = question("time-in-tokyo").slice(0, 1), parts.maker.tokenizer
    one = revoice(parts.token2wav, tokenizer, speech, parts.man)
    assert revoice(parts.token2wav, tokenizer, speech, parts.man) == one
    assert revoice(parts.token2wav, tokenizer, speech, parts.woman) != one
    assert revoice(parts.token2wav, tokenizer, speech, parts.man, seed=1) != one
    assert revoice(parts.token2wav, tokenizer, speech, parts.man, steps=3) != one


def test_the_stream_gives_the_same_length_for_any_chunks(parts: Parts) -> None:
    speech = question("great-wall")
    one = streamed(parts, [speech], parts.woman)
    assert len(one) == len(revoice(parts.token2wav, parts.maker.tokenizer, speech, parts.woman))
    many = streamed(parts, list(speech.chunks(170)), parts.woman)
    np.testing.assert_allclose(many.samples, one.samples, atol=1e-5)


def test_the_stream_speaks_before_the_speech_is_over(parts: Parts) -> None:
    revoicer = Revoicer(parts.token2wav, parts.maker.tokenizer, parts.man)
    early = [revoicer.feed(piece) for piece in question("great-wall").chunks(200)]
    assert sum(piece.duration for piece in early) > 0.5


def test_empty_speech_gives_empty_sound(parts: Parts) -> None:
    nothing = Audio.silence(0, 16_000)
    assert len(revoice(parts.token2wav, parts.maker.tokenizer, nothing, parts.man)) == 0
    assert len(streamed(parts, [nothing], parts.man)) == 0


def test_a_finished_stream_takes_no_more(parts: Parts) -> None:
    revoicer = Revoicer(parts.token2wav, parts.maker.tokenizer, parts.man)
    revoicer.finish()
    with pytest.raises(AudioError, match="finished"):
        revoicer.feed(question("great-wall"))
