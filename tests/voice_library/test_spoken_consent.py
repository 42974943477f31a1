"""The sentences of a consent as real speech, heard by the recogniser of the embedded engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.ear import whisper_folder

from agentaudio.errors import MissingExtra, WeightsMissing
from agentaudio.model.registry import load_model, load_synthesiser
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.server.consents import heard_words
from agentaudio.sound.audio import Audio
from agentaudio.speaker import Speaker
from agentaudio.voice_library.consent_sentence import SENTENCES, problem_with

pytestmark = pytest.mark.neural


@pytest.fixture(scope="module")
async def model() -> AsyncIterator[SpeechLM]:
    whisper_folder("base")
    try:
        made = load_model("embedded")
    except (WeightsMissing, MissingExtra) as error:
        pytest.skip(str(error))
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def speaker(model: SpeechLM) -> Speaker:
    return Speaker(load_synthesiser("kokoro"))  # its weights are on this machine where those of the model are


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_spoken_sentence_is_heard_and_another_is_not(
    language: str, model: SpeechLM, speaker: Speaker
) -> None:
    turned = {
        "en": SENTENCES["en"].replace("I agree", "I do not agree"),
        "zh": SENTENCES["zh"].replace("我同意", "我不同意"),
    }[language]
    heard = {}
    for text in (SENTENCES[language], turned):
        sound = Audio.concat([piece async for piece in speaker.speak(text, language=language)])
        heard[text] = await heard_words(model, sound, language)
    assert problem_with(heard[SENTENCES[language]], language) is None, heard
    assert problem_with(heard[turned], language) is not None, heard
