"""`filled_body`: the body of a request, in which no value can add a field or leave its place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode
from xml.sax.saxutils import escape

from agentaudio.tools.declarative.placeholder import BRACES, as_text, fill, fill_all, look_up

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_FIELD = r"[\w.\[\]%-]+=[^&=\s]*"
_LOOKS_LIKE_FORM = re.compile(rf"\s*{_FIELD}(?:&{_FIELD})*\s*")
_LOOKS_LIKE_JSON = re.compile(r"\s*(?:\{\{|\[)")


def filled_body(body: Any, kind: str, known: Mapping[str, Any]) -> tuple[bytes | None, str | None]:
    """The content of a body with its placeholders filled, and its content type; None where there is nothing to add.

    body: of the tool file. A mapping or list becomes JSON, or form fields where `kind` says so; a string is a text
        of that kind, whose values are escaped for it.
    kind: content type in the headers of the tool file; empty when they have none, and then a string that looks like
        a form or JSON is one

    Raises ToolError for a placeholder without a value.
    """
    if body is None:
        return None, None
    named = kind.partition(";")[0].strip().lower()
    if not isinstance(body, str):
        if named == FORM and isinstance(body, Mapping):
            return urlencode(_fields(fill_all(body, known)), doseq=True).encode(), None
        return _json(fill_all(body, known)), JSON
    if named == FORM or (not named and _LOOKS_LIKE_FORM.fullmatch(body)):
        return fill(body, known, quote_plus, joint=",").encode(), FORM
    if named.endswith(("/json", "+json")) or (not named and _LOOKS_LIKE_JSON.match(body)):
        return _filled_json(body, known).encode(), None
    if named.endswith(("/xml", "+xml", "/html")):
        return fill(body, known, _in_xml).encode(), None
    whole = BRACES.fullmatch(body)
    value = look_up(whole[1], known) if whole and whole[1] else fill(body, known)
    if isinstance(value, str) or value is None:
        return (None if value is None else value.encode()), None
    return _json(value), JSON


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [as_text(item) for item in value] if isinstance(value, list) else as_text(value)
        for name, value in values.items()
        if value is not None
    }


def _in_xml(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;"})


def _filled_json(text: str, known: Mapping[str, Any]) -> str:
    """A text in JSON with its placeholders filled: inside a string as its characters, elsewhere as a JSON value."""
    inside = False
    last = 0

    def filled(found: re.Match[str]) -> str:
        nonlocal inside, last
        before, last = text[last : found.start()], found.end()
        inside ^= len(re.findall(r'(?<!\\)(?:\\\\)*"', before)) % 2 == 1
        if not found[1]:
            return found[0][0]
        value = look_up(found[1], known)
        return json.dumps(as_text(value))[1:-1] if inside else json.dumps(value, ensure_ascii=False)

    return BRACES.sub(filled, text)
