"""A turn stopped at any point leaves no tasks or open files, and a valid conversation."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio import Agent, Session, events, tool
from agentaudio.conversation import SpeechPart
from agentaudio.model.scripted import Scripted


@tool
async def slow(x: int) -> str:
    """Take a few iterations of the event loop."""
    for _ in range(6):
        await asyncio.sleep(0)
    return f"slow {x}"


def agent() -> Agent:
    step = {"heard": "hi", "say": "One moment.", "calls": [{"name": "slow", "arguments": {"x": i}} for i in (1, 2)]}
    return Agent(Scripted([step, "All done."], loop=True), tools=[slow])


def open_files() -> set[str]:
    return {
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    }


def assert_consistent(session: Session) -> None:
    assert not session.conversation.open_calls
    reply = asyncio.run(session.run("go on"))
    assert reply.stop == "answered" and reply.text


async def stop_after(session: Session, user: object, loop_steps: int) -> bool:
    """Cancel a turn after `loop_steps` iterations of the event loop; False when it had ended before."""
    task = asyncio.create_task(session.run(user))  # type: ignore[arg-type]
    for _ in range(loop_steps):
        await asyncio.sleep(0)
    ended = task.done()
    task.cancel()
    await asyncio.wait([task])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return not ended


def test_cancelling_at_every_await_point_leaves_nothing_behind() -> None:
    made = agent()
    made.run_sync("warm up")
    threads, files = set(threading.enumerate()), open_files()
    for loop_steps in range(500):
        session = made.session()
        stopped = asyncio.run(stop_after(session, "go", loop_steps))
        assert set(threading.enumerate()) == threads
        assert open_files() <= files
        assert_consistent(session)
        if not stopped:
            break
    assert 20 < loop_steps < 499


@pytest.mark.parametrize("delay_s", [0, 0.0003, 0.001, 0.003])
def test_cancelling_while_a_file_is_read_leaves_nothing_behind(tmp_path: Path, delay_s: float) -> None:
    path = tone(duration_s=10, sample_rate=48_000).save(tmp_path / "long.wav")
    made = agent()
    made.run_sync("warm up")
    threads, files = set(threading.enumerate()), open_files()

    async def stop() -> Session:
        session = made.session()
        task = asyncio.create_task(session.run(path))
        await asyncio.sleep(delay_s)
        task.cancel()
        await asyncio.wait([task])
        return session

    session = asyncio.run(stop())
    gc.collect()
    for _ in range(500):  # a file that is half read is read on for a moment
        if set(threading.enumerate()) <= threads:
            break
        time.sleep(0.01)
    assert set(threading.enumerate()) <= threads and open_files() <= files
    assert_consistent(session)


def test_closing_the_stream_early_stops_the_turn() -> None:
    running: list[str] = []

    @tool
    async def forever() -> str:
        running.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            running.append("ended")
        return ""

    model = Scripted([{"calls": [{"name": "forever"}]}, "Later."], loop=True)
    session = Agent(model, tools=[forever]).session()

    async def leave() -> None:
        async for event in session.stream("go"):
            if event.type == "tool.started":
                await asyncio.sleep(0.01)
                break
        gc.collect()
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0)

    asyncio.run(leave())
    assert running == ["begun", "ended"]
    assert not session.conversation.open_calls


def test_barge_in_keeps_the_heard_speech_marked_as_interrupted() -> None:
    session = Agent(Scripted(["This answer is far too long to wait for", "Yes?"], delay_s=0.01)).session()

    async def interrupt() -> tuple[list[events.Event], str]:
        heard: list[events.Event] = []

        async def listen() -> None:
            async for event in session.stream("talk"):
                heard.append(event)

        listener = asyncio.create_task(listen())
        while len(heard) < 6:
            await asyncio.sleep(0.001)
        second = await session.run("stop")
        await listener
        return heard, second.text

    heard, answer = asyncio.run(interrupt())
    assert answer == "Yes?"
    assert isinstance(heard[-1], events.TurnFinished) and heard[-1].reply.stop == "interrupted"
    spoken = [part for message in session.conversation for part in message.parts if isinstance(part, SpeechPart)]
    assert spoken[0].interrupted and "This" in spoken[0].text and "wait" not in spoken[0].text
    assert not spoken[1].interrupted


def test_finished_results_survive_an_interruption() -> None:
    @tool
    async def quick() -> str:
        return "ready"

    @tool
    async def never() -> str:
        await asyncio.sleep(60)
        return ""

    model = Scripted([{"calls": [{"name": "quick"}, {"name": "never"}]}, "ok"])
    session = Agent(model, tools=[quick, never]).session()

    async def interrupt() -> None:
        async for event in session.stream("go"):
            if isinstance(event, events.ToolFinished) and event.run.call.name == "quick":
                await session.interrupt()

    asyncio.run(interrupt())
    outputs = {output.name: output for output in session.conversation.last_outputs}
    assert outputs["quick"].text == "ready" and not outputs["quick"].is_error
    assert outputs["never"].is_error and "cancelled" in outputs["never"].text


def test_a_tool_that_blocks_its_thread_does_not_hold_the_turn() -> None:
    release = threading.Event()

    @tool(timeout_s=0.05)
    def stuck() -> str:
        release.wait(10)
        return ""

    reply = Agent(Scripted([{"calls": [{"name": "stuck"}]}, "Moving on."]), tools=[stuck]).run_sync("go")
    release.set()
    assert reply.tool_calls[0].status == "timed_out"
    assert "longer than 0.05 s" in reply.tool_calls[0].result.text
    assert reply.text == "Moving on."
