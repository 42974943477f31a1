"""Reads the arguments of a call: strict JSON, or broken JSON that can be repaired without guessing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from agentaudio.conversation import ToolSpec

MAX_DEPTH = 32
"""Deepest nesting that is accepted."""
MAX_DIGITS = 300
"""Longest integer; a float64 cannot hold more than 309 digits."""
MAX_NAMES, MAX_NAME_CHARS = 6, 64
"""Most unknown arguments that a message names, and characters of each."""
MAX_REPAIR_CHARS = 4_000
"""Longest text that is repaired."""


class Refused(ValueError):
    """Valid JSON that no tool should get: NaN, infinity, numbers out of range, deep nesting."""


def read_json(text: str) -> Any:
    """Parse strict JSON. Unpaired surrogates become question marks; the last of equal keys counts.

    Raises Refused for what no tool should get, and ValueError for any other text that is not JSON.
    """
    return _read(text, strict=True)


def read_arguments(given: object) -> tuple[dict[str, Any], str | None]:
    """The arguments of a call as a server sends them, JSON or already an object; and what is wrong, for the model.

    Empty text stands for no arguments. Broken JSON is repaired where that needs no guess.
    """
    problem = None
    value = given
    if isinstance(given, str):
        text = given.strip()
        try:
            value = read_json(text) if text else {}
            if isinstance(value, str):  # JSON in JSON
                value = read_json(value)
        except ValueError as error:
            value = repaired_object(text)
            if value is None:
                problem = f"The arguments are not valid JSON ({error}). Send them again as one JSON object."
    if isinstance(value, dict):
        return value, problem
    return {}, problem or "The arguments are not a JSON object. Send them again as one object."


def repaired_object(text: str) -> dict[str, Any] | None:
    """The object that broken JSON stands for, if it has the same words in the same order; else None.

    Control characters in strings, such as line breaks, are accepted. Other repairs are made by the
    library json-repair, where it is installed, and then checked: no word may be added or lost.
    """
    try:
        value = _read(text, strict=False)
        return value if isinstance(value, dict) else None
    except Refused:
        return None
    except ValueError:
        pass
    # json-repair would complete a text that ends before a value with a guess.
    if len(text) > MAX_REPAIR_CHARS or not text.startswith("{") or text[-1] in ":,[{":
        return None
    try:
        import json_repair  # type: ignore[import-not-found, unused-ignore]

        value = _cleaned(json_repair.loads(text, skip_json_loads=True), MAX_DEPTH)
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ImportError, ValueError, RecursionError, TypeError, IndexError):
        return None
    if not isinstance(value, dict) or _words(written) != _words(text):
        return None
    invented = written.count('""') > text.count('""') + text.count("''")
    # A quote at the edge of a string means that the strings were split in the wrong places.
    misquoted = "'\"" in written or "\"'" in written
    return None if invented or misquoted else value


def misfit(tool: ToolSpec, arguments: Mapping[str, Any]) -> str | None:
    """What keeps arguments from fitting the top level of a tool's schema, for the model; None when they fit."""
    known = tool.parameters.get("properties") or {}
    missing = [name for name in tool.parameters.get("required") or () if name not in arguments]
    if missing:
        return f"{tool.name} needs {', '.join(map(repr, missing))}; call it again with that"
    extra = [name for name in arguments if name not in known]
    if extra and tool.parameters.get("additionalProperties") is False:
        takes = ", ".join(map(repr, known)) or "no arguments"
        named = ", ".join(repr(name[:MAX_NAME_CHARS]) for name in extra[:MAX_NAMES])
        return f"{tool.name} does not take {named}; it takes {takes}"
    return None


def _read(text: str, strict: bool) -> Any:
    try:
        value = json.loads(text, parse_constant=_constant, parse_float=_float, parse_int=_int, strict=strict)
    except RecursionError:
        raise Refused(f"nested deeper than {MAX_DEPTH}") from None
    return _cleaned(value, MAX_DEPTH)


def _constant(name: str) -> Any:
    raise Refused(f"{name} is not a JSON number")


def _float(digits: str) -> float:
    if math.isfinite(number := float(digits)):
        return number
    raise Refused(f"{digits[:20]} is out of range")


def _int(digits: str) -> int:
    if len(digits) <= MAX_DIGITS:
        return int(digits)
    raise Refused(f"a number of {len(digits)} digits is out of range")


def _cleaned(value: Any, depth: int) -> Any:
    if depth < 0:
        raise Refused(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_cleaned(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {_cleaned(key, 0): _cleaned(item, depth - 1) for key, item in value.items()}
    return value


def _words(text: str) -> str:
    return "".join(re.findall(r"[\w.+-]+", text)).lower()
