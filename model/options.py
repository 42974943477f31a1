"""Options of a model's loader: read from its signature, checked and converted before it is called."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, SecretBytes, SecretStr, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from agentaudio.errors import BackendError, OptionError, did_you_mean


@dataclass(frozen=True, slots=True)
class FromEnv:
    """Marks an option that falls back to an environment variable; an empty variable counts as unset.

    `address: Annotated[str, FromEnv("SERVER_ADDRESS")] = "http://localhost:8000"`. An explicit argument
    comes first, then the variable, then the default. Annotate keys as pydantic's SecretStr, so that
    no message shows them: `api_key: Annotated[SecretStr, FromEnv("SERVICE_API_KEY")]`.
    """

    variable: str


@dataclass(frozen=True, slots=True)
class Option:
    """One keyword parameter of a loader.

    type: its annotation, written for people, such as `str | none`
    default: None for a required option, too
    variable: environment variable that gives the default, or None
    """

    name: str
    type: str
    required: bool
    default: Any
    variable: str | None
    secret: bool
    annotation: Any

    @property
    def may_be_none(self) -> bool:
        return NoneType in _members(self.annotation)

    def convert(self, value: Any, *, source: str = "") -> Any:
        """The value in the option's type; strings such as "0.5" and "yes" are parsed.

        Raises OptionError without the value, when that may be secret.
        """
        named = {str(choice): choice for one in _members(self.annotation) if get_origin(one) is Literal
                 for choice in get_args(one)}  # fmt: skip
        if isinstance(value, str) and value in named:
            return named[value]
        try:
            return _adapter(self.annotation).validate_python(value)
        except ValidationError as error:
            reasons = dict.fromkeys(one["msg"] for one in error.errors(include_url=False, include_input=False))
            shown = "" if self.secret or source else f" {value!r}"
            # A validator's own message may quote the value.
            why = "" if self.secret or source else f" ({'; '.join(reasons)})"
            raise OptionError(f"{self.name}{shown}{source} does not fit; it must be {self.type}{why}") from None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a loader takes. open: any further options, by `**options`"""

    options: tuple[Option, ...]
    open: bool

    @classmethod
    def of(cls, loader: Callable[..., Any]) -> Signature:
        """Read a loader: its first parameter is the model's argument, its others are options.

        Raises BackendError for annotations that cannot be resolved.
        """
        function = loader
        if not inspect.isroutine(loader):
            function = loader.__init__ if inspect.isclass(loader) else loader.__call__  # type: ignore[operator]
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except Exception as error:
            raise BackendError(f"the annotations of {loader!r} cannot be resolved: {error}") from error
        parameters = list(inspect.signature(loader).parameters.values())
        variadic = [one for one in parameters if one.kind is one.VAR_KEYWORD]
        keywords = [one for one in parameters[1:] if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        return cls(tuple(_option(one, hints.get(one.name, Any)) for one in keywords), bool(variadic))

    def check(self, given: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
        """Options to call the loader with, converted, and completed from the environment.

        Raises OptionError for an unknown or missing option and for a value that does not fit.
        """
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known and not self.open:
                hint = did_you_mean(name, known) if known else "it takes no options"
                raise OptionError(f"there is no option {name!r}; {hint}")
        checked = {name: value for name, value in given.items() if name not in known}
        for name, option in known.items():
            if name in given:
                checked[name] = option.convert(given[name])
            elif option.variable is not None and environ.get(option.variable):
                checked[name] = option.convert(environ[option.variable], source=f" (from ${option.variable})")
            elif option.required:
                also = f", or set the environment variable {option.variable}" if option.variable else ""
                raise OptionError(f"the option {name} is missing; give {name}={option.type}{also}")
        return checked


def secrets_in(value: Any) -> set[str]:
    """The texts that are hidden in an option's value, also in lists and mappings; without empty ones."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return set().union(*map(secrets_in, value))
    if not isinstance(value, SecretStr | SecretBytes):
        return set()
    hidden = value.get_secret_value()
    return {hidden if isinstance(hidden, str) else hidden.decode("utf-8", "replace")} - {""}


def _option(parameter: inspect.Parameter, annotation: Any) -> Option:
    markers = _markers(annotation)
    required = parameter.default is parameter.empty
    return Option(
        name=parameter.name,
        type=_shown(annotation),
        required=required,
        default=None if required else parameter.default,
        variable=markers[0].variable if markers else None,
        secret=_holds_secrets(annotation),
        annotation=annotation,
    )


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True))
    except PydanticUserError:  # a dataclass or model, which has its own configuration
        return TypeAdapter(annotation)
    except SchemaError:  # it holds a type without isinstance checks, such as a Protocol
        return TypeAdapter(Any)


def _markers(annotation: Any) -> list[FromEnv]:
    """The FromEnv of an annotation, or of a member of a union."""
    own = [one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, FromEnv)]
    inner = get_args(annotation)[:1] if get_origin(annotation) is Annotated else ()
    if get_origin(annotation) in (Union, UnionType):
        inner = get_args(annotation)
    return own + [marker for part in inner for marker in _markers(part)]


def _holds_secrets(annotation: Any) -> bool:
    """Whether values of this type may hold secrets, in lists and mappings too."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, SecretStr | SecretBytes)
    return any(_holds_secrets(part) for part in get_args(annotation))


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the type alone."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(member for part in get_args(annotation) for member in _members(part))
    return (annotation,)


def _shown(annotation: Any) -> str:
    """An annotation in few words: `zh | en`, `float`, `str | none`."""
    words: list[str] = []
    for member in _members(annotation):
        if get_origin(member) is Literal:
            words += map(str, get_args(member))
        elif member is NoneType or member is None:
            words.append("none")
        elif member is Any:
            words.append("anything")
        elif isinstance(member, type) and issubclass(member, SecretStr | SecretBytes):
            words.append("secret")
        elif isinstance(member, type) and get_origin(member) is None:
            words.append(member.__name__)
        else:
            words.append(str(member))
    return " | ".join(words)
