"""Tasks that Step-Audio 2 was trained on besides conversation: transcribe, translate, describe.

Instructions and settings are the authors', from examples.py of the Step-Audio 2 repository.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from agentaudio.conversation import AudioPart, Conversation
from agentaudio.errors import AudioError, OptionError
from agentaudio.model.speech_lm import Delta, End, GenerateOptions, TextDelta
from agentaudio.sound.audio import Audio

Target = Literal["en", "zh"]

MAX_TOKENS = 256
MAX_TOKENS_PER_S = 10
"""Allows longer sound more than the authors' 256 tokens; fast speech takes about 5 tokens a second."""

GREEDY = GenerateOptions(speak=False, temperature=0.0, top_p=1.0, repetition_penalty=1.0, max_tokens=MAX_TOKENS)
NEARLY_GREEDY = replace(GREEDY, temperature=0.1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """prompt: the system message; options: how to generate; scales: longer sound may take more tokens"""

    prompt: str
    options: GenerateOptions
    scales: bool


TRANSCRIBE = Task("请记录下你所听到的语音内容。", GREEDY, scales=True)
TRANSLATE: dict[Target, Task] = {
    "en": Task("请仔细聆听这段语音，然后将其内容翻译成英文。", NEARLY_GREEDY, scales=True),
    "zh": Task("请仔细聆听这段语音，然后将其内容翻译成中文。", NEARLY_GREEDY, scales=True),
}
DESCRIBE = Task("Please briefly explain the important events involved in this audio clip.", NEARLY_GREEDY, scales=False)


@runtime_checkable
class HasTasks(Protocol):
    """A speech model with these tasks: Step-Audio 2 in this process, or on a server."""

    async def translate(self, audio: Audio, to: Target = "en") -> str:
        """What is said in a sound, in English or Chinese."""

    async def describe(self, audio: Audio) -> str:
        """What can be heard in a sound."""


class Model(Protocol):
    """The part of StepAudio2 that a task needs."""

    def generate(
        self, conversation: Conversation, *, options: GenerateOptions = ..., verbatim: bool = False
    ) -> AsyncGenerator[Delta, None]: ...


async def written(model: Model, task: Task, audio: Audio, *, options: GenerateOptions | None = None) -> str:
    """The text that the model answers to a task; a text that a limit cut off comes with a warning in the log.

    options: instead of the task's

    Raises AudioError for a sound that is empty or silent, and what `StepAudio2.generate` raises.
    """
    if not len(audio):
        raise AudioError("the sound holds no samples; record it again")
    if audio.is_silent:
        raise AudioError(f"the sound is silent (peak {audio.peak:.0e}); check the microphone and record it again")
    if options is None:
        most = max(MAX_TOKENS, round(MAX_TOKENS_PER_S * audio.duration)) if task.scales else MAX_TOKENS
        options = replace(task.options, max_tokens=most)
    conversation = Conversation()
    conversation.add("system", task.prompt)
    conversation.add("user", AudioPart(audio))
    words = ""
    async with contextlib.aclosing(model.generate(conversation, options=options, verbatim=True)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                words += delta.text
            elif isinstance(delta, End) and delta.reason == "length":
                _log.warning("the text was cut off after %d tokens", delta.usage["output_tokens"])
    return words.strip()


class Tasks:
    """The tasks of a model, as its methods."""

    async def transcribe(self: Model, audio: Audio, *, options: GenerateOptions | None = None) -> str:
        """What is said in a sound, word for word, in its language.

        options: None is greedy, at most 256 tokens, or more for more than 25 s of sound

        Raises AudioError for a sound that is empty or silent, and what `generate` raises.
        """
        return await written(self, TRANSCRIBE, audio, options=options)

    async def translate(self: Model, audio: Audio, to: Target = "en", *, options: GenerateOptions | None = None) -> str:
        """What is said in a sound, in English ("en") or Chinese ("zh").

        options: None is temperature 0.1, and as in `transcribe`

        Raises OptionError for another language, and what `transcribe` raises.
        """
        if to not in TRANSLATE:
            raise OptionError(f"cannot translate to {to!r}; give one of: {', '.join(sorted(TRANSLATE))}")
        return await written(self, TRANSLATE[to], audio, options=options)

    async def describe(self: Model, audio: Audio, *, options: GenerateOptions | None = None) -> str:
        """What can be heard in a sound, in a few sentences.

        options: None is temperature 0.1 and at most 256 tokens

        Raises what `transcribe` raises.
        """
        return await written(self, DESCRIBE, audio, options=options)
