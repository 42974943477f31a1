"""`@tool`: a typed function that a model can call."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from agentaudio.conversation import ToolSpec
from agentaudio.errors import OptionError
from agentaudio.tools.arguments import Arguments
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import Returns, ToolResult
from agentaudio.tools.signature import Function, read_docstring, read_parameters
from agentaudio.tools.thread import in_thread

Phrases = Iterable[str] | Callable[[RunContext], Iterable[str]]

DEFAULT_TIMEOUT_S = 20.0
MAX_RETRIES = 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Tool:
    """A function with the schema that models read. It can still be called as the function it was.

    description: when and why to call it, for the model
    arguments: what it takes: their JSON Schema and their check
    phrases: what people may say when they want it, or a function of the RunContext giving that
    timeout_s: the call fails when it takes longer, retries included
    idempotent: running it twice does no harm; only then may it be retried
    retries: how often to try again when it raises anything but an error of agentaudio
    approval: ask the agent's `approve` before each call
    cancellable: stop it when the turn is interrupted; otherwise it carries on to its end
    filler: what the model is asked to say while it runs
    returns: what a plain return value is; None goes by its type
    release: frees what the tool holds (a connection, say); may run several times
    """

    name: str
    description: str
    arguments: Arguments
    function: Function
    takes_context: bool = False
    phrases: Phrases = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    idempotent: bool = False
    retries: int = 0
    approval: bool = False
    cancellable: bool = True
    filler: str = ""
    returns: Returns | None = None
    release: Callable[[], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise OptionError(
                f"{self.name!r} is no tool name; use letters, digits, _ and -, at most 64, not a digit first"
            )
        if not self.timeout_s > 0:
            raise OptionError(f"tool {self.name!r}: timeout_s is {self.timeout_s}; give seconds above 0")
        if not 0 <= self.retries <= MAX_RETRIES:
            raise OptionError(f"tool {self.name!r}: retries is {self.retries}; give 0 to {MAX_RETRIES}")
        if self.retries and not self.idempotent:
            raise OptionError(f"tool {self.name!r} has retries; say idempotent=True if running it twice does no harm")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.arguments.schema

    def spec(self, context: RunContext) -> ToolSpec:
        """What a model is told about this tool."""
        phrases = self.phrases(context) if callable(self.phrases) else self.phrases
        description = self.description
        if self.filler:
            description += f'\n\nSay this as you call it: "{self.filler}"'
        return ToolSpec(self.name, description, self.parameters, tuple(phrases))

    async def call(self, context: RunContext, arguments: Mapping[str, Any]) -> ToolResult:
        """Check the arguments, run the function (a plain one in a thread), wrap what it returns.

        Raises ToolArgumentError when the arguments do not fit, and whatever the function raises.
        Cancelling leaves an async function at once; a plain one runs on in its thread, unheard.
        """
        values = self.arguments.check(self.name, arguments)
        call = functools.partial(self.function, *((context,) if self.takes_context else ()), **values)
        wrap = functools.partial(ToolResult.of, returns=self.returns, context=context)
        if not inspect.iscoroutinefunction(self.function):
            returned = await in_thread(lambda: _wrapped(call(), wrap))
            if not inspect.isawaitable(returned):
                return returned  # type: ignore[no-any-return]
            returned = await returned
        else:
            returned = await call()
        if isinstance(returned, ToolResult | str) and self.returns is None:
            return wrap(returned)
        # Large values take a while to turn into text; other turns go on meanwhile.
        return await in_thread(lambda: wrap(returned))  # type: ignore[no-any-return]


def _wrapped(returned: Any, wrap: Callable[[Any], ToolResult]) -> Any:
    return returned if inspect.isawaitable(returned) else wrap(returned)


@overload
def tool(function: Function, /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    phrases: Phrases = (),
    timeout_s: float = DEFAULT_TIMEOUT_S,
    idempotent: bool = False,
    retries: int = 0,
    approval: bool = False,
    cancellable: bool = True,
    filler: str = "",
    returns: Returns | None = None,
) -> Callable[[Function], Tool]: ...
def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    phrases: Phrases = (),
    **options: Any,
) -> Tool | Callable[[Function], Tool]:
    """Make a tool of a typed function, sync or async: `@tool` or `@tool(timeout_s=5)`.

    The schema comes from the annotations, the descriptions from the docstring (Google, NumPy or
    Sphinx style). A first parameter annotated `RunContext` is filled in by the agent. The options
    are those of `Tool`.

    Raises OptionError when a parameter has no annotation or cannot be given by name, when the
    function yields instead of returning, or when an option cannot hold.
    """

    def make(function: Function) -> Tool:
        chosen = name or str(getattr(function, "__name__", type(function).__name__))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise OptionError(f"tool {chosen!r} yields; collect what it makes in a list and return that")
        summary, documented = read_docstring(function)
        arguments, takes_context = read_parameters(function, chosen, documented)
        return Tool(
            name=chosen,
            description=description or summary or chosen.replace("_", " "),
            arguments=arguments,
            function=function,
            takes_context=takes_context,
            phrases=phrases if callable(phrases) else tuple(phrases),
            **options,
        )

    return make if function is None else make(function)
