"""Read the parameters of a typed function."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Union

from pydantic import Field

from agentaudio.errors import OptionError
from agentaudio.tools.arguments import TypedArguments
from agentaudio.tools.context import RunContext

Function = Callable[..., Any]

FIRST = "*"
"""In place of a parameter's name: the first argument, whatever its name."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes.

    context: name of the parameter that is the RunContext, or FIRST; None without one
    deps: class of the user's data in the RunContext; None when the annotation names none, or something else than
        a class
    """

    arguments: TypedArguments
    context: str | None
    deps: type[Any] | None


def own_function(value: Any, tool: str | None) -> tuple[Function, str]:
    """The function behind a callable, and its name: of an object its `__call__`, of a `staticmethod` what it holds.

    Raises OptionError, which says how to give it, for a class, a method without its instance or class, and what
    is not callable.
    """
    if isinstance(value, classmethod):
        name = value.__func__.__name__
        raise OptionError(f"{name!r} is a classmethod; give it with its class, such as tools=[tool(MyClass.{name})]")
    if isinstance(value, staticmethod):
        value = value.__func__
    if isinstance(value, type):
        raise OptionError(
            f"{value.__name__!r} is a class; give a function, a method of an object, or an object with a typed __call__"
        )
    if not callable(value):
        raise OptionError(f"{value!r:.100} is not callable; give a typed function")
    inner = value
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = tool or str(getattr(inner, "__name__", type(inner).__name__))
    if not isinstance(value, functools.partial) and not inspect.isroutine(value):
        value = value.__call__
    return value, name


def documented(function: Function) -> tuple[Function, str]:
    """The function whose annotations count, of a `partial` the inner one, and its docstring.

    The `__call__` of an object without a docstring has that of its class.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = function.__call__  # type: ignore[operator]
    text = getattr(function, "__doc__", None) and inspect.getdoc(function)
    if not text and getattr(function, "__name__", "") == "__call__":
        text = inspect.getdoc(type(getattr(function, "__self__", None)))
    return function, text or ""


def parameter_names(function: Function) -> list[str]:
    """The names of its parameters; none for a built-in function that does not say."""
    try:
        return list(inspect.signature(function).parameters)
    except ValueError:
        return []


def read_signature(function: Function, tool: str, descriptions: dict[str, str]) -> Signature:
    """Read the parameters of a function. Those that a `partial` has set are not among them.

    tool: the tool's name, for messages
    descriptions: by parameter name, used where the annotation has none

    Raises OptionError for a parameter without annotation, or one that cannot be passed by name.
    """
    inner, _ = documented(function)
    try:
        hints = typing.get_type_hints(inner, include_extras=True)
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError) as error:
        raise OptionError(f"tool {tool!r}: its annotations cannot be read: {error}") from None
    set_already = set(function.keywords) if isinstance(function, functools.partial) else set()
    context: str | None = None
    deps: type[Any] | None = None
    fields: dict[str, tuple[Any, Any]] = {}
    for position, parameter in enumerate(signature.parameters.values()):
        name, annotation = parameter.name, hints.get(parameter.name)
        if name in set_already:
            continue
        wanted = _run_context(annotation)
        if wanted is not None and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if context is not None:
                raise OptionError(f"tool {tool!r} takes the RunContext twice; remove the parameter {name!r}")
            if parameter.kind is parameter.POSITIONAL_ONLY and position:
                raise OptionError(f"tool {tool!r}: parameter {name!r} cannot be passed by name; put it first")
            context = FIRST if parameter.kind is parameter.POSITIONAL_ONLY else name
            deps = next((one for one in typing.get_args(wanted) if _is_class(one)), None)
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise OptionError(
                f"tool {tool!r}: parameter {parameter} cannot be passed by name; list the parameters one by one"
            )
        if annotation is None:
            owner = getattr(inner, "__qualname__", "").rpartition(".")[0]
            if position == 0 and name in ("self", "cls") and owner and not owner.endswith("<locals>"):
                raise OptionError(
                    f"tool {tool!r} is a method without its {'instance' if name == 'self' else 'class'}; write "
                    f"tool({'instance' if name == 'self' else owner.rpartition('.')[2]}.{inner.__name__}) in place "
                    "of @tool inside the class"
                )
            raise OptionError(f"tool {tool!r}: parameter {name!r} has no type; annotate it")
        if name in descriptions:
            annotation = _described(annotation, descriptions[name])
        fields[name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    return Signature(TypedArguments(tool, fields), context, deps)


def _run_context(annotation: Any) -> Any:
    """The RunContext in an annotation: `RunContext`, `RunContext[MyData]`, one of them or None, or Annotated."""
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (Union, types.UnionType):
        rest = [one for one in typing.get_args(annotation) if one is not type(None)]
        annotation = rest[0] if len(rest) == 1 else None
    return annotation if annotation is RunContext or typing.get_origin(annotation) is RunContext else None


def _is_class(annotation: Any) -> bool:
    """Whether `isinstance` can check for it; a Protocol it can check only when that says so."""
    try:
        isinstance(None, annotation)
    except TypeError:
        return False
    return isinstance(annotation, type)


def _described(annotation: Any, description: str) -> Any:
    # Pydantic uses the outermost description, but the one in the annotation is meant for the model.
    for extra in getattr(annotation, "__metadata__", ()):
        if getattr(extra, "description", None):
            return annotation
    return Annotated[annotation, Field(description=description)]
