"""One tool of a file on its way to a `Tool`: what it says, where it says so, what it may use."""

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
from agentaudio.tools.arguments import TypedArguments
from agentaudio.tools.declarative.format import Parameter, Secret
from agentaudio.tools.declarative.placeholder import placeholders
from agentaudio.tools.declarative.source import Place, Source

_TYPES: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}
_LIMITS = {
    "string": {"max_length", "pattern"}, "array": {"max_length"},
    "integer": {"minimum", "maximum"}, "number": {"minimum", "maximum"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """place: where in the source the tool stands"""

    source: Source
    place: Place

    def wrong(self, problem: str, *place: str | int) -> OptionError:
        return self.source.wrong((*self.place, *place), problem)

    def path(self, written: str) -> Path:
        """A path as it is meant in the file: relative to its folder."""
        return self.source.path.parent / Path(written).expanduser()

    def arguments(self, tool: str, parameters: Mapping[str, Parameter]) -> TypedArguments:
        fields: dict[str, tuple[Any, Any]] = {}
        for name, parameter in parameters.items():
            try:
                annotation = _annotation(parameter)
                fields[name] = (annotation, parameter.default if parameter.has_default else ...)
                arguments = TypedArguments(tool, {name: fields[name]})
                if parameter.has_default and parameter.default is not None:
                    arguments.check(tool, {name: parameter.default})
            except (ValueError, re.error) as error:
                raise self.wrong(f"parameter {name!r} cannot be: {error}", "parameters", name) from None
        return TypedArguments(tool, fields)

    def secrets(self, wanted: Mapping[str, Secret]) -> dict[str, str]:
        """The values, from the environment and from files. Raises OptionError for a missing one."""
        return {name: self._secret(name, secret) for name, secret in wanted.items()}

    def _secret(self, name: str, secret: Secret) -> str:
        if secret.env is not None:
            value = os.environ.get(secret.env, "")
            if not value:
                raise self.wrong(
                    f"the environment has no {secret.env}; set it to the secret {name}", "secrets", name, "env"
                )
            return value
        path = self.path(str(secret.file))
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise self.wrong(
                f"the secret {name} cannot be read from {path}: {error}", "secrets", name, "file"
            ) from None
        if not value:
            raise self.wrong(f"the file of the secret {name} is empty: {path}", "secrets", name, "file")
        return value

    def check_names(self, value: Any, known: Iterable[str], *place: str | int) -> None:
        """Raises OptionError for a placeholder that nothing fills."""
        for name in placeholders(value):
            if name.split(".")[0] not in known:
                raise self.wrong(f"nothing fills {{{name}}}; {did_you_mean(name, known)}", *place)


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
        raise ValueError(f"{kind} has no {name}")
    if given:
        re.compile(parameter.pattern or "")
        limit = Field(
            ge=parameter.minimum, le=parameter.maximum, max_length=parameter.max_length, pattern=parameter.pattern
        )
        annotation = Annotated[annotation, limit]
    if parameter.has_default and parameter.default is None:
        annotation = annotation | None
    return Annotated[annotation, Field(description=parameter.description)] if parameter.description else annotation


def hidden(text: str, secrets: Mapping[str, str]) -> str:
    """The text without any secret in it."""
    for value in secrets.values():
        # As it stands in an address, a query, JSON text, and as it is; the longest first.
        forms = {value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1]}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "***")
    return text
