"""`external_tool`: a tool that the model may call and that the agent's caller runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentaudio.conversation import ToolCall
from agentaudio.errors import AgentAudioError, ConversationError, OptionError, ToolArgumentError
from agentaudio.text.template import Phrase
from agentaudio.tools.arguments import OpenArguments
from agentaudio.tools.execution import ToolRun
from agentaudio.tools.failure import failure
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool

log = logging.getLogger(__name__)


def external_tool(
    name: str, description: str, parameters: Mapping[str, Any], *, phrases: Iterable[Phrase] = ()
) -> Tool:
    """A tool without a function: a call of it ends the turn, and the caller answers it in the next turn.

    parameters: JSON Schema of the arguments, of type "object"; the caller validates them against it,
        only missing required arguments are refused here
    phrases: what users may say when they want this tool; strings may have slots such as `{room}`

    Raises OptionError for an invalid name and for a schema whose type is not "object".
    """
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        raise OptionError(
            f"the parameters of tool {name!r} are not a JSON Schema of an object; "
            'write {"type": "object", "properties": {...}}'
        )
    return Tool(
        name=name, description=description, arguments=OpenArguments(parameters), function=None, phrases=tuple(phrases)
    )


def left_to_caller(calls: Sequence[ToolCall], tools: Mapping[str, Tool], problems: dict[str, str]) -> list[ToolCall]:
    """The calls of external tools that the caller can run.

    problems: why a call cannot run, by its id; calls with wrong arguments are added
    """
    external = [call for call in calls if call.name in tools and tools[call.name].external]
    for call in external:
        if call.id not in problems:
            try:
                tools[call.name].arguments.check(call.name, call.arguments)
            except ToolArgumentError as error:
                problems[call.id] = f"{call.name} failed: {error}"
    return [call for call in external if call.id not in problems]


def caller_runs(calls: Sequence[ToolCall], results: Mapping[str, Any]) -> list[ToolRun]:
    """The runs of calls that the caller has carried out.

    results: for each call, by its id, what a tool may return (see `ToolResult.of`), or an exception for one
        that failed

    Raises ConversationError when no call is open, a call has no result or a result has no call.
    """
    ids = [call.id for call in calls]
    if not ids:
        raise ConversationError("no call is open, so there is nothing to answer with results; say or write something")
    if unknown := [repr(call_id) for call_id in results if call_id not in ids]:
        raise ConversationError(f"there is no open call {', '.join(unknown)}; open calls: {', '.join(ids)}")
    if missing := [call_id for call_id in ids if call_id not in results]:
        raise ConversationError(f"the calls {', '.join(missing)} have no result; give one for every open call")
    return [_caller_run(call, results[call.id]) for call in calls]


def _caller_run(call: ToolCall, value: Any) -> ToolRun:
    if isinstance(value, BaseException):  # asyncio.gather(return_exceptions=True) returns CancelledError too
        if not isinstance(value, AgentAudioError):
            log.warning("the caller's run of %s raised", call.name, exc_info=value)
        return ToolRun(call, "failed", failure(call.name, value).shortened(), 0.0)
    try:
        return ToolRun(call, "done", ToolResult.of(value).shortened(), 0.0)
    except AgentAudioError as error:
        return ToolRun(call, "failed", failure(call.name, error), 0.0)
