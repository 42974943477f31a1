"""Read a typed function: its parameters, and what its docstring says of them."""

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


def read_parameters(function: Function, tool: str, documented: dict[str, str]) -> tuple[TypedArguments, bool]:
    """What a function takes, and whether its first parameter is a RunContext.

    documented: descriptions by parameter name; one in the annotation comes first

    Raises OptionError for a parameter without annotation, or one that cannot be given by name.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise OptionError(f"tool {tool!r}: an annotation cannot be resolved: {error}") from None
    takes_context = False
    fields: dict[str, tuple[Any, Any]] = {}
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        annotation = hints.get(parameter.name)
        if position == 0 and annotation is RunContext:
            takes_context = True
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise OptionError(f"tool {tool!r}: parameter {parameter} cannot be given by name; name each one")
        if annotation is None:
            raise OptionError(f"tool {tool!r}: parameter {parameter.name!r} has no type; annotate it")
        if parameter.name in documented:
            annotation = _described(annotation, documented[parameter.name])
        fields[parameter.name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    return TypedArguments(tool, fields), takes_context


def _described(annotation: Any, description: str) -> Any:
    # The outermost description would win; the one in the annotation was written for the model.
    for extra in getattr(annotation, "__metadata__", ()):
        if getattr(extra, "description", None):
            return annotation
    return Annotated[annotation, Field(description=description)]


def read_docstring(function: Function) -> tuple[str, dict[str, str]]:
    """The text of a docstring in Google, NumPy or Sphinx style, and its descriptions of parameters."""
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
