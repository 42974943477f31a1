"""The event queue of a turn: order, bound, progress, withdrawal and closing."""

from __future__ import annotations

import asyncio

import pytest

from agentaudio.conversation import ToolCall
from agentaudio.events import AudioSpoken, BaseEvent, TextSpoken, ToolProgress
from agentaudio.outbox import Outbox


def text(words: str) -> TextSpoken:
    return TextSpoken(turn=1, at_s=0.0, text=words)


def progress(call_id: str, message: str) -> ToolProgress:
    return ToolProgress(turn=1, at_s=0.0, call=ToolCall(call_id, "f", {}), message=message)


async def read(outbox: Outbox) -> list[BaseEvent]:
    events: list[BaseEvent] = []
    while (event := await outbox.get()) is not None:
        events.append(event)
    return events


async def test_events_arrive_in_order_and_end_with_none() -> None:
    outbox = Outbox()
    for words in "abc":
        await outbox.put(text(words))
    outbox.close()
    assert await read(outbox) == [text("a"), text("b"), text("c")] and await outbox.get() is None


async def test_a_reader_waits_for_the_next_event() -> None:
    outbox = Outbox()
    reader = asyncio.ensure_future(read(outbox))
    await asyncio.sleep(0)
    outbox.post(text("a"))
    await asyncio.sleep(0)
    outbox.close()
    assert await asyncio.wait_for(reader, 5) == [text("a")]


async def test_a_writer_waits_for_room() -> None:
    outbox = Outbox(2)
    writer = asyncio.ensure_future(_put_all(outbox, "abcde"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(outbox) == 2 and not writer.done()
    assert await outbox.get() == text("a")
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(outbox) == 2 and not writer.done()
    for words in "bcde":
        assert await asyncio.wait_for(outbox.get(), 5) == text(words)
    await asyncio.wait_for(writer, 5)


async def test_post_appends_to_a_full_outbox() -> None:
    outbox = Outbox(1)
    await outbox.put(text("a"))
    outbox.post(text("b"))
    assert len(outbox) == 2


@pytest.mark.parametrize(("capacity", "left"), [(8, ["1", "2", "3", "4"]), (2, ["2", "4"])])
async def test_progress_replaces_older_progress_of_its_call_when_the_outbox_is_full(
    capacity: int, left: list[str]
) -> None:
    outbox = Outbox(capacity)
    for call_id, message in (("x", "1"), ("y", "2"), ("x", "3"), ("x", "4")):
        outbox.post(progress(call_id, message))
    outbox.close()
    assert [event.message for event in await read(outbox) if isinstance(event, ToolProgress)] == left


async def test_unread_events_are_withdrawn_and_make_room() -> None:
    outbox = Outbox(3)
    await _put_all(outbox, "ab")
    outbox.post(progress("x", "1"))
    writer = asyncio.ensure_future(outbox.put(text("c")))
    await asyncio.sleep(0)
    assert outbox.withdraw(TextSpoken, AudioSpoken) == 2
    await asyncio.wait_for(writer, 5)
    outbox.close()
    assert [event.type for event in await read(outbox)] == ["tool.progress", "text.delta"]


async def test_closing_releases_a_waiting_writer() -> None:
    outbox = Outbox(1)
    await outbox.put(text("a"))
    writer = asyncio.ensure_future(outbox.put(text("b")))
    await asyncio.sleep(0)
    outbox.close()
    await asyncio.wait_for(writer, 5)


async def _put_all(outbox: Outbox, words: str) -> None:
    for one in words:
        await outbox.put(text(one))
