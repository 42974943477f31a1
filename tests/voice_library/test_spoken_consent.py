"""The sentences of a consent as real speech, heard by the recogniser of the embedded engine."""

from __future__ import annotations

import pytest
from support.ear import whisper_folder

from agentaudio.errors import MissingExtra, WeightsMissing
from agentaudio.model.registry import load_model, load_synthesiser
from agentaudio.server.consents import heard_words
from agentaudio.sound.audio import Audio
from agentaudio.speaker import Speaker
from agentaudio.voice_library.consent_sentence import SENTENCES, problem_with

pytestmark = pytest.mark.neural


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_spoken_sentence_is_heard_and_another_is_not(language: str) -> None:
    whisper_folder("base")
    try:
        model = load_model("embedded")
    except (WeightsMissing, MissingExtra) as error:
        pytest.skip(str(error))
    try:
        turned = {
            "en": SENTENCES["en"].replace("I agree", "I do not agree"),
            "zh": SENTENCES["zh"].replace("我同意", "我不同意"),
        }[language]
        speaker = Speaker(load_synthesiser("kokoro"))
        heard = {}
        for text in (SENTENCES[language], turned):
            sound = Audio.concat([piece async for piece in speaker.speak(text, language=language)])
            heard[text] = await heard_words(model, sound, language)
        assert problem_with(heard[SENTENCES[language]], language) is None, heard
        assert problem_with(heard[turned], language) is not None, heard
    finally:
        await model.aclose()
