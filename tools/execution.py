"""Run the calls of one step: at the same time, each to exactly one end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agentaudio.conversation import ToolCall, ToolOutput
from agentaudio.errors import AgentAudioError, ToolNotFound, did_you_mean
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool

log = logging.getLogger(__name__)

Status = Literal["done", "failed", "timed_out", "cancelled"]
MAX_CONCURRENT_CALLS = 8


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A call and what became of it."""

    call: ToolCall
    status: Status
    result: ToolResult
    duration_s: float

    @property
    def output(self) -> ToolOutput:
        """The run as the model reads it."""
        return ToolOutput(
            self.call.id, self.call.name, self.result.model_text, self.result.passages, self.status != "done"
        )


async def run_calls(
    calls: Sequence[ToolCall],
    tools: Mapping[str, Tool],
    context: RunContext,
    *,
    started: Callable[[ToolCall], None],
    finished: Callable[[ToolRun], None],
) -> list[ToolRun]:
    """Run the calls concurrently and give their runs in the order of the calls.

    Nothing a tool does raises here: errors, timeouts and unknown names become runs whose text
    tells the model what happened. Identical calls run once. `finished` is told of each call once,
    also when this is cancelled; a cancelled call then counts as "cancelled".
    """
    free = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
    first_of: dict[str, asyncio.Task[ToolRun]] = {}

    async def run(call: ToolCall) -> ToolRun:
        async with free:
            return await _run_one(call, tools, context)

    async def follow(call: ToolCall) -> ToolRun:
        begun = time.perf_counter()
        started(call)
        key = f"{call.name} {sorted(call.arguments.items(), key=lambda item: item[0])!r}"
        try:
            # An identical call waits for the first; the shield keeps one follower's end from ending all.
            task = first_of.setdefault(key, asyncio.ensure_future(run(call)))
            outcome = replace(await asyncio.shield(task), call=call)
        except asyncio.CancelledError:
            outcome = ToolRun(call, "cancelled", ToolResult("The call was cancelled."), time.perf_counter() - begun)
            finished(outcome)
            raise
        finished(outcome)
        return outcome

    followers = [asyncio.ensure_future(follow(call)) for call in calls]
    try:
        return await asyncio.gather(*followers)
    finally:
        leftover = [task for task in (*followers, *first_of.values()) if not task.done()]
        for task in leftover:
            task.cancel()
        await asyncio.gather(*leftover, return_exceptions=True)


async def _run_one(call: ToolCall, tools: Mapping[str, Tool], context: RunContext) -> ToolRun:
    begun = time.perf_counter()
    status: Status = "failed"
    try:
        tool = tools.get(call.name)
        if tool is None:
            raise ToolNotFound(f"there is no tool {call.name!r}; {did_you_mean(call.name, tools)}")
        async with asyncio.timeout(tool.timeout_s) as deadline:
            result = await tool.call(context, call.arguments)
        status = "done"
    except TimeoutError as error:
        if tool is not None and deadline.expired():
            status, result = (
                "timed_out",
                ToolResult(f"{call.name} took longer than {tool.timeout_s:g} s and was stopped."),
            )
        else:
            result = _failure(call, error)
    except AgentAudioError as error:
        result = ToolResult(f"{call.name} failed: {error}")
    except Exception as error:
        result = _failure(call, error)
    return ToolRun(call, status, result, time.perf_counter() - begun)


def _failure(call: ToolCall, error: Exception) -> ToolResult:
    # The model gets the message, the log the traceback: paths and values stay out of the conversation.
    log.warning("tool %s raised", call.name, exc_info=error)
    return ToolResult(f"{call.name} failed: {type(error).__name__}: {str(error)[:300]}")
