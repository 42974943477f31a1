"""`checked`: check the deltas of a model against the protocol and the model's capabilities."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from types import AsyncGeneratorType

from agentaudio.conversation import SpeechTokens
from agentaudio.delta_check import check_delta
from agentaudio.errors import BackendError
from agentaudio.limits import Limits
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    Delta,
    End,
    GenerateOptions,
    Heard,
    SpeechLM,
    TextDelta,
    TokensDelta,
    UnspokenDelta,
)
from agentaudio.sound.stream import PcmStream

HOLD_S = 0.005
"""Longest time that a model which never awaits may hold the event loop."""

LONG_S = 2.0
"""Sound from this length on is resampled in a thread, so that it does not hold up the event loop."""

MAX_NAME_CHARS = 200
"""Longest name and id of a call. Tools have names of at most 64."""

_GENERATORS = (AsyncGeneratorType, AsyncGenerator)  # the first for speed: asking AsyncGenerator is slow

log = logging.getLogger(__name__)


async def checked(
    model: SpeechLM,
    deltas: AsyncGenerator[Delta, None],
    options: GenerateOptions,
    *,
    limits: Limits,
    used_ids: set[str],
) -> AsyncGenerator[Delta, None]:
    """Yield the deltas of one generation, with an `End` as the last; it is added if the model emits none.

    The usage of `End` has `output_characters` and `output_sound_s` for every model, besides what the model counts.
    Sound is resampled to the model's `sample_rate_hz`, and dropped when `options.speak` is False.
    A call whose id is in `used_ids`, empty or too long gets a new id. The ids of all calls are added to the set.
    A generation that reaches a limit is closed there. The event loop gets its turn every HOLD_S at least,
    also when the model never awaits.

    Raises BackendError for anything that is not a delta, for sound of a model with voices="none", and for
    `Heard(final=False)` of a model that does not stream its input.
    """
    if not isinstance(deltas, _GENERATORS):
        kind = type(deltas).__name__
        raise BackendError(f"generate of model {model.name!r} returned {kind}; write it as an `async def` that yields")
    able = model.capabilities
    meter = _Meter(model, limits)
    sound: PcmStream | None = None
    end: End | None = None
    async with aclosing(deltas) as stream:
        async for delta in stream:
            if meter.held_too_long():
                await asyncio.sleep(0)
            delta = meter.cut(check_delta(model.name, delta))
            if isinstance(delta, End):
                end = delta
                break
            if isinstance(delta, AudioDelta):
                if able.voices == "none":
                    raise BackendError(f"model {model.name!r} made sound, but its capabilities say voices='none'")
                sound = sound or PcmStream(able.sample_rate_hz)
                if delta.audio.duration > LONG_S:
                    piece = await asyncio.to_thread(sound.push, delta.audio)
                else:
                    piece = sound.push(delta.audio)
                if options.speak and len(piece):
                    yield AudioDelta(piece)
            elif isinstance(delta, CallDelta) and not able.calls_tools:
                raise BackendError(f"model {model.name!r} called a tool, but its capabilities say calls_tools=False")
            elif isinstance(delta, CallDelta):
                yield meter.checked_call(_with_own_id(delta, used_ids))
            elif isinstance(delta, Heard) and not delta.final and not able.streams_input:
                raise BackendError(
                    f"model {model.name!r} emitted Heard(final=False), but its capabilities say streams_input=False"
                )
            else:
                if isinstance(delta, TokensDelta):
                    meter.check_codec(delta.tokens)
                yield delta
            if meter.is_full():
                end = End("length")
                break
    if sound is not None and len(rest := sound.finish()) and options.speak:
        yield AudioDelta(rest)
    usage = meter.usage()
    yield End(usage=usage) if end is None else End(end.reason, {**usage, **end.usage})


class _Meter:
    """Counts what one generation has taken of its limits."""

    def __init__(self, model: SpeechLM, limits: Limits) -> None:
        self._name, self._limits = model.name, limits
        self._calls, self._characters, self._sound_s, self._tokens_s = 0, 0, 0.0, 0.0
        self._words = 0  # characters of the answer, without those of citations
        self._codec: tuple[str, float] | None = None
        self._loop_ran = time.perf_counter()

    def held_too_long(self) -> bool:
        """Whether the event loop may have waited for HOLD_S; the caller then lets it run."""
        now = time.perf_counter()
        if now - self._loop_ran < HOLD_S:
            return False
        self._loop_ran = now
        return True

    def checked_call(self, delta: CallDelta) -> CallDelta:
        """The call, with a problem when it is beyond a limit. Arguments that are beyond one are dropped."""
        self._calls += 1
        if too_much := self._limits.problem(delta.call.arguments):
            delta = replace(delta, call=replace(delta.call, arguments={}), problem=too_much)
        if self._calls > self._limits.calls_per_step:
            allowed = self._limits.calls_per_step
            problem = f"Only {allowed} calls of one step are run (Limits.calls_per_step); make this call in the next."
            delta = replace(delta, problem=problem)
        return delta

    def check_codec(self, tokens: SpeechTokens) -> None:
        """Raises BackendError when the codec changes within the generation."""
        codec = tokens.codec, tokens.rate_hz
        self._codec = self._codec or codec
        if codec != self._codec:
            raise BackendError(f"model {self._name!r} changed its codec from {self._codec} to {codec} in one answer")

    def cut(self, delta: Delta) -> Delta:
        """The part of a delta that is within the limits. Counts it, but for calls."""
        characters, sound_s = self._limits.characters, self._limits.sound_s
        match delta:
            case CallDelta() | End():
                pass
            case TextDelta(text=text):
                delta = TextDelta(text[:characters]) if len(text) > characters else delta
                self._characters += len(text)
                self._words += len(delta.text)
            case Heard(text=text) if len(text) > characters:
                delta = replace(delta, text=text[:characters])
            case CitationDelta(citation=cited):
                self._characters += len(cited.title) + len(cited.source) + len(cited.quote)
            case UnspokenDelta(words=words):
                self._characters += sum(map(len, words))
            case AudioDelta(audio=audio):
                if audio.duration > sound_s - self._sound_s:
                    delta = AudioDelta(audio.slice(0.0, sound_s - self._sound_s))
                self._sound_s += audio.duration
            case TokensDelta(tokens=tokens):
                delta = TokensDelta(tokens.until(sound_s - self._tokens_s))
                self._tokens_s += len(tokens.ids) / tokens.rate_hz
        return delta

    def usage(self) -> dict[str, float]:
        """What can be counted for every model."""
        sound_s = round(max(self._sound_s, self._tokens_s), 3)
        return {"output_characters": self._words, "output_sound_s": sound_s}

    def is_full(self) -> bool:
        """Whether the generation must end here."""
        limits = self._limits
        if self._calls > limits.calls_per_step:
            name = "calls_per_step"
        elif self._characters >= limits.characters:
            name = "characters"
        elif max(self._sound_s, self._tokens_s) >= limits.sound_s:
            name = "sound_s"
        else:
            return False
        most = getattr(limits, name)
        log.warning("model %r reached Limits.%s (%s); its answer ends there", self._name, name, most)
        return True


def _with_own_id(delta: CallDelta, used_ids: set[str]) -> CallDelta:
    """The call with an id that no other has, and with a name of at most MAX_NAME_CHARS."""
    call, number = delta.call, 1
    wanted = call.id if 0 < len(call.id) <= MAX_NAME_CHARS else "call"
    call_id = wanted
    while call_id in used_ids:
        number += 1
        call_id = f"{wanted}-{number}"
    used_ids.add(call_id)
    name = call.name[:MAX_NAME_CHARS]
    if (call_id, name) == (call.id, call.name):
        return delta
    return replace(delta, call=replace(call, id=call_id, name=name))
