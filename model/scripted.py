"""`Scripted`: a model that replays a script, for tests, examples and experiments without weights."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.conversation import Conversation, ToolCall, ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    Capabilities,
    Delta,
    End,
    GenerateOptions,
    Heard,
    ReferenceVoice,
    TextDelta,
)
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import fade_edges
from agentaudio.text.words import word_count

StepFunction = Callable[[Conversation, Sequence[ToolSpec], ReferenceVoice | None], Iterable[Delta]]
ScriptStep = str | Mapping[str, Any] | Sequence[Delta] | StepFunction

SAMPLE_RATE_HZ = 16_000
SECONDS_PER_WORD = 0.3
LEAST_S_READ = 0.1
"""Of given words: for each that is read where there are no blanks, as in "1/2/3/4". Less would be taken as broken."""


class Scripted:
    """A SpeechLM that emits the n-th step of a script as its n-th generation in a conversation.

    A step is one of
        - a string: spoken word by word, with a soft tone as the sound of each word;
        - a mapping with any of `heard`, `say`, `calls` (a list of {"name", "arguments"});
        - a list of deltas;
        - a function of (conversation, tools, voice) that returns deltas.

    The step is found by counting the assistant messages, so one Scripted serves many conversations at once.

    loop: start again after the last step; otherwise a further generation raises BackendError
    delay_s: pause before each delta
    """

    name = "scripted"
    capabilities = Capabilities(
        hears=True,
        voices="any",
        calls_tools=True,
        sample_rate_hz=SAMPLE_RATE_HZ,
        max_audio_s=3600,
        streams_input=True,
        words_lead=True,
        speech="rules",
        options=frozenset(one.name for one in fields(GenerateOptions)) - {"speak"},
    )

    def __init__(self, steps: Sequence[ScriptStep], *, loop: bool = False, delay_s: float = 0.0) -> None:
        if not steps:
            raise OptionError("a script needs at least one step, such as a sentence to say")
        self._steps = tuple(steps)
        self._loop = loop
        self._delay_s = delay_s

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        position = sum(message.role == "assistant" for message in conversation)
        if position >= len(self._steps) and not self._loop:
            raise BackendError(f"the script has {len(self._steps)} steps, and none is left; add one, or use loop=True")
        step = self._steps[position % len(self._steps)]
        deltas = step(conversation, tools, voice) if callable(step) else _deltas(step, position)
        for delta in deltas:
            await asyncio.sleep(self._delay_s)
            if isinstance(delta, AudioDelta) and not options.speak:
                continue
            yield delta
            if isinstance(delta, End):
                return
        yield End()

    async def prepare(self, voice: ReferenceVoice | None) -> None:
        """Nothing: a tone sounds the same in every voice."""

    async def say(
        self, text: str | AsyncIterator[str], *, voice: ReferenceVoice | None = None, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """A soft tone for each word, longer for one that is read as several; see Speaks."""
        async for piece in _pieces(text):
            for delta in _say(piece, least_s=LEAST_S_READ):
                if isinstance(delta, AudioDelta):
                    await asyncio.sleep(self._delay_s)
                    yield delta.audio

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        pass

    async def aclose(self) -> None:
        pass


def load(argument: str | None, *, delay_s: float = 0.0, loop: bool = True) -> Scripted:
    """Load `scripted:FILE.json`, a JSON list of steps (strings or objects). Plain `scripted` has one fixed answer."""
    if argument is None:
        return Scripted(["I am a script: I say this whatever you ask."], loop=loop, delay_s=delay_s)
    try:
        steps = json.loads(Path(argument).read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"cannot read the script {argument}: {error.strerror}") from None
    except ValueError as error:
        raise OptionError(f"the script {argument} is not JSON: {error}") from None
    if not isinstance(steps, list) or not all(isinstance(step, str | dict) for step in steps):
        raise OptionError(f"the script {argument} must be a list of strings and objects")
    for number, step in enumerate(steps):
        _deltas(step, number)  # report an invalid step now, not during a turn
    return Scripted(steps, loop=loop, delay_s=delay_s)


def _deltas(step: str | Mapping[str, Any] | Sequence[Delta], position: int) -> list[Delta]:
    if isinstance(step, str):
        return _say(step)
    if not isinstance(step, Mapping):
        return list(step)
    unknown = set(step) - {"heard", "say", "calls"}
    if unknown:
        raise OptionError(f"script step {position + 1} has {sorted(unknown)}; it may have heard, say and calls")
    deltas: list[Delta] = []
    if "heard" in step:
        deltas.append(Heard(str(step["heard"]), 1.0))
    deltas += _say(str(step.get("say", "")))
    for number, call in enumerate(step.get("calls", [])):
        if not isinstance(call, Mapping) or "name" not in call:
            raise OptionError(f"script step {position + 1}: a call needs a name, but it is {call!r}")
        call_id = f"call_{position + 1}_{number + 1}"
        deltas.append(CallDelta(ToolCall(call_id, call["name"], dict(call.get("arguments", {})))))
    return deltas


def _say(text: str, *, least_s: float = 0.0) -> list[Delta]:
    """The words and tones of a text. least_s: seconds for each word as which a word without blanks is read"""
    deltas: list[Delta] = []
    for number, word in enumerate(text.split()):
        deltas.append(TextDelta(word if number == 0 else " " + word))
        seconds = max(SECONDS_PER_WORD, least_s * word_count(word))
        deltas.append(AudioDelta(_tone(len(word), seconds)))
    return deltas


async def _pieces(text: str | AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """The pieces of a text, each with whole words."""
    if isinstance(text, str):
        yield text
        return
    begun = ""
    async for piece in text:
        *words, begun = (begun + piece).split(" ")
        yield " ".join(words)
    yield begun


def _tone(letters: int, seconds: float) -> Audio:
    time = np.arange(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32) / SAMPLE_RATE_HZ
    sine = 0.1 * np.sin(2 * np.pi * (200 + 20 * letters) * time)
    return Audio(fade_edges(sine, SAMPLE_RATE_HZ // 50), SAMPLE_RATE_HZ)
