"""Calls that outlive their turn or their time: what the model reads about them, before and after they end."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.models import calls, scripted

from agentaudio import Agent, Session, ToolResult, events, tool
from agentaudio.conversation import STILL_RUNNING, ToolOutput
from agentaudio.errors import ToolError
from agentaudio.tools.execution import MAX_CONCURRENT_CALLS
from agentaudio.voice_library.library import VoiceLibrary


class Order:
    """A plain function that a test lets end when it wants."""

    def __init__(self) -> None:
        self.begun = 0
        self._ends: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __call__(self) -> Any:
        self.begun += 1
        end = self._ends.get(timeout=10)
        if isinstance(end, BaseException):
            raise end
        return end

    def end(self, value: Any) -> None:
        self._ends.put(value)


def outputs(session: Session) -> dict[str, ToolOutput]:
    return {output.call_id: output for message in session.conversation for output in message.tool_outputs}


async def interrupted(session: Session, ready: Callable[[], object]) -> list[str]:
    """Interrupt a turn as soon as it is `ready`; returns what the history then says about its calls."""

    async def read() -> None:
        async for _ in session.stream("order"):
            pass

    reader = asyncio.create_task(read())
    await until(ready)
    await session.interrupt()
    await reader
    return [output.text for output in outputs(session).values()]


async def until(ready: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not ready():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("end", "words", "is_error"),
    [
        ("ordered, number 7", "ordered, number 7", False),
        ({"number": 7}, '{"number": 7}', False),
        (None, "Done.", False),
        (ToolError("sold out"), "order failed: sold out", True),
        (ValueError("key=abc"), "order failed unexpectedly (ValueError)", True),
        (SystemExit(1), "order failed unexpectedly (SystemExit)", True),
        (object(), "order failed: the tool returned object", True),
        ("x" * 9_000, "[shortened: 1000 more characters]", False),
    ],
)
@pytest.mark.parametrize("cancellable", [True, False])
async def test_an_interrupted_plain_function_runs_on_and_its_end_is_filled_in(
    end: Any, words: str, is_error: bool, cancellable: bool
) -> None:
    order = Order()
    session = Agent(
        scripted(calls(("order", {})), "Yes?"), tools=[tool(name="order", cancellable=cancellable)(lambda: order())]
    ).session()
    (text,) = await interrupted(session, lambda: order.begun)
    assert STILL_RUNNING in text
    order.end(end)
    await until(lambda: STILL_RUNNING not in outputs(session).popitem()[1].text)
    ((_, output),) = outputs(session).items()
    assert words in output.text and output.is_error is is_error and "abc" not in output.text
    assert (await session.run("well?")).text == "Yes?" and order.begun == 1


async def test_a_plain_function_that_timed_out_is_told_as_running_and_its_end_is_filled_in() -> None:
    order, read = Order(), []

    def look(conversation: Any, specs: Any, voice: Any) -> list[Any]:
        read.append(conversation.last_outputs[0].text)
        return []

    session = Agent(
        scripted(calls(("order", {})), look), tools=[tool(name="order", timeout_s=0.05)(lambda: order())]
    ).session()
    reply = await session.run("order")
    assert read == [f"order took longer than 0.05 s and is {STILL_RUNNING}."]
    assert reply.tool_calls[0].status == "timed_out"
    order.end("ordered")
    await until(lambda: outputs(session).popitem()[1].text == "ordered")


async def test_a_result_that_comes_before_the_end_of_its_step_is_not_lost() -> None:
    order, step = Order(), asyncio.Event()

    @tool
    async def slow() -> str:
        await step.wait()
        return "slow"

    @tool(name="order", timeout_s=0.02)
    def ordering() -> str:
        return str(order())

    session = Agent(scripted(calls(("order", {}), ("slow", {})), "Done."), tools=[slow, ordering]).session()
    async for event in session.stream("go"):
        if isinstance(event, events.ToolFinished) and event.run.call.name == "order":
            assert event.run.status == "timed_out"
            order.end("ordered")
            await asyncio.sleep(0.05)
            step.set()
        if isinstance(event, events.TurnFinished):
            assert [run.result.text for run in event.reply.tool_calls] == ["ordered", "slow"]
    assert [output.text for output in outputs(session).values()] == ["ordered", "slow"]


async def test_identical_calls_that_run_on_are_all_filled_in() -> None:
    order = Order()
    session = Agent(
        scripted(calls(("order", {}), ("order", {})), "Yes?"), tools=[tool(name="order")(lambda: order())]
    ).session()
    texts = await interrupted(session, lambda: order.begun)
    assert len(texts) == 2 and all(STILL_RUNNING in text for text in texts)
    order.end("ordered")
    await until(lambda: all(output.text == "ordered" for output in outputs(session).values()))
    assert order.begun == 1


@pytest.mark.parametrize(("idempotent", "effect"), [(False, "; it may have taken effect."), (True, "while it ran.")])
async def test_an_async_function_that_was_stopped_may_have_taken_effect(idempotent: bool, effect: str) -> None:
    begun: list[str] = []

    @tool(idempotent=idempotent)
    async def order() -> str:
        begun.append("order")
        await asyncio.sleep(60)
        return ""

    session = Agent(scripted(calls(("order", {}))), tools=[order]).session()
    (text,) = await interrupted(session, lambda: begun)
    assert text.startswith("The call of order was cancelled while it ran") and text.endswith(effect)


async def test_an_async_function_that_ends_well_although_it_is_stopped_is_filled_in() -> None:
    begun: list[str] = []

    @tool
    async def order() -> str:
        begun.append("order")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return "ordered"

    session = Agent(scripted(calls(("order", {}))), tools=[order]).session()
    await interrupted(session, lambda: begun)
    await until(lambda: outputs(session).popitem()[1].text == "ordered")


async def test_an_awaitable_that_was_never_awaited_did_nothing() -> None:
    order, ordered = Order(), []

    async def really() -> str:
        ordered.append(1)
        return "ordered"

    @tool(name="order")
    def plain() -> Coroutine[Any, Any, str]:
        order()
        return really()

    session = Agent(scripted(calls(("order", {}))), tools=[plain]).session()
    await interrupted(session, lambda: order.begun)
    order.end(None)
    await until(lambda: outputs(session).popitem()[1].text == "order was stopped before it ended.")
    assert ordered == []


async def test_a_call_that_never_began_is_told_as_such() -> None:
    order = Order()

    @tool
    def ordering(number: int) -> str:
        return str(order())

    many = MAX_CONCURRENT_CALLS + 2
    session = Agent(scripted(calls(*(("ordering", {"number": n}) for n in range(many)))), tools=[ordering]).session()
    texts = await interrupted(session, lambda: order.begun == MAX_CONCURRENT_CALLS)
    assert sum(STILL_RUNNING in text for text in texts) == MAX_CONCURRENT_CALLS
    assert texts[-2:] == ["The call of ordering was cancelled before it began."] * 2
    for _ in range(MAX_CONCURRENT_CALLS):
        order.end("ordered")
    await until(lambda: [output.text for output in outputs(session).values()].count("ordered") == MAX_CONCURRENT_CALLS)


async def test_a_voice_that_came_too_late_is_not_spoken_in(library: VoiceLibrary) -> None:
    order = Order()
    session = Agent(
        scripted(calls(("order", {})), "Yes?"), tools=[tool(name="order")(lambda: order())], voices=library
    ).session()
    await interrupted(session, lambda: order.begun)
    order.end(ToolResult("Now Ruby.", voice=library.get("ruby")))
    await until(lambda: outputs(session).popitem()[1].text.endswith("too late, so the voice was not changed.)"))
    assert session.voice is None
    assert (await session.run("well?")).voice is None


async def test_a_voice_that_came_after_the_time_limit_is_not_taken_when_the_step_ends(library: VoiceLibrary) -> None:
    order, step = Order(), asyncio.Event()

    @tool
    async def slow() -> None:
        await step.wait()

    @tool(name="order", timeout_s=0.02)
    def ordering() -> Any:
        return order()

    steps = calls(("order", {}), ("slow", {})), "Done."
    session = Agent(scripted(*steps), tools=[slow, ordering], voices=library).session()
    async for event in session.stream("go"):
        if isinstance(event, events.ToolFinished) and event.run.call.name == "order":
            order.end(ToolResult("Now Ruby.", voice=library.get("ruby")))
            await asyncio.sleep(0.05)
            step.set()
    assert any("too late" in output.text for output in outputs(session).values())
    assert session.voice is None


async def test_a_plain_function_that_is_retried_is_not_tried_again_after_the_interruption() -> None:
    order = Order()
    session = Agent(
        scripted(calls(("order", {}))), tools=[tool(name="order", idempotent=True, retries=3)(lambda: order())]
    ).session()
    await interrupted(session, lambda: order.begun)
    order.end(ConnectionError("key=abc"))
    await until(lambda: outputs(session).popitem()[1].text == "order failed: the connection failed")
    await asyncio.sleep(0.3)
    assert order.begun == 1
