"""A model with a voice of its own is heard in the voice that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("torch", reason="the voice converter needs torch")
pytest.importorskip("onnxruntime", reason="the voice converter needs onnxruntime")

from agentaudio import Agent, Audio  # noqa: E402
from agentaudio.conversation import Conversation, TextPart  # noqa: E402
from agentaudio.demo.run import questions_folder  # noqa: E402
from agentaudio.model.revoiced import Revoiced  # noqa: E402
from agentaudio.model.scripted import Scripted  # noqa: E402
from agentaudio.model.speech_lm import AudioDelta, Capabilities, Delta, End, TextDelta  # noqa: E402
from agentaudio.model.step_audio_2.init_tiny import init_tiny  # noqa: E402
from agentaudio.model.step_audio_2.speech_decoder import OwnVoice, SpeechDecoder  # noqa: E402


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> SpeechDecoder:
    return SpeechDecoder.load(init_tiny(tmp_path_factory.mktemp("revoiced")), device="cpu")


@pytest.fixture(scope="module")
def questions() -> list[Audio]:
    return [Audio.load(path) for path in sorted(questions_folder().glob("*.flac"))[:2]]


def fixed_voice(speech: Audio) -> Scripted:
    """A model that says one thing in its own voice, in pieces of 0.3 s."""
    pieces = [speech.slice(0.3 * k, 0.3 * (k + 1)) for k in range(int(speech.duration / 0.3) + 1)]
    deltas: list[Delta] = [TextDelta("words"), *(AudioDelta(piece) for piece in pieces if len(piece)), End()]
    model = Scripted([deltas], loop=True)
    model.capabilities = Capabilities(hears=True, voices="fixed", calls_tools=False)
    return model


async def heard(model: Revoiced, voice: OwnVoice | None) -> Sequence[Delta]:
    conversation = Conversation()
    conversation.add("user", TextPart("say it"))
    return [delta async for delta in model.generate(conversation, voice=voice)]


async def test_what_it_says_comes_in_the_voice_that_was_asked_for(
    decoder: SpeechDecoder, questions: list[Audio]
) -> None:
    speech, voice = questions[0], OwnVoice(questions[1], id="asked")
    model = Revoiced(fixed_voice(speech), decoder)
    assert model.capabilities.voices == "any"
    deltas = await heard(model, voice)
    assert isinstance(deltas[0], TextDelta) and isinstance(deltas[-1], End)
    sound = Audio.concat([delta.audio for delta in deltas if isinstance(delta, AudioDelta)])
    assert sound.sample_rate == 24_000
    assert sound.duration == pytest.approx(speech.duration, abs=0.05)
    assert not sound.is_silent
    again = await heard(model, voice)
    assert np.array_equal(Audio.concat([d.audio for d in again if isinstance(d, AudioDelta)]).samples, sound.samples)


async def test_without_a_voice_its_sound_stays_as_it_is(decoder: SpeechDecoder, questions: list[Audio]) -> None:
    deltas = await heard(Revoiced(fixed_voice(questions[0]), decoder), None)
    sound = Audio.concat([delta.audio for delta in deltas if isinstance(delta, AudioDelta)])
    assert np.array_equal(sound.samples, questions[0].samples)


async def test_the_agent_runs_on_it(decoder: SpeechDecoder, questions: list[Audio]) -> None:
    async with Agent(Revoiced(fixed_voice(questions[0]), decoder), voice="angus") as agent:
        reply = await agent.run("say it")
    assert reply.audio is not None and reply.audio.duration == pytest.approx(questions[0].duration, abs=0.05)


def test_a_sound_is_revoiced_whole_as_well(decoder: SpeechDecoder, questions: list[Audio]) -> None:
    sound = decoder.revoice(questions[0], OwnVoice(questions[1]))
    assert len(sound) == 960 * len(decoder.tokenize(questions[0]))
