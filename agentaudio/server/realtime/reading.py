"""`read_event`: a message of a WebSocket as a client event."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from agentaudio.server.realtime.refusal import Refusal

LONGEST_EVENT_ID = 512
DEEPEST = 64
"""Levels of objects and lists in an event; schemas of tools have a dozen."""
_SURROGATE = re.compile(r"\\ud[89a-f]", re.IGNORECASE)
_HALF = re.compile("[\ud800-\udfff]")


def read_event(message: str | bytes) -> Mapping[str, Any]:
    """The event. Half a surrogate pair, which no text may hold, becomes U+FFFD. Raises Refusal."""
    try:
        text = message.decode("utf-8") if isinstance(message, bytes) else message
        event: Any = _JSON.decode(text)
    except (ValueError, RecursionError):
        raise Refusal("The event is not valid JSON.", code="invalid_json") from None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise Refusal("The event must be an object with a 'type'.", code="invalid_event", param="type")
    if text.count("[") + text.count("{") > DEEPEST and _is_deeper(event, DEEPEST):
        raise Refusal(f"The event has more than {DEEPEST} levels of objects and lists.", code="invalid_event")
    if _SURROGATE.search(text):
        event = _whole(event)
    found: Mapping[str, Any] = event
    return found


def read_settings(text: str) -> Any:
    """JSON of a client that is not an event, as `checked` gives it. Raises Refusal."""
    try:
        value = _JSON.decode(text)
    except (ValueError, RecursionError):
        raise Refusal("This is not valid JSON.", code="invalid_json") from None
    return checked(value)


def checked(value: Any) -> Any:
    """Data of a client, as `read_event` gives events. Raises Refusal for too many levels, and for NaN and infinity."""
    if _is_deeper(value, DEEPEST):
        raise Refusal(f"There are more than {DEEPEST} levels of objects and lists.", code="invalid_value")
    return _whole(value)


def event_id(event: Any) -> str | None:
    """The id that a client gave its event."""
    found = event.get("event_id") if isinstance(event, Mapping) else None
    return found if isinstance(found, str) and len(found) <= LONGEST_EVENT_ID else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    found = float(number)
    if not math.isfinite(found):
        raise ValueError(f"{number[:20]} is too large a number")
    return found


_JSON = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if not levels:
        return True
    return any(_is_deeper(one, levels - 1) for one in (value.values() if isinstance(value, dict) else value))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal("A number is too large, or is not a number.", code="invalid_value")
    if isinstance(value, dict):
        return {_whole(name): _whole(one) for name, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value
