"""`Entry`: one tool of a file, with what is needed to make a `Tool` of it: errors with lines, paths, secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, quote_plus

from pydantic import Field

from agentaudio.errors import OptionError, did_you_mean
from agentaudio.files import open_regular
from agentaudio.tools.arguments import TypedArguments
from agentaudio.tools.declarative.format import Parameter, Secret
from agentaudio.tools.declarative.grants import Grants
from agentaudio.tools.declarative.placeholder import placeholders
from agentaudio.tools.declarative.source import Place, Source

MAX_SECRET_BYTES = 65_536
"""Bytes of a secret's file that are read."""

_TYPES: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}
_LIMITS = {
    "string": {"max_length", "pattern"}, "array": {"max_length"},
    "integer": {"minimum", "maximum"}, "number": {"minimum", "maximum"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """place: path of the tool in the data of the source
    grants: what the user allows its tool
    """

    source: Source
    place: Place
    grants: Grants = Grants()

    def error(self, problem: str, *place: str | int) -> OptionError:
        """An error with file and line. place: path of the value inside the tool"""
        return self.source.error((*self.place, *place), problem)

    def path(self, relative: str, *place: str | int) -> Path:
        """A path in the file, which is relative to the folder of the file. Raises OptionError for an unknown
        `~user`."""
        try:
            return self.source.path.parent / Path(relative).expanduser()
        except RuntimeError as error:
            raise self.error(f"{relative[:100]!r} is not a path: {error}", *place) from None

    def folder(self, relative: str) -> Path:
        """The path of an existing folder. Raises OptionError when there is none."""
        path = self.path(relative, "folder")
        try:
            found = path.is_dir()
        except (OSError, ValueError):  # such as a name that is too long
            found = False
        if not found:
            raise self.error(f"there is no folder {str(path)[:300]}", "folder")
        return path

    def arguments(self, tool: str, parameters: Mapping[str, Parameter]) -> TypedArguments:
        """The arguments of a tool. Raises OptionError for a parameter with contradicting or invalid settings."""
        fields: dict[str, tuple[Any, Any]] = {}
        for name, parameter in parameters.items():
            for place, value in (("default", parameter.default), *(("enum", one) for one in parameter.enum)):
                of_any_type = parameter.enum and "type" not in parameter.model_fields_set
                if parameter.type == "string" and isinstance(value, int | float) and not of_any_type:
                    written = str(value).lower() if isinstance(value, bool) else str(value)
                    kind = "boolean" if isinstance(value, bool) else "number"
                    problem = f'parameter {name!r} is a string, but {place} has the {kind} {written}; write "{written}"'
                    raise self.error(problem, "parameters", name, place)
            try:
                annotation = _annotation(parameter)
                fields[name] = (annotation, parameter.default if parameter.has_default else ...)
                arguments = TypedArguments(tool, {name: fields[name]})
                if parameter.has_default and parameter.default is not None:
                    fields[name] = annotation, arguments.check(tool, {name: parameter.default})[name]
            except (ValueError, re.error) as error:
                raise self.error(f"parameter {name!r} is invalid: {error}", "parameters", name) from None
        return TypedArguments(tool, fields)

    def secrets(self, wanted: Mapping[str, Secret]) -> dict[str, str]:
        """Secrets by name, read from the environment and from files.

        Raises OptionError for a secret that the user has not granted, and for a missing one.
        """
        return {name: self._secret(name, secret) for name, secret in wanted.items()}

    def _secret(self, name: str, secret: Secret) -> str:
        path = self.path(str(secret.file), "secrets", name, "file")
        granted = self.grants.file(path) if secret.env is None else self.grants.variable(secret.env)
        if not granted:
            if self.grants.looking:
                return ""
            asked, grant = ("the file", str(path)) if secret.env is None else ("the environment variable", secret.env)
            raise self.error(
                f"the secret {name} is {asked} {grant}, which the user has not granted; grant it with "
                f"load_tools(..., allow_secrets=[{grant!r}]) or --allow-secret {grant} if you trust the file",
                "secrets",
                name,
                "file" if secret.env is None else "env",
            )
        if secret.env is not None:
            value = os.environ.get(secret.env, "")
            if not value:
                raise self.error(
                    f"the environment variable {secret.env} is not set; set it to the secret {name}",
                    "secrets",
                    name,
                    "env",
                )
            return value
        try:
            with open_regular(path) as file:
                value = file.read(MAX_SECRET_BYTES).decode("utf-8").strip()
        except (OSError, ValueError) as error:
            raise self.error(
                f"the secret {name} cannot be read from {path}: {error}", "secrets", name, "file"
            ) from None
        if not value:
            raise self.error(f"the file of the secret {name} is empty: {path}", "secrets", name, "file")
        return value

    def check_names(self, value: Any, known: Iterable[str], *place: str | int) -> None:
        """Check the placeholders in a value. Raises OptionError for a name that is not known."""
        names = list(known)
        for name in placeholders(value):
            if name.split(".")[0] not in names:
                hint = f"; {did_you_mean(name, names)}" if names else ""
                raise self.error(f"there is no value for {{{name}}}{hint}", *place)


def _annotation(parameter: Parameter) -> Any:
    annotation: Any = _TYPES.get(parameter.type)
    if parameter.enum:
        annotation = Literal[tuple(parameter.enum)]
    elif parameter.type == "array":
        annotation = list.__class_getitem__(_TYPES[parameter.items])
    limits = {
        "minimum": parameter.minimum, "maximum": parameter.maximum,
        "max_length": parameter.max_length, "pattern": parameter.pattern,
    }  # fmt: skip
    given = {name: limit for name, limit in limits.items() if limit is not None}
    kind = "an enum" if parameter.enum else parameter.type
    for name in given.keys() - _LIMITS.get(kind, set()):
        raise ValueError(f"{name} does not apply to {kind}")
    if given:
        re.compile(parameter.pattern or "")
        limit = Field(
            ge=parameter.minimum, le=parameter.maximum, max_length=parameter.max_length, pattern=parameter.pattern
        )
        annotation = Annotated[annotation, limit]
    if parameter.has_default and parameter.default is None:
        annotation = annotation | None
    return Annotated[annotation, Field(description=parameter.description)] if parameter.description else annotation


def redact(text: str, secrets: Mapping[str, str]) -> str:
    """The text with every secret replaced by `***`."""
    for value in secrets.values():
        # As written in URLs, queries and JSON, and unchanged; the longest form first.
        forms = {value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1]}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "***")
    return text
