"""Ends of tool calls that nobody plans: stubborn tools, swallowed cancellations, broken reports."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest

from agentaudio import RunContext, Tool, tool
from agentaudio.conversation import STILL_RUNNING, Conversation, ToolCall
from agentaudio.tools import execution
from agentaudio.tools.execution import MAX_CONCURRENT_CALLS, Approve, ToolRun, TurnCalls

CONTEXT = RunContext(Conversation())


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "GRACE_S", 0.02)


class Reports:
    """What TurnCalls has reported. broken: the names of calls whose report raises"""

    def __init__(self, *tools: Tool, approve: Approve | None = None, broken: str = "") -> None:
        self.finished: list[ToolRun] = []
        self.late: list[ToolRun] = []
        self._broken = broken
        by_name = {one.name: one for one in tools}
        self.calls = TurnCalls(
            by_name, started=lambda call: None, finished=self._take, approve=approve, late=self.late.append
        )

    def _take(self, run: ToolRun) -> None:
        self.finished.append(run)
        if run.call.name == self._broken:
            raise OSError("the report failed")

    async def run(self, *names: str) -> list[ToolRun]:
        made = [ToolCall(f"{number}", name, {"n": number}) for number, name in enumerate(names)]
        return await self.calls.run(made, CONTEXT)


def running() -> set[str]:
    """What is left of calls."""
    return {str(task.get_coro()) for task in asyncio.all_tasks() if "TurnCalls" in str(task.get_coro())}


async def until(ready: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not ready():
            await asyncio.sleep(0.001)


async def interrupted(reports: Reports, name: str, ready: Callable[[], object]) -> None:
    task = asyncio.create_task(reports.run(name))
    await until(ready)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@tool
async def forever(n: int) -> None:
    """Never ends."""
    await asyncio.Event().wait()


@tool
async def quick(n: int) -> str:
    """Ends at once."""
    return "quick"


@pytest.mark.parametrize("names", [("forever", "quick"), ("quick", "forever"), ("forever", "quick", "quick")])
async def test_a_report_that_fails_ends_all_calls_in_whichever_order_they_were_made(names: tuple[str, ...]) -> None:
    reports = Reports(forever, quick, broken="quick")
    with pytest.raises(OSError, match="the report failed"):
        await reports.run(*names)
    assert sorted(run.call.id for run in reports.finished) == sorted(str(n) for n in range(len(names)))
    assert running() == set()


async def test_tools_that_ignore_their_time_limit_give_their_places_to_others() -> None:
    release = asyncio.Event()

    @tool(timeout_s=0.02)
    async def stubborn(n: int) -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "at last"

    reports = Reports(stubborn, quick)
    runs = await reports.run(*["stubborn"] * MAX_CONCURRENT_CALLS, "quick")
    assert [run.status for run in runs] == ["timed_out"] * MAX_CONCURRENT_CALLS + ["done"]
    assert all(STILL_RUNNING in run.result.text for run in runs[:-1])
    release.set()
    await until(lambda: len(reports.late) == MAX_CONCURRENT_CALLS)
    assert {(run.status, run.result.text) for run in reports.late} == {("done", "at last")}


async def test_an_approval_that_hides_the_interruption_does_not_let_the_tool_run() -> None:
    asked, ran = asyncio.Event(), []

    @tool(approval=True)
    async def pay(n: int) -> None:
        ran.append(n)

    async def approve(one: Tool, call: ToolCall) -> bool:
        asked.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
        return True

    reports = Reports(pay, approve=approve)
    await interrupted(reports, "pay", asked.is_set)
    assert [(run.status, run.result.text) for run in reports.finished] == [
        ("cancelled", "The call of pay was cancelled before it began.")
    ]
    assert ran == [] and reports.late == [] and running() == set()


async def test_an_approval_that_never_ends_does_not_hold_the_interruption() -> None:
    asked, end, ran = asyncio.Event(), asyncio.Event(), []

    @tool(approval=True)
    async def pay(n: int) -> None:
        ran.append(n)

    async def approve(one: Tool, call: ToolCall) -> bool:
        asked.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return True

    reports = Reports(pay, approve=approve)
    async with asyncio.timeout(5):
        await interrupted(reports, "pay", asked.is_set)
    end.set()
    await until(lambda: not running())
    assert ran == [] and [run.status for run in reports.finished] == ["cancelled"]


@pytest.mark.parametrize("own", [True, False])
async def test_a_tool_that_cancels_itself_has_failed(own: bool) -> None:
    @tool
    async def leaves(n: int) -> None:
        task = asyncio.current_task()
        if own and task is not None:
            task.cancel()
            await asyncio.sleep(0)
        raise asyncio.CancelledError

    (run,) = await Reports(leaves).run("leaves")
    assert (run.status, run.result.text) == ("failed", "leaves failed: it cancelled itself")


@pytest.mark.parametrize(
    ("end", "late"),
    [
        (ValueError("key=abc"), ("failed", "book failed unexpectedly (ValueError); say that it did not work.")),
        (asyncio.CancelledError(), ("failed", "book failed: it cancelled itself")),
        (None, ("done", "booked")),
    ],
)
async def test_a_tool_that_cannot_be_cancelled_reports_any_end_after_the_interruption(
    end: BaseException | None, late: tuple[str, str]
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    @tool(cancellable=False)
    async def book(n: int) -> str:
        begun.set()
        await go_on.wait()
        if end is not None:
            raise end
        return "booked"

    reports = Reports(book)
    await interrupted(reports, "book", begun.is_set)
    gc.collect()
    go_on.set()
    await until(lambda: reports.late)
    assert [(run.status, run.result.text) for run in reports.late] == [late]


async def test_a_tool_that_cannot_be_cancelled_is_stopped_when_its_time_is_over_after_the_interruption() -> None:
    begun = asyncio.Event()

    @tool(cancellable=False, timeout_s=0.05)
    async def book(n: int) -> None:
        begun.set()
        await asyncio.Event().wait()

    reports = Reports(book)
    await interrupted(reports, "book", begun.is_set)
    await until(lambda: reports.late)
    ((status, text),) = [(run.status, run.result.text) for run in reports.late]
    assert status == "timed_out" and text.startswith("book took longer than 0.05 s and was stopped")


async def test_an_interruption_while_a_tool_that_timed_out_cleans_up_is_reported_once() -> None:
    cleaning, cleaned = asyncio.Event(), asyncio.Event()

    @tool(timeout_s=0.01)
    async def careful(n: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            try:
                await asyncio.sleep(60)
            finally:
                cleaned.set()

    reports = Reports(careful)
    await interrupted(reports, "careful", cleaning.is_set)
    assert cleaned.is_set() and [run.status for run in reports.finished] == ["cancelled"] and reports.late == []


async def test_a_program_that_ends_while_a_tool_runs_reports_a_cancelled_call() -> None:
    begun = asyncio.Event()

    @tool
    async def waits(n: int) -> None:
        begun.set()
        await asyncio.Event().wait()

    reports = Reports(waits)
    turn = asyncio.create_task(reports.run("waits"))
    await until(begun.is_set)
    for task in [one for one in asyncio.all_tasks() if one is turn or "TurnCalls" in str(one.get_coro())]:
        task.cancel()  # as asyncio.run does with all tasks at its end
    await asyncio.wait([turn])
    assert [run.status for run in reports.finished] == ["cancelled"] and reports.late == []
