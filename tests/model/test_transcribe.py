"""Transcribing with any model that hears."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from support.sounds import tone

from agentaudio.conversation import AudioPart, Conversation
from agentaudio.errors import AudioError, OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Capabilities, Delta, End, GenerateOptions, Heard, TextDelta
from agentaudio.model.transcribe import INSTRUCTION, Transcriber, transcribe
from agentaudio.sound.audio import Audio


class Own(Scripted):
    """A model with its own way to transcribe."""

    async def transcribe(self, audio: Audio) -> str:
        return f"{audio.duration:.0f} s of words"


class Deaf(Scripted):
    capabilities = Capabilities(hears=False, voices="none", calls_tools=False)


async def test_what_was_heard_is_the_transcript() -> None:
    step: list[Delta] = [Heard("how", final=False), Heard(" how far? "), TextDelta("384,000 km"), End()]
    assert await transcribe(Scripted([step]), tone()) == "how far?"


async def test_a_model_that_only_answers_is_prompted_to_transcribe() -> None:
    sound = tone()

    def step(conversation: Conversation, *_: Any) -> list[Delta]:
        assert [message.role for message in conversation] == ["system", "user"]
        assert conversation.messages[0].text == INSTRUCTION
        assert conversation.messages[1].parts == (AudioPart(sound),)
        return [TextDelta(" how "), TextDelta("far?\n"), End()]

    assert await transcribe(Scripted([step]), sound) == "how far?"


async def test_only_options_that_the_model_honours_are_asked_for() -> None:
    asked: list[GenerateOptions] = []

    class Asked(Scripted):
        async def generate(self, conversation: Conversation, **given: Any) -> AsyncGenerator[Delta, None]:
            asked.append(given["options"].check(self))
            yield End()

    class WithoutOptions(Asked):
        capabilities = replace(Scripted.capabilities, options=frozenset())

    for model in (Asked, WithoutOptions):
        await transcribe(model(["x"]), tone())
    assert asked == [GenerateOptions(speak=False, temperature=0.0), GenerateOptions(speak=False)]


async def test_a_models_own_transcribe_is_used_first() -> None:
    assert isinstance(Own(["x"]), Transcriber)
    assert await transcribe(Own(["x"]), tone(duration_s=2.0)) == "2 s of words"


async def test_a_transcript_that_was_cut_off_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    assert await transcribe(Scripted([[TextDelta("how"), End("length")]]), tone()) == "how"
    assert "cut the transcript off" in caplog.text


async def test_deaf_models_and_empty_sounds_are_refused() -> None:
    with pytest.raises(OptionError, match="'scripted' does not hear"):
        await transcribe(Deaf(["x"]), tone())
    for model in (Scripted(["x"]), Own(["x"])):
        with pytest.raises(AudioError, match="holds no samples"):
            await transcribe(model, Audio([], 16_000))
