"""What the conversation keeps of an answer that is interrupted, cut or deleted, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from support.realtime_agent import talker
from support.realtime_client import Client, question, realtime_client
from support.server import Running, running_server

from agentaudio import Audio

NO_TURNS = {"input": {"turn_detection": None}}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(talker()) as running:
        yield running


async def history(client: Client) -> str:
    await client.write("history")
    response = await client.responded()
    return str(response["output"][0]["content"][0]["transcript"]).strip()


async def retrieved(client: Client, item_id: str) -> dict[str, object]:
    await client.send("conversation.item.retrieve", item_id=item_id)
    return dict((await client.until("conversation.item.retrieved"))["item"])


async def truncate(client: Client, item_id: str, end_ms: float) -> int:
    await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=end_ms)
    return int((await client.until("conversation.item.truncated"))["audio_end_ms"])


async def test_a_truncation_beyond_the_sound_sent_is_clamped_and_cuts_nothing(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio=NO_TURNS)
        await client.write("hello")
        said = (await client.responded())["output"][0]
        assert await truncate(client, said["id"], 60_000) == 300
        item = await retrieved(client, said["id"])
        assert item["status"] == "completed"
        assert item["content"] == [{"type": "output_audio", "transcript": "You wrote hello "}]
        assert await history(client) == "user: hello | assistant: You wrote hello | user: history"


async def test_the_last_truncation_counts_also_when_it_comes_late_or_tells_of_more(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio=NO_TURNS)
        await client.write("count 10")
        said = (await client.responded())["output"][0]
        assert await truncate(client, said["id"], 210) == 210
        assert await history(client) == "user: count 10 | assistant: w1 w2 | user: history"
        assert await truncate(client, said["id"], 610) == 610
        assert (await history(client)).startswith("user: count 10 | assistant: w1 w2 w3 w4 w5 w6 | user: history |")


async def test_written_answers_have_no_sound_to_truncate_and_stay_whole(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(output_modalities=["text"])
        await client.write("hello")
        said = (await client.responded())["output"][0]
        assert await truncate(client, said["id"], 100) == 0
        assert (await retrieved(client, said["id"]))["content"] == [{"type": "output_text", "text": "You wrote hello "}]
        await client.send("conversation.item.truncate", item_id="nothing", content_index=0, audio_end_ms=0)
        assert (await client.until("error"))["error"]["code"] == "item_truncate_invalid_item_id"


async def test_an_item_that_is_deleted_while_it_is_spoken_does_not_come_back(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio=NO_TURNS)
        await client.write("count 30 slowly")
        await client.send("response.create")
        delta = await client.until("response.output_audio.delta")
        await client.send("conversation.item.delete", item_id=delta["item_id"])
        assert (await client.until("conversation.item.deleted"))["item_id"] == delta["item_id"]
        assert [one["response"]["status"] for one in client.of("response.done")] == ["cancelled"]
        assert await history(client) == "user: count 30 slowly history"


async def test_a_deleted_message_does_not_take_a_later_one_with_it(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio=NO_TURNS)
        await client.write("call time_in")
        first, second = (await client.responded())["output"]
        await client.send("conversation.item.delete", item_id=first["id"])
        assert await truncate(client, second["id"], 210) == 210
        assert await history(client) == (
            "user: call time_in | assistant: | tool: | assistant: results: nine | user: history"
        )


async def test_a_deleted_call_is_forgotten_with_its_result(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(tools=[{"type": "function", "name": "mine", "parameters": {"type": "object"}}])
        await client.write("call mine")
        message, call = (await client.responded())["output"]
        await client.send("conversation.item.delete", item_id=call["id"])
        assert await history(client) == "user: call mine | assistant: One | user: history"


async def test_speech_of_the_user_stops_an_answer_that_is_being_made_and_keeps_what_was_heard(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.write("count 40 slowly")
        await client.send("response.create")
        delta = await client.until("response.output_audio.delta")
        await asyncio.sleep(0.5)
        asked = question() + Audio.silence(0.8, 24_000)
        await client.say(asked.slice(0.0, 0.9), speed=8)
        done = await client.until("response.done")
        started = client.types().index("input_audio_buffer.speech_started")
        assert started < client.types().index("response.done")
        response = done["response"]
        assert (response["status"], response["status_details"]) == (
            "cancelled", {"type": "cancelled", "reason": "turn_detected"},
        )  # fmt: skip
        cut = response["output"][0]
        assert cut["status"] == "incomplete"
        words = cut["content"][0]["transcript"].split()
        assert 0 < len(words) < 40
        assert await truncate(client, delta["item_id"], 310) == 310
        await client.send("response.cancel")
        late = (await client.until("error"))["error"]
        assert late["code"] == "response_cancel_not_active"
        assert late["message"].startswith("Cancellation failed")
        await client.say(asked.slice(0.9, asked.duration), speed=8)
        answered = await client.done()
        assert answered["output"][0]["content"][0]["transcript"] == "I heard you well "
        after = client.events[client.events.index(done) :]
        assert all(one.get("response_id") != response["id"] for one in after)
        heard = answered["agentaudio"]["heard"]
        assert await history(client) == (
            f"user: count 40 slowly | assistant: w1 w2 w3 | user: {heard} | assistant: I heard you well | user: history"
        )


async def test_speech_over_an_answer_that_was_sent_whole_keeps_what_was_played(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.write("count 60")
        await client.responded()
        await asyncio.sleep(0.5)
        await client.say(question(), speed=2)
        await client.until("input_audio_buffer.speech_started")
        item_id = client.of("response.output_audio.delta")[-1]["item_id"]
        item = await retrieved(client, item_id)
    assert item["status"] == "incomplete"
    words = item["content"][0]["transcript"].split()  # type: ignore[index]
    assert 0 < len(words) < 60
