"""Run the tool calls of a turn concurrently. Each call ends exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agentaudio.conversation import ToolCall, ToolOutput
from agentaudio.errors import AgentAudioError, ToolArgumentError, ToolNotFound, did_you_mean
from agentaudio.retry import retry
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import ToolResult
from agentaudio.tools.thread import in_thread
from agentaudio.tools.tool import Tool

log = logging.getLogger(__name__)

Status = Literal["done", "failed", "timed_out", "denied", "cancelled"]
Approve = Callable[[Tool, ToolCall], bool | Awaitable[bool]]
"""Called before a tool with `approval` runs, for one call at a time; a plain function runs in a thread."""

MAX_CONCURRENT_CALLS = 8
MAX_ARGUMENT_CHARS = 1_000_000
GRACE_S = 0.5
"""Time that a cancelled tool gets for cleaning up before the turn goes on without it."""

_continuing: set[asyncio.Task[ToolRun]] = set()


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A call, its result and how it ended."""

    call: ToolCall
    status: Status
    result: ToolResult
    duration_s: float

    @property
    def output(self) -> ToolOutput:
        """The result as the model reads it."""
        return ToolOutput(self.call.id, self.call.name, self.result.shown, self.result.passages, self.status != "done")


class TurnCalls:
    """The tool calls of one turn.

    approve: decides about calls of tools with `approval`; None denies them
    started, finished: called once for each call, also for one that is cancelled
    progressed: called when a running call reports its progress
    late: called for each call that ends after its turn was interrupted (tools with cancellable=False)
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        *,
        started: Callable[[ToolCall], None],
        finished: Callable[[ToolRun], object],
        progressed: Callable[[ToolCall, str, float | None], None] | None = None,
        approve: Approve | None = None,
        late: Callable[[ToolRun], object] | None = None,
    ) -> None:
        self._tools = tools
        self._started, self._finished, self._late = started, finished, late
        self._progressed, self._approve = progressed, approve
        self._free = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
        self._asking = asyncio.Lock()
        self._done: dict[str, ToolRun] = {}
        self._ended: set[str] = set()  # ids of the calls that have ended
        self._shared: dict[asyncio.Task[ToolRun], list[ToolCall]] = {}  # the identical calls that a task serves
        self._unstoppable: set[asyncio.Task[ToolRun]] = set()

    async def run(
        self, calls: Sequence[ToolCall], context: RunContext, *, problems: Mapping[str, str] | None = None
    ) -> list[ToolRun]:
        """Run the calls of one step concurrently; returns their runs in the order of the calls.

        problems: why a call cannot run as it stands, by call id; such a call fails with that text

        A tool's failure does not raise here: errors, timeouts and unknown names become runs whose text
        explains them to the model. Identical calls of a step run once. A call of an idempotent tool that
        succeeded earlier in this turn returns the same result without running again.
        """
        first_of: dict[str, asyncio.Task[ToolRun]] = {}
        followers = [
            asyncio.ensure_future(self._follow(call, context, first_of, (problems or {}).get(call.id)))
            for call in calls
        ]
        try:
            return await asyncio.gather(*followers)
        finally:
            leftover = [task for task in followers if not task.done()]
            for task in first_of.values():
                if task in self._unstoppable and not task.done():
                    self._continue_later(task)
                elif not task.done():
                    leftover.append(task)
            for task in leftover:
                task.cancel()
            await asyncio.gather(*leftover, return_exceptions=True)

    async def _follow(
        self, call: ToolCall, context: RunContext, first_of: dict[str, asyncio.Task[ToolRun]], problem: str | None
    ) -> ToolRun:
        begun = time.perf_counter()
        self._started(call)
        if problem is not None:
            run = ToolRun(call, "failed", ToolResult(problem), 0.0)
            self._end(run)
            return run
        key = _identity(call)
        task = None
        try:
            if key in self._done:
                outcome = replace(self._done[key], call=call, duration_s=0.0)
            else:
                # Identical calls wait for the first of them; the shield keeps it alive when one of them is cancelled.
                task = first_of.get(key) or asyncio.ensure_future(self._one(call, context, key))
                first_of[key] = task
                self._shared.setdefault(task, []).append(call)
                outcome = replace(await asyncio.shield(task), call=call)
        except asyncio.CancelledError:
            if task is not None and task.done() and not task.cancelled():
                self._end(replace(task.result(), call=call))  # it had ended just before
                raise
            text = "The call was cancelled."
            if task in self._unstoppable:
                text = f"The turn was interrupted; {call.name} continues, and its result is not known yet."
            self._end(ToolRun(call, "cancelled", ToolResult(text), time.perf_counter() - begun))
            raise
        self._end(outcome)
        return outcome

    def _end(self, run: ToolRun) -> None:
        self._ended.add(run.call.id)
        self._finished(run)

    async def _one(self, call: ToolCall, context: RunContext, key: str) -> ToolRun:
        begun = time.perf_counter()
        status: Status = "failed"
        tool: Tool | None = None
        try:
            if len(key) > MAX_ARGUMENT_CHARS:
                raise ToolArgumentError(f"the arguments have {len(key)} characters; the limit is {MAX_ARGUMENT_CHARS}")
            tool = self._tools.get(call.name)
            if tool is None:
                raise ToolNotFound(f"there is no tool {call.name!r}; {did_you_mean(call.name, self._tools)}")
            tool.arguments.check(tool.name, call.arguments)
            if tool.approval and (reason := await self._denied(tool, call)):
                return ToolRun(call, "denied", ToolResult(reason), time.perf_counter() - begun)
            async with self._free:
                begun = time.perf_counter()
                status, result = await self._bounded(tool, call, context)
        except AgentAudioError as error:
            result = ToolResult(f"{call.name} failed: {error}")
        except Exception as error:
            # The model gets the message, the log the traceback: paths and values stay out of the conversation.
            log.warning("tool %s raised", call.name, exc_info=error)
            result = ToolResult(f"{call.name} failed: {type(error).__name__}: {message_of(error)}")
        run = ToolRun(call, status, result.shortened(), time.perf_counter() - begun)
        if status == "done" and tool is not None and tool.idempotent:
            self._done[key] = run
        return run

    async def _denied(self, tool: Tool, call: ToolCall) -> str | None:
        """Why the call must not run, as a message for the model; None when it may run."""
        if self._approve is None:
            return f"{tool.name} needs an approval, and no approval function is set; say that it was not done."
        async with self._asking:
            try:
                if inspect.iscoroutinefunction(self._approve):
                    allowed = await self._approve(tool, call)
                else:
                    allowed = await in_thread(lambda: self._approve and self._approve(tool, call))
                    if inspect.isawaitable(allowed):
                        allowed = await allowed
            except Exception as error:
                log.warning("asking for the approval of %s failed", tool.name, exc_info=error)
                allowed = False
        return None if allowed is True else f"{tool.name} was not approved; say that it was not done."

    async def _bounded(self, tool: Tool, call: ToolCall, context: RunContext) -> tuple[Status, ToolResult]:
        """Run a tool within its time limit. Raises what the tool raised."""
        # A separate task, so that a tool that ignores cancellation delays neither the turn nor its end.
        own_context = self._context_of(call, context)
        attempts = retry(
            lambda: _called(tool, call, own_context), retries=tool.retries, label=f"a call of the tool {tool.name}"
        )
        work = asyncio.ensure_future(attempts)
        this = asyncio.current_task()
        if not tool.cancellable and this is not None:
            self._unstoppable.add(this)
        try:
            await asyncio.wait([work], timeout=tool.timeout_s)
            in_time = work.done()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work], timeout=GRACE_S)
                if not work.done():
                    log.warning("tool %s did not stop when cancelled", tool.name)
        if not in_time:
            return "timed_out", ToolResult(f"{tool.name} took longer than {tool.timeout_s:g} s and was stopped.")
        if work.cancelled():
            raise RuntimeError("it cancelled itself")
        return "done", work.result()

    def _context_of(self, call: ToolCall, context: RunContext) -> RunContext:
        """The context of one call: progress reported through it belongs to this call."""
        if self._progressed is None:
            return context
        loop, progressed = asyncio.get_running_loop(), self._progressed

        def report(message: str, share: float | None) -> None:
            if call.id not in self._ended:
                progressed(call, message, share)

        def progress(message: str, share: float | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(report, message, share)

        return replace(context, progress=progress)

    def _continue_later(self, task: asyncio.Task[ToolRun]) -> None:
        _continuing.add(task)

        def ended(task: asyncio.Task[ToolRun]) -> None:
            _continuing.discard(task)
            if self._late is not None and not task.cancelled():
                for call in self._shared[task]:
                    self._late(replace(task.result(), call=call))

        task.add_done_callback(ended)


def without_result(call: ToolCall) -> ToolOutput:
    """The output of a call whose result never came."""
    text = "This call has no result: the turn ended before one came."
    return ToolOutput(call.id, call.name, text, is_error=True)


async def _called(tool: Tool, call: ToolCall, context: RunContext) -> ToolResult:
    try:
        return await tool.call(context, call.arguments)
    except (Exception, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # `exit()` in a tool ends the tool, not the agent
        raise RuntimeError(f"the tool raised {type(error).__name__}: {message_of(error)}") from error


def message_of(error: BaseException) -> str:
    """The message of any exception, at most 300 characters."""
    try:
        return str(error)[:300]
    except Exception:  # its __str__ is broken too
        return "its message cannot be read"


def _identity(call: ToolCall) -> str:
    """A key that is equal for calls of the same tool with equal arguments."""
    try:
        return f"{call.name} {json.dumps(call.arguments, sort_keys=True)}"
    except (TypeError, ValueError, RecursionError):
        return f"{call.name} {call.id}"  # not JSON; checking the arguments reports it
