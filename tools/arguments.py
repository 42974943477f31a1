"""The arguments of a tool: their JSON Schema, for models, and their validation."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, to_json

from agentaudio.errors import OptionError, ToolArgumentError
from agentaudio.escaping import one_line
from agentaudio.tools.conversion import converted

MAX_PROBLEMS = 6
MAX_SHOWN_CHARS = 60

MODEL_CONFIG = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class Arguments(Protocol):
    """The arguments of one tool."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of an object."""

    def check(self, tool: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values to call the function with.

        Raises ToolArgumentError, whose message lets a model correct the arguments.
        """


class TypedArguments:
    """Arguments described by Python types; pydantic validates and converts them.

    tool: the tool's name, for messages
    fields: by name, the annotation and the default (`...` where it is required, or a pydantic `Field`)

    schema: JSON Schema of an object without additional properties, without pydantic's titles

    Raises OptionError when a type has no JSON Schema.
    """

    schema: dict[str, Any]

    def __init__(self, tool: str, fields: Mapping[str, tuple[Any, Any]]) -> None:
        self._names = tuple(fields)
        # Fields get numbers, and their names as aliases: pydantic reserves names such as `copy`, `json`
        # and `_x`, which a parameter may have.
        numbered: dict[str, Any] = {}
        for number, (name, (annotation, default)) in enumerate(fields.items()):
            if isinstance(default, FieldInfo):
                numbered[f"p{number}"] = Annotated[annotation, default, Field(alias=name)]
            else:
                numbered[f"p{number}"] = (annotation, Field(default, alias=name))
        try:
            self._model: type[BaseModel] = create_model(tool, __config__=MODEL_CONFIG, **numbered)
            made = self._model.model_json_schema(schema_generator=_Schema)
        except Exception as error:
            raise OptionError(
                f"tool {tool!r}: {_without_schema(fields) or f'it has no JSON Schema: {error}'}"
            ) from None
        self.schema = cast(dict[str, Any], _without_titles(made))

    def check(self, tool: str, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            checked = self._model.model_validate(dict(given))
        except ValidationError as error:
            raise ToolArgumentError(f"{tool} cannot take these arguments: {_problems(error, self._names)}") from None
        except RecursionError:
            raise ToolArgumentError(f"{tool} cannot take these arguments: they are nested too deeply") from None
        return {name: getattr(checked, f"p{number}") for number, name in enumerate(self._names)}


class ModelArguments:
    """Arguments that are the fields of a pydantic model. `check` gives an instance, under the name "value".

    Raises OptionError for a model that has no JSON Schema of an object.
    """

    schema: dict[str, Any]

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model
        try:
            self.schema = cast(dict[str, Any], _without_titles(model.model_json_schema(schema_generator=_Schema)))
        except Exception as error:
            raise OptionError(f"{model.__name__} has no JSON Schema: {error}") from None
        if self.schema.get("type") != "object":
            raise OptionError(f"{model.__name__} is not written as a JSON object; give a model with fields")

    def check(self, tool: str, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {"value": self.model.model_validate_json(to_json(dict(given)))}
        except ValidationError as error:
            problems = _problems(error, tuple(self.model.model_fields))
            raise ToolArgumentError(f"{tool} cannot take these arguments: {problems}") from None
        except (PydanticSerializationError, RecursionError):
            raise ToolArgumentError(f"{tool} cannot take these arguments: they have no JSON form") from None


def _problems(error: ValidationError, names: Sequence[str]) -> str:
    """What is wrong with arguments, for a model. names: of the arguments"""
    items = error.errors(include_url=False)
    problems = []
    for item in items[:MAX_PROBLEMS]:
        place = ".".join(str(step) for step in item["loc"]) or "arguments"
        hint = ""
        if item["type"] == "extra_forbidden" and len(item["loc"]) == 1:
            close = difflib.get_close_matches(place, names, n=1, cutoff=0.6)
            hint = f" (did you mean {close[0]!r}?)" if close else f" (it takes {', '.join(names) or 'none'})"
        elif item["type"] not in ("missing", "extra_forbidden"):
            hint = f", not {_shown(item['input'])}"
        problems.append(f"{one_line(place[:MAX_SHOWN_CHARS])}: {item['msg']}{hint}")
    if len(items) > MAX_PROBLEMS:
        problems.append(f"and {len(items) - MAX_PROBLEMS} more")
    return "; ".join(problems)


class _Schema(GenerateJsonSchema):
    ignored_warning_kinds = {*GenerateJsonSchema.ignored_warning_kinds, "non-serializable-default"}  # noqa: RUF012


def _without_schema(fields: Mapping[str, tuple[Any, Any]]) -> str | None:
    """What is wrong with the first parameter whose type has no JSON Schema; None when each has one."""
    for name, (annotation, _) in fields.items():
        try:
            TypeAdapter(annotation).json_schema()
        except Exception:
            plain = isinstance(annotation, type) and not get_args(annotation)
            shown = annotation.__name__ if plain else str(annotation).replace("typing.", "")
            return (
                f"the parameter {name!r} has the type {shown:.100}, which has no JSON Schema; use str, int, float, "
                "bool, list, dict, Literal, a dataclass or a pydantic model"
            )
    return None


class OpenArguments:
    """Arguments with an external JSON Schema, such as an MCP server's; its provider validates them.

    Only missing required arguments are refused here. Scalars are converted as for typed functions: "500" to 500.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)

    def check(self, tool: str, given: Mapping[str, Any]) -> dict[str, Any]:
        missing = [name for name in self.schema.get("required", ()) if name not in given]
        if missing:
            raise ToolArgumentError(f"{tool} cannot take these arguments: {', '.join(missing)}: Field required")
        try:
            return cast(dict[str, Any], converted(dict(given), self.schema, self.schema))
        except RecursionError:
            raise ToolArgumentError(f"{tool} cannot take these arguments: they are nested too deeply") from None


def own_copy(value: Any) -> Any:
    """A copy of the dicts and lists in a value, of any depth, circular ones too; other values are shared."""
    copies: dict[int, Any] = {}

    def shell(one: Any) -> Any:
        if not isinstance(one, (dict, list)):
            return one
        if id(one) not in copies:
            copies[id(one)] = {} if isinstance(one, dict) else []
            left.append(one)
        return copies[id(one)]

    if isinstance(value, dict) and not any(isinstance(item, (dict, list)) for item in value.values()):
        return dict(value)
    left: list[Any] = []
    copied = shell(value)
    while left:
        one = left.pop()
        if isinstance(one, dict):
            copies[id(one)].update((key, shell(item)) for key, item in one.items())
        else:
            copies[id(one)].extend(shell(item) for item in one)
    return copied


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # ValueError: a number with thousands of digits
        return "a value that cannot be shown"
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…"


def _without_titles(schema: Any, *, names: bool = False) -> Any:
    # Pydantic repeats every field name as a title, which only costs a model tokens.
    if isinstance(schema, dict):
        return {
            key: _without_titles(value, names=key in ("properties", "$defs") and not names)
            for key, value in schema.items()
            if names or key != "title"
        }
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    return schema
