"""Run the tool calls of a turn concurrently. Each call ends exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from agentaudio.cancellation import is_cancelled, is_left_behind
from agentaudio.conversation import IN_BACKGROUND, ToolCall, ToolOutput
from agentaudio.errors import AgentAudioError, ToolError, ToolNotFound, did_you_mean
from agentaudio.retry import retry
from agentaudio.tools.context import RunContext
from agentaudio.tools.failure import MAX_NAME_CHARS, failure
from agentaudio.tools.result import ToolResult
from agentaudio.tools.thread import in_thread
from agentaudio.tools.tool import Tool
from agentaudio.tools.work import Step, Work, keep_going

log = logging.getLogger(__name__)

NOT_OFFERED = "No tools were offered in this step, so this call was not run; answer without it."

Status = Literal["done", "failed", "timed_out", "denied", "cancelled", "running"]
Value = TypeVar("Value")
Approve = Callable[[Tool, ToolCall], bool | Awaitable[bool]]
"""Called before a tool with `approval` runs, for one call at a time; a plain function runs in a thread."""


MAX_CONCURRENT_CALLS = 8
GRACE_S = 0.5
"""Time that a cancelled tool gets for cleaning up before the turn goes on without it."""

_sorted_json = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A call, its result and how it ended.

    A call that is "timed_out" or "cancelled" may be still running, which its result says; its late result then takes
    the place of this one in the conversation.
    """

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
    late: called for each call that ends after `finished` has reported it as timed out or cancelled: of a plain
        function, which runs on in its thread; of an async one that ignores cancellation; of a tool with
        cancellable=False; of a tool with background=True
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
        self._ended: dict[str, ToolRun] = {}  # by call id

    async def run(
        self, calls: Sequence[ToolCall], context: RunContext, *, problems: Mapping[str, str] | None = None
    ) -> list[ToolRun]:
        """Run the calls of one step concurrently; returns their runs in the order of the calls.

        problems: why a call cannot run as it stands, by call id; such a call fails with that text

        A tool's failure does not raise here: errors, timeouts and unknown names become runs whose text
        explains them to the model. Identical calls of a step run once. A call of an idempotent tool that
        succeeded earlier in this turn returns the same result without running again.
        """
        begun = time.perf_counter()
        step = Step()
        try:
            for call in calls:
                self._begin(call, context, step, (problems or {}).get(call.id))
            await step.over()
        except BaseException:
            await self._stop_all(list(step.works.values()), time.perf_counter() - begun)
            raise
        finally:
            step.works.clear()  # each refers to the step; this frees them without the garbage collector
        return [self._ended[call.id] for call in calls]

    def _begin(self, call: ToolCall, context: RunContext, step: Step, problem: str | None) -> None:
        """Report the start of a call, and let it run unless its result is known already."""
        self._started(call)
        if problem is not None:
            self._end(ToolRun(call, "failed", ToolResult(problem).shortened(), 0.0))
            return
        key = _identity(call)
        if key in self._done:
            self._end(replace(self._done[key], call=call, duration_s=0.0))
        elif key in step.works:
            step.works[key].calls.append(call)
        else:
            work = Work([call], step)
            step.add(key, work)
            work.task = asyncio.create_task(self._one(call, context, key, work))

    async def _stop_all(self, works: Sequence[Work], duration_s: float) -> None:
        """Report what has not ended as cancelled, and stop what can be stopped."""
        stopping: list[Work] = []
        for work in works:
            open_calls = [call for call in work.calls if call.id not in self._ended]
            if open_calls and work.cannot_stop:
                keep_going(work.task)
            elif open_calls and not work.task.done():
                work.stop("turn")
                stopping.append(work)
            for call in open_calls:
                self._end(ToolRun(call, "cancelled", ToolResult(work.interrupted(call.name)), duration_s))
        try:
            if stopping:
                await asyncio.wait([work.task for work in stopping], timeout=GRACE_S)
        finally:
            for work in stopping:
                if not work.task.done():
                    work.leave()

    def _end(self, run: ToolRun) -> None:
        self._ended[run.call.id] = run
        self._finished(run)

    async def _one(self, call: ToolCall, context: RunContext, key: str, work: Work) -> None:
        """Run a call, and report how it and the identical ones ended."""
        try:
            run = await self._outcome(call, context, work)
            if run is not None and run.status == "done" and work.tool is not None and work.tool.idempotent:
                self._done[key] = run
            if run is not None:
                self._report(work, run)
        except (Exception, KeyboardInterrupt) as error:
            work.step.fail(error)
            if isinstance(error, KeyboardInterrupt):
                raise

    def _report(self, work: Work, run: ToolRun) -> None:
        """Let the calls of an execution end so, or, when they have ended before, report this as late."""
        for one in work.calls:
            own = run if one is run.call else replace(run, call=one)
            if one.id not in self._ended:
                self._end(own)
            elif self._late is not None:
                self._late(own)
        work.step.close(work)

    async def _outcome(self, call: ToolCall, context: RunContext, work: Work) -> ToolRun | None:
        """Run a call. Returns None when it was stopped with its turn, which has reported that."""
        begun = time.perf_counter()
        status: Status = "failed"
        tool: Tool | None = None
        try:
            tool = self._tools.get(call.name)
            if tool is None:
                raise ToolNotFound(
                    f"there is no tool {call.name[:MAX_NAME_CHARS]!r}; {did_you_mean(call.name, self._tools)}"
                )
            if tool.approval:
                tool.arguments.check(tool.name, call.arguments)  # nobody is asked about a call that cannot run
                if reason := await self._denied(tool, call):
                    return ToolRun(call, "denied", ToolResult(reason), time.perf_counter() - begun)
            await work.take(self._free)
            if work.stopped:
                raise asyncio.CancelledError  # an approval has hidden it
            begun = work.began_s = time.perf_counter()
            work.tool = tool
            status, result = await self._bounded(tool, call, context, work)
        except (Exception, asyncio.CancelledError) as error:
            ended = self._without_result(error, call, tool, work)
            if ended is None:
                return None
            status, result = ended
        finally:
            work.free()
        return ToolRun(call, status, result.shortened(), time.perf_counter() - begun)

    def _without_result(
        self, error: BaseException, call: ToolCall, tool: Tool | None, work: Work
    ) -> tuple[Status, ToolResult] | None:
        """How a call ended that raised; None when that is known already, or not known yet."""
        going_on = work.thread if work.in_thread else None
        if going_on is not None:
            self._report_later(work, going_on)
        if work.is_left:
            if isinstance(error, asyncio.CancelledError):
                return None if going_on else ("cancelled", ToolResult(f"{call.name} was stopped before it ended."))
        elif work.stopped == "turn" or (work.stopped is None and is_cancelled(work.task) and work.step.is_cancelled):
            return None
        elif work.stopped == "time":
            return "timed_out", ToolResult(work.timed_out())
        elif isinstance(error, asyncio.CancelledError):
            error = ToolError("it cancelled itself")
        return "failed", _failure(call.name, error, tool)

    async def _denied(self, tool: Tool, call: ToolCall) -> str | None:
        """Why the call must not run, as a message for the model; None when it may run."""
        if self._approve is None:
            return f"{tool.name} needs an approval, and no approval function is set; say that it was not done."
        async with self._asking:
            try:
                if inspect.iscoroutinefunction(self._approve):
                    allowed = await _guarded(self._approve(tool, call))
                else:
                    allowed = await in_thread(lambda: self._approve and self._approve(tool, call))
                    if inspect.isawaitable(allowed):
                        allowed = await _guarded(allowed)
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled(asyncio.current_task()):
                    raise
                log.warning("asking for the approval of %s failed", tool.name, exc_info=error)
                allowed = False
        return None if allowed is True else f"{tool.name} was not approved; say that it was not done."

    async def _bounded(self, tool: Tool, call: ToolCall, context: RunContext, work: Work) -> tuple[Status, ToolResult]:
        """Run a tool within its time limit. Raises what the tool raised."""
        own_context = context if tool.context is None else self._context_of(call, context)

        def attempt() -> Coroutine[Any, Any, ToolResult]:
            return _guarded(tool.call(own_context, call.arguments, started=work.run_in))

        attempts: Coroutine[Any, Any, ToolResult]
        if tool.retries:
            attempts = retry(attempt, retries=tool.retries, label=f"a call of the tool {tool.name}")
        else:
            attempts = attempt()
        if tool.background:
            self._report_later(work, asyncio.ensure_future(_within(tool, attempts)))
            return "running", ToolResult(
                f"{tool.name} {IN_BACKGROUND}. Its result comes by itself, so do not call it again."
            )
        work.timer = asyncio.get_running_loop().call_later(tool.timeout_s, self._time_is_over, work)
        return "done", await attempts

    def _time_is_over(self, work: Work) -> None:
        work.stop("time")
        work.timer = asyncio.get_running_loop().call_later(GRACE_S, self._grace_is_over, work)

    def _grace_is_over(self, work: Work) -> None:
        """Let the turn go on without a tool that ignores cancellation."""
        work.leave()
        seconds = time.perf_counter() - work.began_s
        self._report(work, ToolRun(work.calls[0], "timed_out", ToolResult(work.timed_out()), seconds))

    def _report_later(self, work: Work, ending: asyncio.Future[Any]) -> None:
        """Call `late` with the outcome of something that the calls no longer wait for."""
        keep_going(ending)

        def ended(ending: asyncio.Future[Any]) -> None:
            first = work.calls[0]
            status: Status = "failed"
            if ending.cancelled():
                status, result = "cancelled", ToolResult(f"{first.name} was stopped before it ended.")
            elif (error := ending.exception()) is not None:
                result = _failure(first.name, error, work.tool)
            elif isinstance(ending.result(), ToolResult):
                status, result = "done", ending.result()
            else:  # an awaitable that was never awaited
                getattr(ending.result(), "close", lambda: None)()
                status, result = "cancelled", ToolResult(f"{first.name} was stopped before it ended.")
            seconds = time.perf_counter() - work.began_s
            for call in work.calls:
                if self._late is not None:
                    self._late(ToolRun(call, status, result.shortened(), seconds))

        ending.add_done_callback(ended)

    def _context_of(self, call: ToolCall, context: RunContext) -> RunContext:
        """The context of one call: progress reported through it belongs to this call."""
        if self._progressed is None:
            return context
        loop, progressed, thread = asyncio.get_running_loop(), self._progressed, threading.get_ident()

        def report(message: str, share: float | None) -> None:
            if call.id not in self._ended:
                progressed(call, message, share)

        def progress(message: str, share: float | None) -> None:
            if threading.get_ident() == thread:
                report(message, share)  # at once, as the call may end before the loop runs again
                return
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(report, message, share)

        return context.reporting(progress)


async def _within(tool: Tool, attempts: Awaitable[ToolResult]) -> ToolResult:
    try:
        async with asyncio.timeout(tool.timeout_s):
            return await attempts
    except TimeoutError:
        raise ToolError(f"it took longer than {tool.timeout_s:g} s") from None


def without_result(call: ToolCall) -> ToolOutput:
    """The output of a call whose result never came."""
    text = "This call has no result: the turn ended before one came, and how it ended is unknown."
    return ToolOutput(call.id, call.name, text, is_error=True)


def not_run(call: ToolCall, limit: str) -> ToolOutput:
    """The output of a call that a usage limit forbids."""
    text = f"{call.name} was not run: the limit of {limit} was reached."
    return ToolOutput(call.id, call.name, text, is_error=True)


async def _guarded(work: Awaitable[Value]) -> Value:
    """The result of foreign code, whose `exit()` or GeneratorExit must end neither the turn nor the program.

    Raises RuntimeError for what is not an Exception, but for a cancellation and for KeyboardInterrupt.
    """
    task = asyncio.current_task()
    try:
        return await work
    except (Exception, asyncio.CancelledError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if is_left_behind(task):  # Python clears the coroutine away
            raise
        raise RuntimeError(f"it raised {type(error).__name__}") from error


def _failure(name: str, error: BaseException, tool: Tool | None) -> ToolResult:
    if not isinstance(error, AgentAudioError):
        log.warning("tool %s raised", name, exc_info=error)
    return failure(name, error, untrusted=tool is not None and tool.untrusted)


def _identity(call: ToolCall) -> str:
    """A key that is equal for calls of the same tool with equal arguments."""
    try:
        return f"{call.name} {_sorted_json(call.arguments)}"
    except (TypeError, ValueError, RecursionError):
        return f"{call.name} {call.id}"  # not JSON; checking the arguments reports it
