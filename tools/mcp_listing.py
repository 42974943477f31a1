"""The tools that an MCP server lists, within bounds: names, descriptions and schemas that models may read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from agentaudio.errors import OptionError
from agentaudio.quotation import visible
from agentaudio.tools.quoting import excerpt

MAX_TOOLS = 200
"""Most tools of one server; the others are left out."""
MAX_PAGES = 50
"""Most pages of one list."""
MAX_DESCRIPTION_CHARS = 2_000
MAX_SCHEMA_CHARS = 20_000
MAX_SCHEMA_DEPTH = 20
MAX_NAME_CHARS = 64
"""Longest name that models call; a server's own may be four times as long."""

_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def screened(tools: list[Any], report: Callable[[str, str], None]) -> list[dict[str, Any]]:
    """The tools of a page, as they came from the server, with checked fields only.

    report: called with the name of a tool that is left out, and why
    """
    kept: list[dict[str, Any]] = []
    for listed in tools:
        if len(kept) == MAX_TOOLS:
            report("...", f"there are more than {MAX_TOOLS}")
            break
        name = listed.get("name") if isinstance(listed, dict) else listed
        try:
            if not isinstance(listed, dict) or not isinstance(name, str):
                raise OptionError(f"it is {type(listed).__name__} without a name")
            kept.append(_screened_tool(name, listed))
        except OptionError as error:
            report(excerpt(str(name)[:MAX_NAME_CHARS]), str(error))
    return kept


def _screened_tool(name: str, listed: dict[str, Any]) -> dict[str, Any]:
    if len(name) > 4 * MAX_NAME_CHARS:
        raise OptionError(f"its name has {len(name)} characters, more than {4 * MAX_NAME_CHARS}")
    checked_name(name)
    text = next((listed[key] for key in ("description", "title") if listed.get(key)), name)
    schema = listed.get("inputSchema")
    if not isinstance(text, str) or not isinstance(schema, dict):
        raise OptionError("its description is not a text, or its schema not an object")
    hints = listed.get("annotations")
    return {
        "name": name,
        "description": checked_description(text),
        "inputSchema": checked_schema(schema),
        "annotations": {key: hints[key] for key in _HINTS if isinstance(hints.get(key), bool)}
        if isinstance(hints, dict)
        else None,
    }


def checked_name(name: str) -> str:
    """A name that models can call, of letters, digits, `_` and `-`. Raises OptionError for an empty one."""
    changed = re.sub(r"[^A-Za-z0-9_-]", "_", name[: 2 * MAX_NAME_CHARS])
    if not re.search(r"[A-Za-z0-9]", changed):
        raise OptionError("its name has no letter or digit")
    if not re.match(r"[A-Za-z_]", changed):
        changed = f"_{changed}"
    return changed[:MAX_NAME_CHARS]


def checked_description(text: str) -> str:
    """The description without invisible characters, cut to MAX_DESCRIPTION_CHARS."""
    plain = visible(text[: MAX_DESCRIPTION_CHARS + 1]).strip()
    return plain if len(plain) <= MAX_DESCRIPTION_CHARS else plain[: MAX_DESCRIPTION_CHARS - 1] + "…"


def checked_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without invisible characters in its texts. Raises OptionError when it is too long or malformed."""
    try:
        size = len(json.dumps(schema))
    except (ValueError, TypeError, RecursionError):
        raise OptionError(f"its schema is not JSON, or nested more than {MAX_SCHEMA_DEPTH} deep") from None
    if size > MAX_SCHEMA_CHARS:
        raise OptionError(f"its schema has {size} characters, more than {MAX_SCHEMA_CHARS}")
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type", "object") != "object" or not isinstance(properties, dict):
        raise OptionError("its schema is not that of an object")
    for name, one in properties.items():
        if not isinstance(one, dict | bool):
            raise OptionError(f"its schema describes the argument {name[:MAX_NAME_CHARS]!r} by {type(one).__name__}")
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise OptionError("its schema requires arguments that are not names")
    return {"type": "object", **_cleaned(schema, 0)}


def _cleaned(value: Any, depth: int) -> Any:
    if depth > MAX_SCHEMA_DEPTH:
        raise OptionError(f"its schema is nested more than {MAX_SCHEMA_DEPTH} deep")
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    if isinstance(value, dict):
        if unclear := next((name for name in value if visible(name) != name or "\n" in name), None):
            raise OptionError(f"its schema has the name {ascii(unclear)[:MAX_NAME_CHARS]}, with invisible characters")
        return {name: _cleaned(item, depth + 1) for name, item in value.items()}
    return value
