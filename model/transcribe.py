"""`transcribe`: the words of a sound, from any model that hears."""

from __future__ import annotations

import contextlib
import logging
from typing import Protocol, runtime_checkable

from agentaudio.conversation import AudioPart, Conversation
from agentaudio.errors import AudioError, OptionError
from agentaudio.model.speech_lm import End, GenerateOptions, Heard, SpeechLM, TextDelta
from agentaudio.sound.audio import Audio

INSTRUCTION = "Write down word for word what is said, and nothing else."

_log = logging.getLogger(__name__)


@runtime_checkable
class Transcriber(Protocol):
    """A model that has its own way to transcribe, such as an instruction that it was trained on."""

    async def transcribe(self, audio: Audio) -> str:
        """The words of a sound."""


async def transcribe(model: SpeechLM, audio: Audio) -> str:
    """Write down what is said in a sound, word for word.

    A model that has a `transcribe` method uses it. Otherwise its first final `Heard` is the
    answer, or, for a model that does not emit `Heard`, the text that it answers to INSTRUCTION with,
    greedily where it honours `temperature`. A text that a limit cut off is returned with a warning in
    the log.

    Raises AudioError for a sound without samples, OptionError for a model that does not hear, and what
    the model raises.
    """
    if not model.capabilities.hears:
        raise OptionError(f"model {model.name!r} does not hear, so it cannot transcribe; choose another model")
    if not len(audio):
        raise AudioError("the sound holds no samples; record it again")
    if isinstance(model, Transcriber):
        return await model.transcribe(audio)
    conversation = Conversation()
    conversation.add("system", INSTRUCTION)
    conversation.add("user", AudioPart(audio))
    greedy = 0.0 if "temperature" in model.capabilities.options else None
    options = GenerateOptions(speak=False, temperature=greedy)
    async with contextlib.aclosing(model.generate(conversation, options=options)) as deltas:
        words = ""
        async for delta in deltas:
            if isinstance(delta, Heard) and delta.final:
                return delta.text.strip()
            if isinstance(delta, TextDelta):
                words += delta.text
            elif isinstance(delta, End) and delta.reason == "length":
                _log.warning("a limit of model %r cut the transcript off", model.name)
    return words.strip()
