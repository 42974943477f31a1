"""Reads calls that models write with tags or Python in place of JSON: Qwen3-Coder, GLM, Mistral, LFM and others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from agentaudio.conversation import ToolSpec
from agentaudio.model.call_arguments import read_arguments, read_json
from agentaudio.model.loose_calls import LooseCall, literal

_FUNCTION = re.compile(r"\s*<function=([\w.\-]+)>\s*(.*?)\s*</function>\s*", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([\w.\-]+)>\n?(.*?)\n?</parameter>\s*", re.DOTALL)
_KEYED = re.compile(r"\s*([\w.\-]+)\s*((?:<arg_key>.*?</arg_value>\s*)*)", re.DOTALL)
_KEY = re.compile(r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>\s*", re.DOTALL)
_ARGS = re.compile(r"\s*([\w.\-]+)\s*(?:\[CALL_ID\][\w\-]*)?\[ARGS\]\s*(.*)", re.DOTALL)


def tagged_calls(text: str, tools: Mapping[str, ToolSpec], *, whole: bool) -> list[LooseCall]:
    """The calls in the text of a frame; none when a part of it is anything else.

    tools: their schemas decide whether a value between tags is text or JSON
    whole: False for a text that was cut off, whose last values may be missing
    """
    for read in (_functions, _keyed, _mistral, _python) if whole else (_mistral, _python):
        try:
            if found := read(text, tools):
                return found
        except ValueError:
            continue
    return []


def _functions(text: str, tools: Mapping[str, ToolSpec]) -> list[LooseCall]:
    """<function=NAME> <parameter=KEY> VALUE </parameter> </function>"""
    found = []
    for name, body in _each(_FUNCTION, text):
        found.append(LooseCall(name, _typed(name, dict(_each(_PARAMETER, body)), tools)))
    return found


def _keyed(text: str, tools: Mapping[str, ToolSpec]) -> list[LooseCall]:
    """NAME <arg_key>KEY</arg_key> <arg_value>VALUE</arg_value>"""
    match = _KEYED.fullmatch(text)
    if match is None or not match[2]:
        return []
    return [LooseCall(match[1], _typed(match[1], dict(_each(_KEY, match[2])), tools))]


def _mistral(text: str, tools: Mapping[str, ToolSpec]) -> list[LooseCall]:
    """NAME[ARGS]{...}, also with an id, and several behind each other"""
    found = []
    for piece in text.split("[TOOL_CALLS]"):
        match = _ARGS.fullmatch(piece)
        if match is None:
            return []
        arguments, problem = read_arguments(match[2])
        found.append(LooseCall(match[1], arguments, problem))
    return found


def _python(text: str, tools: Mapping[str, ToolSpec]) -> list[LooseCall]:
    """[NAME(KEY=VALUE), ...]"""
    if not text.strip().startswith("["):
        return []
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, MemoryError, RecursionError):
        return []
    found = []
    for call in node.elts if isinstance(node, ast.List) else ():
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            return []
        keywords = {str(one.arg): literal(one.value) for one in call.keywords if one.arg is not None}
        found.append(LooseCall(call.func.id, keywords))
    return found


def _each(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """The two groups of successive matches. Raises ValueError for text between them."""
    place = 0
    while place < len(text):
        match = pattern.match(text, place)
        if match is None or match.end() == place:
            raise ValueError(text[place : place + 20])
        yield match[1], match[2]
        place = match.end()


def _typed(name: str, given: Mapping[str, str], tools: Mapping[str, ToolSpec]) -> dict[str, object]:
    """The values of tags: JSON where the schema asks for anything but text and the value is JSON."""
    known = tools[name].parameters.get("properties") or {} if name in tools else {}
    return {key: _value(text, known.get(key)) for key, text in given.items()}


def _value(text: str, schema: object) -> object:
    if isinstance(schema, Mapping) and schema.get("type") == "string":
        return text
    try:
        return read_json(text.strip())
    except ValueError:
        return text
