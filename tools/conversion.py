"""`converted`: scalars of other types converted to those of a JSON Schema, as for the arguments of a typed function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

MAX_DEPTH = 32
_TYPES: dict[str, TypeAdapter[Any]] = {
    "integer": TypeAdapter(int),
    "number": TypeAdapter(float),
    "boolean": TypeAdapter(bool),
    "string": TypeAdapter(str, config=ConfigDict(coerce_numbers_to_str=True)),
}


def converted(value: Any, schema: Any, root: Mapping[str, Any], depth: int = 0) -> Any:
    """The value with every scalar, also inside objects and arrays, in the type that the schema names for it.

    root: the whole schema, for its references

    "500" becomes 500 where an integer is wanted, and 500 becomes "500" where a string is. A value that has a wanted
    type, that several types could be meant for, or that does not convert, stays as it is.
    """
    schema = _resolved(schema, root)
    if schema is None or depth > MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        known = schema.get("properties")
        known = known if isinstance(known, Mapping) else {}
        others = schema.get("additionalProperties")
        return {name: converted(one, known.get(name, others), root, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [converted(one, schema.get("items"), root, depth + 1) for one in value]
    wanted = _types(schema)
    if value is None or _type_of(value) in wanted or (_type_of(value) == "integer" and "number" in wanted):
        return value
    if len(wanted - {"null"}) != 1 or _is_choice(value, schema):
        return value
    try:
        return _TYPES[(wanted - {"null"}).pop()].validate_python(value)
    except (KeyError, ValidationError):
        return value


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema with references followed, and X for `anyOf [X, null]`; None when it says nothing about types."""
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, Mapping):
            return None
        reference = schema.get("$ref")
        options = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(reference, str) and reference.startswith("#/"):
            schema = root
            for step in reference[2:].split("/"):
                schema = schema.get(step) if isinstance(schema, Mapping) else None
        elif isinstance(options, list):
            real = [one for one in options if not (isinstance(one, Mapping) and one.get("type") == "null")]
            if len(real) != 1:
                return None
            schema = real[0]
        else:
            return schema
    return None


def _types(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type")
    return {one for one in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(one, str)}


def _is_choice(value: Any, schema: Mapping[str, Any]) -> bool:
    choices = schema.get("enum")
    return isinstance(choices, list) and any(type(one) is type(value) and one == value for one in choices)


def _type_of(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")):
        if isinstance(value, kind):
            return name
    return ""
