"""`@tool`: a typed function that a model can call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, overload

from agentaudio.conversation import ToolSpec
from agentaudio.errors import AgentAudioError, OptionError, ToolError, did_you_mean
from agentaudio.text.template import Phrase, Template, read_phrase
from agentaudio.tools.arguments import Arguments, own_copy
from agentaudio.tools.context import RunContext
from agentaudio.tools.docstring import read_docstring
from agentaudio.tools.result import Returns, ToolResult
from agentaudio.tools.signature import FIRST, Function, documented, own_function, parameter_names, read_signature
from agentaudio.tools.thread import in_thread
from agentaudio.uncopied import Uncopied

Phrases = Iterable[Phrase] | Callable[[RunContext], Iterable[Phrase]]
"""Strings may have slots such as `{song}`. Those that a function returns are data: they are sentences, and only a
Template has slots."""
Need = Literal["documents", "voices"]
"""Something of the agent's that a tool reads: the attribute of `RunContext` with that name."""

DEFAULT_TIMEOUT_S = 20.0
MAX_RETRIES = 10
log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Tool(Uncopied, instead="make it again there, from its function, file or server"):
    """A function and the schema that models read. A Tool can still be called like its function.

    description: what the tool does and when to call it, for the model
    arguments: JSON Schema of the arguments, and their validation
    function: what a call runs; None for an external tool, whose calls the agent's caller runs
    context: name of the function's parameter that is the RunContext, or "*" for its first argument; None without
    deps: class of the user's data in it, for a function that takes a `RunContext[MyData]`
    needs: the parts of the RunContext without which the tool cannot work
    phrases: what users may say when they want this tool, or a function of the RunContext that returns it
    timeout_s: seconds after which a call fails, retries included
    idempotent: a second run does no harm; required for `retries`
    retries: further attempts after any exception but an AgentAudioError
    approval: ask the agent's `approve` before each call
    cancellable: stop the call when the turn is interrupted; otherwise it runs to its end. A plain function always does
    background: the call returns at once, and the conversation goes on; the result is brought in when it comes
    filler: what the model is asked to say while the tool runs
    returns: how to read a plain return value; None decides by its type
    untrusted: the text of the results comes from outside; models read it as a quotation, not as instructions
    release: frees what the tool holds, such as a connection; may be called several times

    Raises OptionError for an invalid name, timeout, number of retries or need.
    """

    name: str
    description: str
    arguments: Arguments
    function: Function | None
    context: str | None = None
    deps: type[Any] | None = None
    needs: frozenset[Need] = frozenset()
    phrases: Phrases = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    idempotent: bool = False
    retries: int = 0
    approval: bool = False
    cancellable: bool = True
    background: bool = False
    filler: str = ""
    returns: Returns | None = None
    untrusted: bool = False
    release: Callable[[], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise OptionError(
                f"{self.name!r} is not a tool name; use at most 64 letters, digits, _ and -, and no digit first"
            )
        for need in self.needs:
            if need not in get_args(Need):
                raise OptionError(f"tool {self.name!r} needs {need!r}; {did_you_mean(need, get_args(Need))}")
        if not self.timeout_s > 0:
            raise OptionError(f"tool {self.name!r}: timeout_s is {self.timeout_s}; give seconds above 0")
        if not 0 <= self.retries <= MAX_RETRIES:
            raise OptionError(f"tool {self.name!r}: retries is {self.retries}; give 0 to {MAX_RETRIES}")
        if self.retries and not self.idempotent:
            raise OptionError(f"tool {self.name!r} has retries; add idempotent=True if a second run does no harm")

    def __copy__(self) -> Tool:
        return self  # immutable

    def __deepcopy__(self, memo: object) -> Tool:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._local_function()(*args, **kwargs)

    @property
    def external(self) -> bool:
        """Whether the agent's caller runs this tool: its calls end the turn and are answered in the next."""
        return self.function is None

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.arguments.schema

    def spec(self, context: RunContext) -> ToolSpec:
        """The tool as models see it.

        When a function of phrases fails, or returns something else, the tool has none, with a warning in the log.
        Raises what it raises on purpose: an AgentAudioError.
        """
        phrases: Iterable[Phrase] = map(read_phrase, () if callable(self.phrases) else self.phrases)
        if callable(self.phrases):
            try:
                phrases = tuple(self.phrases(context))
                if wrong := [one for one in phrases if not isinstance(one, str | Template)]:
                    raise TypeError(f"a phrase is {type(wrong[0]).__name__}; give str or Template")
            except AgentAudioError:
                raise
            except (Exception, SystemExit) as error:
                log.warning("the phrases of tool %s cannot be read; it has none", self.name, exc_info=error)
                phrases = ()
        description = self.description
        if self.filler:
            description += f'\n\nSay this as you call it: "{self.filler}"'
        return ToolSpec(self.name, description, self.parameters, tuple(phrases))

    async def call(
        self,
        context: RunContext,
        arguments: Mapping[str, Any],
        *,
        started: Callable[[asyncio.Future[Any]], None] = lambda ending: None,
    ) -> ToolResult:
        """Validate the arguments, run the function and convert what it returns.

        A plain function runs in a thread of its own. Cancellation stops an async function; a plain one
        runs on in its thread.

        started: called when something begins to run in a thread, with the future of its outcome: a ToolResult, or
            an awaitable that a plain function returned

        Raises ToolArgumentError for arguments that do not fit, ToolError when the tool is external, and
        whatever the function raises.
        """
        function = self._local_function()
        # A copy, because the conversation holds the arguments and the function may change its own.
        values = self.arguments.check(self.name, own_copy(dict(arguments)))
        if self.context is not None and self.context != FIRST:
            values[self.context] = context
        call = functools.partial(function, *((context,) if self.context == FIRST else ()), **values)
        wrap = functools.partial(self._result, context=context)
        if not self._is_async:
            returned = await in_thread(lambda: _wrapped(call(), wrap), started)
            if not inspect.isawaitable(returned):
                return returned  # type: ignore[no-any-return]
            returned = await returned
        else:
            returned = await call()
        if isinstance(returned, ToolResult | str) and self.returns is None:
            return wrap(returned)
        # Turning a large value into text takes long enough to delay other turns.
        return await in_thread(lambda: wrap(returned), started)  # type: ignore[no-any-return]

    def _result(self, returned: Any, *, context: RunContext) -> ToolResult:
        result = ToolResult.of(returned, returns=self.returns, context=context)
        if not self.untrusted or result.passages or result.voice is not None:
            return result  # passages are quoted already, each with its source
        return replace(result, untrusted=True)

    @functools.cached_property
    def _is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    def _local_function(self) -> Function:
        if self.function is None:
            raise ToolError(f"tool {self.name!r} has no function here; the caller of the agent runs its calls")
        return self.function


def _wrapped(returned: Any, wrap: Callable[[Any], ToolResult]) -> Any:
    return returned if inspect.isawaitable(returned) else wrap(returned)


@overload
def tool(function: Function, /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    needs: Collection[Need] = (),
    phrases: Phrases = (),
    timeout_s: float = DEFAULT_TIMEOUT_S,
    idempotent: bool = False,
    retries: int = 0,
    approval: bool = False,
    cancellable: bool = True,
    background: bool = False,
    filler: str = "",
    returns: Returns | None = None,
    untrusted: bool = False,
) -> Callable[[Function], Tool]: ...
def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    needs: Collection[Need] = (),
    phrases: Phrases = (),
    **options: Any,
) -> Tool | Callable[[Function], Tool]:
    """Make a Tool from a typed function, sync or async: `@tool` or `@tool(timeout_s=5)`.

    The schema is built from the annotations, the descriptions from the docstring (Google, NumPy or
    Sphinx style). The agent fills in a parameter annotated `RunContext`. The options are the
    fields of `Tool`.

    function: a function, a bound method, an object with a typed `__call__`, or a `partial` of one of them, whose set
        arguments models do not see

    Raises OptionError when a parameter has no annotation, a type without a JSON Schema, or cannot be passed by
    name, when the function is a generator, and for an option that `Tool` refuses.
    """
    if isinstance(needs, str):
        raise OptionError(f"needs is the string {needs!r}; write needs={{{needs!r}}}")

    def make(function: Function) -> Tool:
        function, chosen = own_function(function, name)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise OptionError(f"tool {chosen!r} yields; collect the values in a list and return that")
        inner, text = documented(function)
        summary, descriptions = read_docstring(text, parameter_names(inner))
        signature = read_signature(function, chosen, descriptions)
        return Tool(
            name=chosen,
            description=description or summary or chosen.replace("_", " "),
            arguments=signature.arguments,
            function=function,
            context=signature.context,
            deps=signature.deps,
            needs=frozenset(needs),
            phrases=phrases if callable(phrases) else tuple(phrases),
            **options,
        )

    return make if function is None else make(function)
