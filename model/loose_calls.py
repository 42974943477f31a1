"""Reads calls as models write them into text: JSON of several forms, and Python-like calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentaudio.model.call_arguments import read_json, repaired_object

MAX_DEPTH = 4
_ARGUMENTS = ("arguments", "parameters", "args", "input", "kwargs")
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_]\w*)(\s*:)")
_BARE_VALUE = re.compile(r"(:\s*)(?!true\b|false\b|null\b)([A-Za-z_][\w.\-]*)(\s*[,}])")
_NAME = r"\s*(?:function\s+)?(?:functions\.)?([\w.\-]+)(?::\d+)?\s*"
_NAMED = re.compile(_NAME + r"(?:<[^<>]*>)?\s*(\{.*\}|)\s*", re.DOTALL)
_FENCED = re.compile(r"\s*```[A-Za-z_]*\s*(.*?)\s*```\s*", re.DOTALL)
_CALLED = re.compile(r"\s*\[?" + _NAME + r"\((.*)\)\s*\]?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LooseCall:
    """A call in a text. problem: what is wrong with it, for the model"""

    name: str
    arguments: Mapping[str, Any]
    problem: str | None = None


def json_calls(text: str, tools: Mapping[str, Any], *, strict: bool = False) -> list[LooseCall]:
    """The calls in a text: one object or several, a name with an object below or behind it, or `name(key=value)`, each
    also in a code fence.

    strict: only calls of `tools`, or objects that have both a name and arguments; otherwise the text was framed
        as a call, and any name counts
    """
    if (fenced := _FENCED.fullmatch(text)) is not None:
        text = fenced[1]
    value = _read(text)
    if value is not None:
        return list(_calls(value, tools, strict, MAX_DEPTH))
    if strict:
        return []
    found = [_read(piece) for piece in _pieces(text)]
    if found and all(one is not None for one in found):
        return [call for one in found for call in _calls(one, tools, strict, MAX_DEPTH)]
    named = _NAMED.fullmatch(text)
    if named and (arguments := _read(named[2] or "{}")) is not None and isinstance(arguments, dict):
        return [LooseCall(named[1], arguments)]
    called = _CALLED.fullmatch(text)
    call = keyword_call(called[1], called[2]) if called else None
    return [call] if call else []


def keyword_call(name: str, body: str) -> LooseCall | None:
    """`name(BODY)`, where the body is a JSON object or Python keywords with literal values; None for anything else."""
    body = body.strip()
    if not body:
        return LooseCall(name, {})
    if body.startswith("{"):
        value = _read(body)
        return LooseCall(name, value) if isinstance(value, dict) else None
    try:
        call = ast.parse(f"f({body})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            return None
        return LooseCall(name, {str(one.arg): literal(one.value) for one in call.keywords if one.arg is not None})
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def literal(node: ast.expr) -> Any:
    """The JSON value of a Python literal. Raises ValueError for anything else."""
    if isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.id]
    value = ast.literal_eval(node)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if isinstance(value, bytes | complex) or value is Ellipsis:
        raise ValueError("no JSON value")
    return value


def _calls(value: Any, tools: Mapping[str, Any], strict: bool, depth: int) -> Iterator[LooseCall]:
    if depth <= 0:
        return
    if isinstance(value, list):
        for one in value:
            yield from _calls(one, tools, strict, depth - 1)
        return
    if not isinstance(value, dict):
        return
    if isinstance(value.get("tool_calls"), list):
        yield from _calls(value["tool_calls"], tools, strict, depth - 1)
        return
    inner = value.get("function")
    if isinstance(inner, dict):
        yield from _calls(inner, tools, strict, depth - 1)
        return
    keys = ("name", "tool", "tool_name", "function", "action", "type")
    named = [(key, str(value[key]).removeprefix("functions.")) for key in keys if isinstance(value.get(key), str)]
    key, name = next((one for one in named if one[1] in tools), next(iter(named), ("", "")))
    given = next((one for one in _ARGUMENTS if one in value), None)
    if not name or (name not in tools and (strict and given is None or key == "type")):
        return
    arguments = value[given] if given is not None else {one: value[one] for one in value if one not in keys + ("id",)}
    if isinstance(arguments, str):
        arguments = _read(arguments)
    if isinstance(arguments, dict):
        yield LooseCall(name, arguments)
    elif arguments is None and given is not None and value[given] is None:
        yield LooseCall(name, {})
    else:
        yield LooseCall(name, {}, f"The arguments of {name} are not a JSON object. Send them again as one object.")


def _read(text: str) -> Any:
    """JSON, also with bare or single-quoted names, as some models write it; None for anything else."""
    text = text.strip()
    if not text or text[0] not in "{[":
        return None
    try:
        return read_json(text)
    except ValueError:
        pass
    if (repaired := repaired_object(text)) is not None:
        return repaired
    try:
        quoted = _BARE_VALUE.sub(r'\1"\2"\3', _BARE_KEY.sub(r'\1"\2"\3', text))
        return read_json(quoted)
    except ValueError:
        return None


def _pieces(text: str) -> list[str]:
    """The lines or `;`-separated pieces of a text with several objects."""
    return [piece for piece in re.split(r"(?<=\})\s*[;\n,]?\s*(?=\{)", text.strip()) if piece]
