"""`{name}` in a text: where a value is filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agentaudio.errors import ToolError

_BRACES = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*(?:\.\w+)*)\}")


def placeholders(value: Any) -> Iterator[str]:
    """The names, such as `city` or `place.latitude`, that a text, or any text inside a value, asks for."""
    if isinstance(value, str):
        yield from (found[1] for found in _BRACES.finditer(value) if found[1])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from placeholders(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from placeholders(item)


def fill(text: str, values: Mapping[str, Any], quote: Callable[[str], str] = str) -> str:
    """The text with its values; `{{` and `}}` stand for braces. quote: makes a value fit its place."""

    def filled(found: re.Match[str]) -> str:
        return quote(written(look_up(found[1], values))) if found[1] else found[0][0]

    return _BRACES.sub(filled, text)


def fill_all(value: Any, values: Mapping[str, Any]) -> Any:
    """Every text inside a value filled in; one that is nothing but a placeholder keeps the type of its value."""
    if isinstance(value, str):
        whole = _BRACES.fullmatch(value)
        return look_up(whole[1], values) if whole and whole[1] else fill(value, values)
    if isinstance(value, Mapping):
        return {key: fill_all(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_all(item, values) for item in value]
    return value


def look_up(name: str, values: Mapping[str, Any]) -> Any:
    """The value of `place.latitude`. Raises ToolError when an answer came without it."""
    value: Any = values
    for step in name.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise ToolError(f"the answer of the service has no {name}")
    return value


def written(value: Any) -> str:
    """A value as it is written into a text: null as nothing, true and false in small letters."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
