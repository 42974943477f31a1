"""Three things that a model which understands sound does in one line: transcribe, translate, describe."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from agentaudio.conversation import AudioPart, Conversation, TextPart
from agentaudio.errors import AudioError, OptionError
from agentaudio.model.registry import load_model
from agentaudio.model.speech_lm import End, GenerateOptions, TextDelta
from agentaudio.sound.audio import Audio
from agentaudio.sound.decode import AudioSource

if TYPE_CHECKING:
    from agentaudio.model.step_audio_2.generate import StepAudio2

Target = Literal["en", "zh"]

# Wording and settings are the authors', from the examples of the Step-Audio 2 repository (examples.py).
TRANSCRIBE = "请记录下你所听到的语音内容。"
TRANSLATE: dict[Target, str] = {
    "en": "请仔细聆听这段语音，然后将其内容翻译成英文。",
    "zh": "请仔细聆听这段语音，然后将其内容翻译成中文。",
}
DESCRIBE = "Please briefly explain the important events involved in this audio clip."

EXACT = GenerateOptions(speak=False, temperature=0.0, top_p=1.0, repetition_penalty=1.0, max_tokens=256)
CLOSE = GenerateOptions(speak=False, temperature=0.1, top_p=1.0, repetition_penalty=1.0, max_tokens=256)
TOKENS_PER_S = 10
"""More words than anyone says: long sound may take more tokens than the authors' 256."""

_log = logging.getLogger(__name__)


async def transcribe_async(
    model: str | StepAudio2,
    audio: AudioSource | Audio,
    *,
    prompt: str = TRANSCRIBE,
    options: GenerateOptions | None = None,
) -> str:
    """`transcribe`, for programs with an event loop."""
    return await _write(model, audio, prompt, options, EXACT, TOKENS_PER_S)


async def translate_async(
    model: str | StepAudio2,
    audio: AudioSource | Audio,
    to: Target = "en",
    *,
    prompt: str | None = None,
    options: GenerateOptions | None = None,
) -> str:
    """`translate`, for programs with an event loop."""
    if to not in TRANSLATE:
        raise OptionError(f"cannot translate to {to!r}; give one of: {', '.join(sorted(TRANSLATE))}")
    return await _write(model, audio, TRANSLATE[to] if prompt is None else prompt, options, CLOSE, TOKENS_PER_S)


async def describe_async(
    model: str | StepAudio2,
    audio: AudioSource | Audio,
    *,
    prompt: str = DESCRIBE,
    options: GenerateOptions | None = None,
) -> str:
    """`describe`, for programs with an event loop."""
    return await _write(model, audio, prompt, options, CLOSE, 0)


def transcribe(
    model: str | StepAudio2,
    audio: AudioSource | Audio,
    *,
    prompt: str = TRANSCRIBE,
    options: GenerateOptions | None = None,
) -> str:
    """What is said in a sound, word for word.

    model: a StepAudio2, or its name for `load_model`, such as `step-audio-2-mini:FOLDER`; by name it is
        loaded for this call alone
    audio: an Audio, or a sound file: path, bytes or binary file object
    prompt: the system message; options: None is greedy, at most 256 tokens, as the authors
        have it, and more for more than 25 s of sound

    Raises AudioError for a sound that cannot be read, is empty or is silent, OptionError for another
    model and inside an event loop, and what loading and generating raise.
    """
    return _now(lambda: transcribe_async(model, audio, prompt=prompt, options=options), "transcribe")


def translate(
    model: str | StepAudio2,
    audio: AudioSource | Audio,
    to: Target = "en",
    *,
    prompt: str | None = None,
    options: GenerateOptions | None = None,
) -> str:
    """What is said in a sound, written in English (`en`) or Chinese (`zh`); see `transcribe`.

    options: None is temperature 0.1, at most 256 tokens, as the authors have it, and more for more
        than 25 s of sound

    Raises OptionError for another language, and what `transcribe` raises.
    """
    return _now(lambda: translate_async(model, audio, to, prompt=prompt, options=options), "translate")


def describe(
    model: str | StepAudio2,
    audio: AudioSource | Audio,
    *,
    prompt: str = DESCRIBE,
    options: GenerateOptions | None = None,
) -> str:
    """What can be heard in a sound, in a few sentences; see `transcribe`. Raises what it raises."""
    return _now(lambda: describe_async(model, audio, prompt=prompt, options=options), "describe")


async def _write(
    model: str | StepAudio2,
    audio: AudioSource | Audio,
    prompt: str,
    options: GenerateOptions | None,
    usual: GenerateOptions,
    tokens_per_s: int,
) -> str:
    sound = await asyncio.to_thread(Audio.load, audio)
    name = str(audio) if isinstance(audio, str | os.PathLike) else "the sound"
    if not len(sound):
        raise AudioError(f"{name} holds no sound; record it again")
    if sound.is_silent:
        raise AudioError(f"{name} is silent (peak {sound.peak:.0e}); check the microphone and record it again")
    if options is None:
        options = replace(usual, max_tokens=max(usual.max_tokens or 0, round(tokens_per_s * sound.duration)))
    loaded = await asyncio.to_thread(_loaded, model)
    try:
        return await _answer(loaded, sound, prompt, options)
    finally:
        if loaded is not model:
            await loaded.aclose()


async def _answer(model: StepAudio2, sound: Audio, prompt: str, options: GenerateOptions) -> str:
    conversation = Conversation()
    conversation.add("system", TextPart(prompt))
    conversation.add("user", AudioPart(sound))
    words = []
    async for delta in model.generate(conversation, options=options, verbatim=True):
        if isinstance(delta, TextDelta):
            words.append(delta.text)
        elif isinstance(delta, End) and delta.reason == "length":
            _log.warning("the text was cut off after %d tokens", delta.usage["output_tokens"])
    return "".join(words).strip()


def _loaded(model: str | StepAudio2) -> StepAudio2:
    from agentaudio.model.step_audio_2.generate import StepAudio2

    loaded = load_model(model) if isinstance(model, str) else model
    if not isinstance(loaded, StepAudio2):
        name = model if isinstance(model, str) else loaded.name
        raise OptionError(f"model {name!r} takes no such task; give step-audio-2-mini:FOLDER")
    return loaded


def _now(task: Callable[[], Coroutine[None, None, str]], name: str) -> str:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(task())
    raise OptionError(f"{name} was called inside an event loop; write `await {name}_async(...)` there")
