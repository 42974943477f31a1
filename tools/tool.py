"""`@tool`: a typed function that a model can call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import threading
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from agentaudio.conversation import ToolSpec
from agentaudio.errors import OptionError, ToolArgumentError
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import ToolResult

Function = Callable[..., Any]
Phrases = Iterable[str] | Callable[[RunContext], Iterable[str]]

DEFAULT_TIMEOUT_S = 20.0
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, eq=False)
class Tool:
    """A function with the schema that models read. It can still be called as the function it was.

    description: when and why to call it, for the model
    arguments: pydantic model of the parameters
    phrases: what people may say when they want it, or a function of the RunContext giving that
    timeout_s: the call fails when it takes longer
    """

    name: str
    description: str
    arguments: type[BaseModel]
    function: Function
    takes_context: bool
    phrases: Phrases = ()
    timeout_s: float = DEFAULT_TIMEOUT_S

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of the arguments: a closed object, without pydantic's titles."""
        schema = self.arguments.model_json_schema()
        return cast(dict[str, Any], _without_titles(schema))

    def spec(self, context: RunContext) -> ToolSpec:
        """What a model is told about this tool."""
        phrases = self.phrases(context) if callable(self.phrases) else self.phrases
        return ToolSpec(self.name, self.description, self.parameters, tuple(phrases))

    async def call(self, context: RunContext, arguments: Mapping[str, Any]) -> ToolResult:
        """Check the arguments, run the function (a plain one in a thread), wrap what it returns.

        Raises ToolArgumentError when the arguments do not fit, and whatever the function raises.
        Cancelling leaves an async function at once; a plain one runs on in its thread, unheard.
        """
        values = self._validate(arguments)
        positional = (context,) if self.takes_context else ()
        if inspect.iscoroutinefunction(self.function):
            returned = await self.function(*positional, **values)
        else:
            returned = await _in_thread(functools.partial(self.function, *positional, **values))
            if inspect.isawaitable(returned):
                returned = await returned
        return ToolResult.of(returned)

    def _validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            checked = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(step) for step in item['loc']) or 'arguments'}: {item['msg']}"
                for item in error.errors(include_url=False)
            )
            raise ToolArgumentError(f"{self.name} cannot take these arguments: {problems}") from None
        return {name: getattr(checked, name) for name in type(checked).model_fields}


@overload
def tool(function: Function, /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    phrases: Phrases = (),
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Callable[[Function], Tool]: ...
def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    phrases: Phrases = (),
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Tool | Callable[[Function], Tool]:
    """Make a tool of a typed function, sync or async: `@tool` or `@tool(timeout_s=5)`.

    The schema comes from the annotations, the descriptions from the docstring (Google, NumPy or
    Sphinx style). A first parameter annotated `RunContext` is filled in by the agent.

    Raises OptionError when a parameter has no annotation or cannot be given by name.
    """

    def make(function: Function) -> Tool:
        return _tool_from(function, name, description, phrases, timeout_s)

    return make if function is None else make(function)


def _tool_from(
    function: Function, name: str | None, description: str | None, phrases: Phrases, timeout_s: float
) -> Tool:
    name = name or function.__name__
    if not _NAME.fullmatch(name):
        raise OptionError(f"{name!r} is no tool name; use letters, digits, _ and -, at most 64, not a digit first")
    if not timeout_s > 0:
        raise OptionError(f"tool {name!r}: timeout_s is {timeout_s}; give seconds above 0")
    summary, documented = _read_docstring(function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise OptionError(f"tool {name!r}: an annotation cannot be resolved: {error}") from None
    takes_context = False
    fields: dict[str, Any] = {}
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        annotation = hints.get(parameter.name)
        if position == 0 and annotation is RunContext:
            takes_context = True
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise OptionError(f"tool {name!r}: parameter {parameter} cannot be given by name; name each one")
        if annotation is None:
            raise OptionError(f"tool {name!r}: parameter {parameter.name!r} has no type; annotate it")
        default: Any = ... if parameter.default is parameter.empty else parameter.default
        if parameter.name in documented:
            default = Field(default, description=documented[parameter.name])
        fields[parameter.name] = (annotation, default)
    try:
        arguments = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    except Exception as error:
        raise OptionError(f"tool {name!r}: its parameters have no JSON Schema: {error}") from None
    return Tool(
        name=name,
        description=description or summary or name.replace("_", " "),
        arguments=arguments,
        function=function,
        takes_context=takes_context,
        phrases=phrases if callable(phrases) else tuple(phrases),
        timeout_s=timeout_s,
    )


def _read_docstring(function: Function) -> tuple[str, dict[str, str]]:
    """The text of a docstring, and its descriptions of parameters."""
    text = inspect.getdoc(function) or ""
    if not text:
        return "", {}
    import griffe

    docstring = griffe.Docstring(text)
    style = griffe.Parser.google
    if re.search(r"^\s*:param ", text, re.MULTILINE):
        style = griffe.Parser.sphinx
    elif re.search(r"^\s*Parameters\s*\n\s*-{3,}", text, re.MULTILINE):
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


def _without_titles(schema: Any, *, names: bool = False) -> Any:
    # Pydantic repeats every field name as a title; a model only pays tokens for it.
    if isinstance(schema, dict):
        return {
            key: _without_titles(value, names=key in ("properties", "$defs") and not names)
            for key, value in schema.items()
            if names or key != "title"
        }
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    return schema


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run it in a thread of its own that dies with the process.

    Not the loop's shared pool: a tool that hangs would keep one of its few threads, and the
    interpreter, waiting for ever.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def deliver(setter: str, value: Any) -> None:
        if not future.done():
            getattr(future, setter)(value)

    def work() -> None:
        setter, value = "set_result", None
        try:
            value = function()
        except StopIteration as error:
            # A future cannot carry StopIteration.
            setter, value = "set_exception", RuntimeError(f"the tool raised StopIteration: {error.value!r}")
        except BaseException as error:
            setter, value = "set_exception", error
        try:
            loop.call_soon_threadsafe(deliver, setter, value)
        except RuntimeError:
            pass  # the loop is closed: nobody listens any more

    threading.Thread(target=work, name="agentaudio-tool", daemon=True).start()
    return await future
