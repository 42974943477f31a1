"""Placeholders: `{name}` in a text, replaced by a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agentaudio.errors import ToolError

BRACES = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*(?:\.\w+)*)\}")


def placeholders(value: Any) -> Iterator[str]:
    """The names in the placeholders of all texts inside a value, such as `city` or `place.latitude`."""
    if isinstance(value, str):
        yield from (found[1] for found in BRACES.finditer(value) if found[1])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from placeholders(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from placeholders(item)


def fill(text: str, values: Mapping[str, Any], quote: Callable[[str], str] = str, *, joint: str = ", ") -> str:
    """The text with its placeholders replaced; `{{` and `}}` stand for braces.

    quote: escapes a value for the place it is put in
    joint: put between the items of a list

    Raises ToolError for a placeholder without a value.
    """

    def filled(found: re.Match[str]) -> str:
        return quote(as_text(look_up(found[1], values), joint)) if found[1] else found[0][0]

    return BRACES.sub(filled, text)


def fill_all(value: Any, values: Mapping[str, Any]) -> Any:
    """`fill` for every text inside a value. A text that is a single placeholder becomes its value, with its type."""
    if isinstance(value, str):
        whole = BRACES.fullmatch(value)
        return look_up(whole[1], values) if whole and whole[1] else fill(value, values)
    if isinstance(value, Mapping):
        return {key: fill_all(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_all(item, values) for item in value]
    return value


def look_up(name: str, values: Mapping[str, Any]) -> Any:
    """The value of a dotted name such as `place.latitude`. Raises ToolError when it is missing."""
    value: Any = values
    for step in name.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise ToolError(f"the answer of the service has no {name}")
    return value


def as_text(value: Any, joint: str = ", ") -> str:
    """A value as text: null is empty, booleans are `true` and `false`, lists their items, mappings JSON.

    joint: put between the items of a list
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple) and not any(isinstance(item, list | tuple | Mapping) for item in value):
        return joint.join(as_text(item) for item in value)
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
