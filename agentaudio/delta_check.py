"""`check_delta`: refuse what a model emits that is not a well-formed delta."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from types import NoneType
from typing import Any, get_args

from agentaudio.conversation import Citation, SpeechTokens, ToolCall
from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    Delta,
    End,
    EndReason,
    Heard,
    TextDelta,
    TokensDelta,
    UnspokenDelta,
)
from agentaudio.sound.audio import Audio

MAX_COUNTS = 100
_NUMBER = (int, float)
_MAPPING = (dict, Mapping)  # the first for speed: asking Mapping is slow
_FIELDS: dict[type[Any], dict[str, type | tuple[type, ...]]] = {
    Heard: {"text": str, "confidence": (*_NUMBER, NoneType), "final": bool},
    TextDelta: {"text": str},
    AudioDelta: {"audio": Audio},
    TokensDelta: {"tokens": SpeechTokens, "tokens.ids": tuple, "tokens.codec": str, "tokens.rate_hz": _NUMBER},
    CallDelta: {
        "call": ToolCall,
        "call.id": str,
        "call.name": str,
        "call.arguments": _MAPPING,
        "problem": (str, NoneType),
        "is_native": bool,
    },
    CitationDelta: {
        "citation": Citation,
        "citation.title": str,
        "citation.source": str,
        "citation.quote": str,
        "citation.position": int,
    },
    UnspokenDelta: {"words": tuple},
    End: {"reason": str, "usage": _MAPPING},
}
_CHECKS = {
    delta: [(name, attrgetter(name), kinds) for name, kinds in fields.items()] for delta, fields in _FIELDS.items()
}
_RANGED = (Heard, TokensDelta, UnspokenDelta, End)  # the only ones whose values have a range
_REASONS = get_args(EndReason)


def check_delta(model: str, delta: Delta) -> Delta:
    """Return the delta, with lone surrogates in its words replaced by "?": they can be neither printed nor sent.

    model: name of the model, for messages

    Raises BackendError, which names the value, for anything that is not a delta, and for a field of a wrong type or
    outside its range.
    """
    if type(delta) not in _FIELDS:
        names = ", ".join(kind.__name__ for kind in _FIELDS)
        raise BackendError(f"model {model!r} emitted {_shown(delta)}, which is not a delta; a delta is one of {names}")
    for name, value_of, kinds in _CHECKS[type(delta)]:
        if not isinstance(value := value_of(delta), kinds):
            raise BackendError(f"model {model!r} emitted {_shown(delta)}: its {name} is {type(value).__name__}")
    if type(delta) in _RANGED and (problem := _out_of_range(delta)):
        raise BackendError(f"model {model!r} emitted {_shown(delta)}: {problem}")
    if isinstance(delta, (TextDelta, Heard)) and not delta.text.isascii():
        text = delta.text.encode("utf-8", "replace").decode()
        return delta if text == delta.text else replace(delta, text=text)
    return delta


def _shown(delta: object) -> str:
    """A value in at most 200 characters. Of a delta only the kind: its whole `repr` may take seconds."""
    if type(delta) in _FIELDS:
        return type(delta).__name__
    try:
        return reprlib.repr(delta)[:200]
    except Exception:
        return f"a {type(delta).__name__}"


def _out_of_range(delta: Delta) -> str | None:
    match delta:
        case Heard(confidence=float() | int() as confidence) if not 0 <= confidence <= 1:
            return f"its confidence is {confidence}; give a number from 0 to 1, or None"
        case TokensDelta(tokens=tokens):
            if not 0 < tokens.rate_hz < math.inf:
                return f"its tokens.rate_hz is {tokens.rate_hz}; give a number above 0"
            if wrong := [one for one in tokens.ids if not isinstance(one, int)]:
                return f"its tokens.ids hold {type(wrong[0]).__name__}; give int"
        case UnspokenDelta(words=words):
            if others := [one for one in words if not isinstance(one, str)]:
                return f"its words hold {type(others[0]).__name__}; give str"
        case End(reason=reason, usage=usage):
            if reason not in _REASONS:
                return f"its reason is {reason!r}; known: {', '.join(_REASONS)}"
            if len(usage) > MAX_COUNTS:
                return f"its usage has {len(usage)} counts; give at most {MAX_COUNTS}"
            for name, count in usage.items():
                if not isinstance(name, str):
                    return f"its usage has the name {name!r}; give a str"
                if not isinstance(count, _NUMBER) or not math.isfinite(count):
                    return f"its usage of {name} is {count!r}; give a finite number"
    return None
