"""The description of the server's HTTP interface that it gives at `/openapi.json`, for tools that read OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
"""The body of every answer with a status of 400 or more, except those of `/readyz`."""
OPEN = ("/healthz", "/readyz", "/v1/audio/models", "/kokoro/v1/audio/models")
"""Paths that need no key."""


def form_body(
    texts: Mapping[str, int],
    files: Iterable[str] = (),
    *,
    required: Iterable[str] = (),
    or_else: Mapping[str, Any] = {},
) -> dict[str, Any]:
    """`openapi_extra` of a route that reads a form.

    texts: names of its fields, each with the most characters; files: names of those that hold files
    or_else: content types that it takes instead, each with a schema
    """
    properties: dict[str, Any] = {name: {"type": "string", "maxLength": most} for name, most in texts.items()}
    properties |= {name: {"type": "string", "format": "binary"} for name in files}
    form = {"type": "object", "properties": properties, "required": list(required)}
    content = {"multipart/form-data": {"schema": form}} | {kind: {"schema": one} for kind, one in or_else.items()}
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI) -> None:
    """Let the application describe keys and errors as they are."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # errors have another shape here
        schemas.pop(name, None)
    schemas["Error"] = dict(ERROR)
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    refused = {
        "description": "It is refused, or it failed.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if path in OPEN:
                continue
            operation["security"] = [{"key": []}]
            operation["responses"] |= {"4XX": refused, "5XX": refused}
    return schema
