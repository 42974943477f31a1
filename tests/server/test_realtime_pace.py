"""The sound of answers is sent at a pace: what the user does meanwhile is told at once, and nothing is on its way."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest
from support.realtime_agent import WORD_S, Talker, talker
from support.realtime_client import RATE, Client, question, realtime_client
from support.server import KEY, Running, running_server
from websockets.asyncio.client import connect

from agentaudio import Audio
from agentaudio.server.realtime.formats import LONGEST_S
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.realtime.pace import AT_ONCE_S, Pace
from agentaudio.server.serving import UNSENT_BYTES
from agentaudio.server.settings import ServerSettings

STILL = 0.001
"""A pace at which nothing goes out after the first sound, as long as a test lasts."""


@pytest.fixture
def server() -> Iterator[Running]:
    with running_server(talker(voices=None), ServerSettings(keys=(KEY,), sound_pace=STILL)) as running:
        yield running


def seconds(client: Client) -> float:
    return len(client.sound()) / (2 * RATE)


async def until_it_waits(client: Client) -> None:
    while seconds(client) < AT_ONCE_S:
        await client.until("response.output_audio.delta")


async def asks(client: Client, text: str) -> None:
    await client.write(text)
    await client.send("response.create")


async def test_an_answer_waits_for_its_pace_and_other_events_pass_it(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await asks(client, "count 200")
        await until_it_waits(client)
        await client.update(instructions="Be brief.")
        await client.send("conversation.item.retrieve", item_id="none", event_id="here")
        await client.until("error", lambda one: one["error"]["event_id"] == "here")
        await client.send("response.cancel")
        assert (await client.done())["status"] == "cancelled"
        assert AT_ONCE_S <= seconds(client) <= AT_ONCE_S + LONGEST_S


async def test_the_first_sound_of_each_answer_goes_out_at_once(server: Running) -> None:
    async with realtime_client(server.port) as client:
        for _ in range(3):
            await client.write("count 19")
            assert (await client.responded())["status"] == "completed"
        assert seconds(client) == pytest.approx(3 * 19 * WORD_S)


async def test_a_voice_ends_an_answer_that_waits_for_its_pace(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await asks(client, "count 200")
        await until_it_waits(client)
        await client.ask()
        first = await client.done()
        assert first["status_details"]["reason"] == "turn_detected"
        assert client.types(deltas=True).index("input_audio_buffer.speech_started") > 0
        after = client.events[client.types(deltas=True).index("input_audio_buffer.speech_started") :]
        late = [one for one in after if one.get("response_id") == first["id"] and one["type"].endswith("audio.delta")]
        assert late == []


async def test_what_the_user_does_is_told_at_once_where_it_does_not_interrupt(server: Running) -> None:
    async with realtime_client(server.port) as client:
        detection = {"type": "server_vad", "interrupt_response": False}
        await client.update(audio={"input": {"turn_detection": detection}})
        await asks(client, "count 200")
        await until_it_waits(client)
        await client.say(question() + Audio.silence(1.0, RATE), speed=8)
        await client.until("input_audio_buffer.speech_started")
        await client.until("input_audio_buffer.committed")
        assert not client.of("response.done")
        await client.send("response.cancel")
        assert (await client.done())["status"] == "cancelled"
        second = (await client.until("response.created"))["response"]["id"]
        await client.until("response.output_audio.delta", lambda one: one["response_id"] == second)


async def test_a_server_that_stops_sends_the_rest_at_once(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await asks(client, "count 100")
        await until_it_waits(client)
        server.loop.call_soon_threadsafe(server.state.drain.begin)
        assert (await client.done())["status"] == "completed"
        assert seconds(client) == pytest.approx(100 * WORD_S)


def test_sound_that_was_played_leaves_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("agentaudio.server.realtime.pace.time.monotonic", lambda: now)
    pace = Pace(4)
    pace.add(AT_ONCE_S)
    assert pace.wait_s() == 0
    pace.add(1)
    assert pace.wait_s() == 0.25
    now = 0.25
    assert pace.wait_s() == 0
    now = 1_000.0  # a pause of the agent saves up nothing
    pace.add(AT_ONCE_S + 1)
    assert pace.wait_s() == 0.25


async def test_without_a_pace_sound_goes_out_as_fast_as_it_is_taken() -> None:
    out = Outgoing()
    out.post({"type": "response.output_audio.delta"}, sound_of="r", seconds=600)
    await out.room()


async def test_little_sound_is_on_its_way_to_a_client_that_reads_slowly() -> None:
    model = Talker()
    with running_server(talker(model, voices=None), ServerSettings(keys=(KEY,), sound_pace=1e6)) as server:
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.connect(("127.0.0.1", server.port))
        async with connect(
            f"ws://127.0.0.1:{server.port}/v1/realtime", sock=narrow, max_queue=1, compression=None,
            additional_headers={"Authorization": f"Bearer {KEY}"},
        ) as connection:  # fmt: skip
            item = {"type": "message", "role": "user", "content": "count 99999"}
            await connection.send(json.dumps({"type": "conversation.item.create", "item": item}))
            await connection.send(json.dumps({"type": "response.create"}))
            before = 0
            while model.made != before or not before:
                before = model.made
                await asyncio.sleep(0.5)
            await connection.send(json.dumps({"type": "response.cancel"}))
            came = 0
            async for text in connection:
                came += len(text)
                if json.loads(text)["type"] == "response.done":
                    break
    assert came < 8 * UNSENT_BYTES  # 2.9 MB with the buffers of the system
