"""`checked`: check the deltas of a model against the protocol and the model's capabilities."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from agentaudio.conversation import Citation, SpeechTokens, ToolCall
from agentaudio.errors import BackendError
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
)
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream

LONG_S = 2.0
"""Sound from this length on is resampled in a thread, so that it does not hold up the event loop."""

_FIELDS: dict[type[Any], tuple[str, type[Any]]] = {
    Heard: ("text", str),
    TextDelta: ("text", str),
    AudioDelta: ("audio", Audio),
    TokensDelta: ("tokens", SpeechTokens),
    CallDelta: ("call", ToolCall),
    CitationDelta: ("citation", Citation),
    End: ("reason", str),
}


async def checked(
    model: SpeechLM, deltas: AsyncGenerator[Delta, None], options: GenerateOptions, used_ids: set[str]
) -> AsyncGenerator[Delta, None]:
    """Yield the deltas of one generation, with an `End` as the last; it is added if the model emits none.

    Sound is resampled to the model's `sample_rate_hz`, and dropped when `options.speak` is False.
    A call whose id is in `used_ids` gets a new id. The ids of all calls are added to the set.

    Raises BackendError for anything that is not a delta, for sound of a model with voices="none", and for
    `Heard(final=False)` of a model that does not stream its input.
    """
    able = model.capabilities
    sound: PcmStream | None = None
    end = End()
    async with aclosing(deltas) as stream:
        async for delta in stream:
            _check_type(model, delta)
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
            elif isinstance(delta, CallDelta):
                yield _with_own_id(delta, used_ids)
            elif isinstance(delta, Heard) and not delta.final and not able.streams_input:
                raise BackendError(
                    f"model {model.name!r} emitted Heard(final=False), but its capabilities say streams_input=False"
                )
            else:
                yield delta
    if sound is not None and len(rest := sound.finish()) and options.speak:
        yield AudioDelta(rest)
    yield end


def _check_type(model: SpeechLM, delta: object) -> None:
    if type(delta) not in _FIELDS:
        names = ", ".join(kind.__name__ for kind in _FIELDS)
        raise BackendError(
            f"model {model.name!r} emitted {delta!r:.200}, which is not a delta; a delta is one of {names}"
        )
    name, kind = _FIELDS[type(delta)]
    if not isinstance(value := getattr(delta, name), kind):
        raise BackendError(f"model {model.name!r} emitted {delta!r:.200}: its {name} is {type(value).__name__}")


def _with_own_id(delta: CallDelta, used_ids: set[str]) -> CallDelta:
    call, number = delta.call, 1
    call_id = call.id
    while call_id in used_ids:
        number += 1
        call_id = f"{call.id}-{number}"
    used_ids.add(call_id)
    return delta if call_id == call.id else replace(delta, call=replace(call, id=call_id))
