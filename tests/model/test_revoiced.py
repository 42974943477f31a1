"""A model with a fixed voice speaks in any voice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import numpy as np
import pytest
from support.sounds import tone

from agentaudio import Agent, Audio
from agentaudio.conversation import Conversation, TextPart
from agentaudio.demo.run import questions_folder
from agentaudio.errors import ModelError
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.revoiced import Revoiced
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, Capabilities, Delta, End, ReferenceVoice, TextDelta


class Louder:
    """A converter to 32 kHz and to the peak of the voice's clip. It returns each chunk with the next one."""

    sample_rate_hz = 32_000

    def __init__(self) -> None:
        self.begun: list[str] = []

    def revoicer(self, voice: ReferenceVoice) -> _Louder:
        self.begun.append(voice.id)
        return _Louder(voice.clip.peak)


class _Louder:
    def __init__(self, peak: float) -> None:
        self._peak = peak
        self._held = Audio.silence(0, 16_000)

    def feed(self, audio: Audio) -> Audio:
        ready, self._held = self._held, audio
        return self._raised(ready)

    def finish(self) -> Audio:
        return self._raised(self._held)

    def _raised(self, audio: Audio) -> Audio:
        return Audio(audio.samples * (self._peak / max(audio.peak, 1e-6)), audio.sample_rate)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("torch", reason="the voice converter needs torch")
    pytest.importorskip("onnxruntime", reason="the voice converter needs onnxruntime")
    from agentaudio.model.step_audio_2.init_tiny import init_tiny
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder

    return SpeechDecoder.load(init_tiny(tmp_path_factory.mktemp("revoiced")), device="cpu")


@pytest.fixture(scope="module")
def questions() -> list[Audio]:
    return [Audio.load(path) for path in sorted(questions_folder().glob("*.flac"))[:2]]


def fixed_voice(speech: Audio, *, piece_s: float = 0.3, **can: Any) -> Scripted:
    """A model that says one thing in its own voice, in pieces."""
    pieces = speech.chunks(1000 * piece_s)
    deltas: list[Delta] = [TextDelta("words"), *(AudioDelta(piece) for piece in pieces), End()]
    model = Scripted([deltas], loop=True)
    model.capabilities = Capabilities(hears=True, **{"voices": "fixed", "calls_tools": False, **can})
    return model


async def heard(model: Revoiced, voice: ReferenceVoice | None) -> Sequence[Delta]:
    conversation = Conversation()
    conversation.add("user", TextPart("say it"))
    return [delta async for delta in model.generate(conversation, voice=voice)]


def sound_of(deltas: Sequence[Delta]) -> list[Audio]:
    return [delta.audio for delta in deltas if isinstance(delta, AudioDelta)]


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 32_000, 44_100])
@pytest.mark.parametrize("voice", [None, ClipVoice(tone())])
async def test_all_sound_has_the_declared_rate(rate: int, voice: ReferenceVoice | None) -> None:
    model = Revoiced(fixed_voice(tone(440, 1.0, rate), piece_s=0.02, sample_rate_hz=rate), Louder())
    assert model.capabilities.sample_rate_hz == 32_000
    sounds = sound_of(await heard(model, voice))
    assert {sound.sample_rate for sound in sounds} == {32_000}
    assert sum(map(len, sounds)) == 32_000


async def test_without_a_voice_its_sound_is_only_resampled() -> None:
    speech, converter = tone(440, 1.0, 16_000), Louder()
    deltas = await heard(Revoiced(fixed_voice(speech, piece_s=0.02), converter), None)
    assert Audio.concat(sound_of(deltas)) == speech.resample(32_000)
    assert isinstance(deltas[0], TextDelta) and isinstance(deltas[-1], End)
    assert converter.begun == []


async def test_each_answer_is_converted_to_its_end_in_the_voice_asked_for() -> None:
    converter = Louder()
    model = Revoiced(fixed_voice(tone(440, 1.0, 32_000)), converter)
    for peak in (0.9, 0.1):
        deltas = await heard(model, ClipVoice(Audio([peak, -peak], 16_000), id="asked"))
        sound = Audio.concat(sound_of(deltas))
        assert isinstance(deltas[-1], End) and sound.duration == pytest.approx(1.0)
        assert sound.peak == pytest.approx(peak, rel=0.01)
    assert converter.begun == ["asked", "asked"]


@pytest.mark.parametrize("voice", [None, ClipVoice(tone())])
async def test_the_last_sound_of_a_model_without_end_is_converted(voice: ReferenceVoice | None) -> None:
    class Endless(Scripted):
        async def generate(self, *args: Any, **options: Any) -> AsyncGenerator[Delta, None]:
            for piece in tone(440, 1.0, 16_000).chunks(20):
                yield AudioDelta(piece)

    endless = Endless(["x"])
    endless.capabilities = Capabilities(hears=True, voices="fixed", calls_tools=False)
    assert sum(map(len, sound_of(await heard(Revoiced(endless, Louder()), voice)))) == 32_000


async def test_an_answer_without_sound_begins_no_conversion() -> None:
    converter = Louder()
    deltas = await heard(Revoiced(fixed_voice(Audio.silence(0, 16_000)), converter), ClipVoice(tone()))
    assert [type(delta) for delta in deltas] == [TextDelta, End] and converter.begun == []


def test_a_model_without_sound_is_refused() -> None:
    with pytest.raises(ModelError, match="'scripted' makes no sound"):
        Revoiced(fixed_voice(tone(), voices="none"), Louder())


def test_other_capabilities_are_those_of_the_model() -> None:
    able = Revoiced(fixed_voice(tone(), calls_tools=True, cites=True, languages=("en",)), Louder()).capabilities
    assert able.voices == "any" and able.calls_tools and able.cites and able.languages == ("en",)


async def test_step_audio_2_converts_it(decoder: Any, questions: list[Audio]) -> None:
    speech, voice = questions[0], ClipVoice(questions[1])
    model = Revoiced(fixed_voice(speech), decoder)
    sound = Audio.concat(sound_of(await heard(model, voice)))
    assert sound.sample_rate == model.capabilities.sample_rate_hz == 24_000
    assert sound.duration == pytest.approx(speech.duration, abs=0.05)
    assert not sound.is_silent
    assert np.array_equal(Audio.concat(sound_of(await heard(model, voice))).samples, sound.samples)


async def test_the_agent_runs_on_it(decoder: Any, questions: list[Audio]) -> None:
    async with Agent(Revoiced(fixed_voice(questions[0]), decoder), voices="demo", voice="angus") as agent:
        reply = await agent.run("say it")
    assert reply.audio is not None and reply.audio.duration == pytest.approx(questions[0].duration, abs=0.05)


def test_a_sound_is_converted_whole_as_well(decoder: Any, questions: list[Audio]) -> None:
    sound = decoder.revoice(questions[0], ClipVoice(questions[1]))
    assert len(sound) == 960 * len(decoder.tokenize(questions[0]))
