"""Read the parameters of a typed function, and their descriptions in its docstring."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from agentaudio.errors import OptionError
from agentaudio.tools.arguments import TypedArguments
from agentaudio.tools.context import RunContext

Function = Callable[..., Any]

_SPHINX = re.compile(r"^\s*:(param|parameter|arg|argument)\b", re.MULTILINE)
_NUMPY = re.compile(r"^\s*Parameters\s*\n\s*-{3,}", re.MULTILINE)
_SECTION = re.compile(r"^\s*[A-Z][A-Za-z ]+:\s*$|^\s*-{3,}\s*$|^\s*:\w+", re.MULTILINE)


def read_parameters(
    function: Function, tool: str, documented: dict[str, str]
) -> tuple[TypedArguments, bool, type[Any] | None]:
    """The arguments of a function, whether its first parameter is a RunContext, and the class of its `deps`.

    The class is None when the annotation names none, or something else than a class.

    tool: the tool's name, for messages
    documented: descriptions by parameter name, used where the annotation has none

    Raises OptionError for a parameter without annotation, or one that cannot be passed by name.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise OptionError(f"tool {tool!r}: an annotation cannot be resolved: {error}") from None
    takes_context, deps = False, None
    fields: dict[str, tuple[Any, Any]] = {}
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        annotation = hints.get(parameter.name)
        if position == 0 and (annotation is RunContext or typing.get_origin(annotation) is RunContext):
            takes_context = True
            deps = next((one for one in typing.get_args(annotation) if _is_class(one)), None)
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise OptionError(
                f"tool {tool!r}: parameter {parameter} cannot be passed by name; list the parameters one by one"
            )
        if annotation is None:
            raise OptionError(f"tool {tool!r}: parameter {parameter.name!r} has no type; annotate it")
        if parameter.name in documented:
            annotation = _described(annotation, documented[parameter.name])
        fields[parameter.name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    return TypedArguments(tool, fields), takes_context, deps


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


def read_docstring(function: Function) -> tuple[str, dict[str, str]]:
    """The text of a docstring in Google, NumPy or Sphinx style, and the descriptions of parameters by name."""
    text = inspect.getdoc(function) or ""
    if not _SECTION.search(text):
        return text.strip(), {}
    import griffe

    docstring = griffe.Docstring(text)
    style = griffe.Parser.google
    if _SPHINX.search(text):
        style = griffe.Parser.sphinx
    elif _NUMPY.search(text):
        style = griffe.Parser.numpy
    summary: list[str] = []
    parameters: dict[str, str] = {}
    for section in docstring.parse(style, warnings=False):
        if section.kind is griffe.DocstringSectionKind.text:
            summary.append(section.value)
        elif section.kind is griffe.DocstringSectionKind.parameters:
            for parameter in section.value:
                parameters[parameter.name] = " ".join(parameter.description.split())
    return "\n\n".join(summary).strip(), parameters
