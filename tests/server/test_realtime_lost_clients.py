"""Clients that vanish, read slowly or not at all, and a server that stops, over the Realtime protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.realtime_agent import Talker, talker
from support.realtime_client import Client, pcm, question, realtime_client
from support.server import KEY, OTHER_KEY, Running, running_server, server_process
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agentaudio import Audio
from agentaudio.server.settings import ServerSettings

AT_MOST_S = 10.0
SCRIPT = "I am a script: I say this whatever you ask."


@pytest.fixture
def model() -> Talker:
    return Talker()


@pytest.fixture
def server(model: Talker) -> Iterator[Running]:
    with running_server(talker(model, voices=None), ServerSettings(keys=(KEY, OTHER_KEY), sessions=1)) as running:
        yield running


async def comes_true(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + AT_MOST_S
    while not condition():
        assert time.monotonic() < until, "it does not come true"
        await asyncio.sleep(0.01)


def tasks(server: Running) -> list[str]:
    """The tasks of sessions that run in the server."""
    names = [task.get_name() for task in asyncio.all_tasks(server.loop)]
    return [name for name in names if name.startswith(("agentaudio-realtime", "agentaudio-live", "agentaudio-turn"))]


async def vanish(client: Client) -> None:
    client.socket.transport.abort()


async def test_everything_of_a_client_that_vanishes_is_freed(server: Running, model: Talker) -> None:
    async with realtime_client(server.port) as client:
        await client.write("count 3000 slowly")
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        assert model.open == 1 and tasks(server)
        await vanish(client)
        await comes_true(lambda: not model.open and not server.state.limits.sessions and not tasks(server))
    assert await server.state.drain.finished(0)


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
@pytest.mark.parametrize("stubborn_s", [0.0, 5.0])
async def test_the_next_client_hears_nothing_of_one_that_vanished(key: str, stubborn_s: float) -> None:
    model = Talker(stubborn_s=stubborn_s)
    with running_server(talker(model, voices=None), ServerSettings(keys=(KEY, OTHER_KEY), sessions=1)) as server:
        async with realtime_client(server.port) as first:
            await first.write("count 300 slowly")
            await first.send("response.create")
            await first.until("response.output_audio.delta")
            await vanish(first)
        for _ in range(100):
            try:
                async with realtime_client(server.port, key=key) as second:
                    item_id = await second.write("hello")
                    response = await second.responded()
                    await asyncio.sleep(0.3)
                    break
            except InvalidStatus:  # as long as the first one is counted
                await asyncio.sleep(0.02)
        assert response["output"][0]["content"][0]["transcript"] == "You wrote hello "
        assert len(second.sound()) == 2 * 24_000 * 0.3
        assert {one["response_id"] for one in second.of("response.output_audio.delta")} == {response["id"]}
        items = [one["item"]["id"] for one in second.of("conversation.item.added")]
        assert items == [item_id, response["output"][0]["id"]]
        assert not second.of("error")


@contextlib.asynccontextmanager
async def unread(server: Running) -> AsyncGenerator[ClientConnection, None]:
    """A connection whose events nobody reads."""
    async with connect(
        f"ws://127.0.0.1:{server.port}/v1/realtime?model=m", max_queue=1, compression=None,
        additional_headers={"Authorization": f"Bearer {KEY}"},
    ) as socket:  # fmt: skip
        yield socket
        socket.transport.abort()


async def send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def ask(socket: ClientConnection, text: str) -> None:
    item = {"type": "message", "role": "user", "content": text}
    await send(socket, "conversation.item.create", item=item)
    await send(socket, "response.create")


async def until_it_waits(model: Talker) -> None:
    """Wait until the model has begun an answer, and makes no more of it."""
    before = -1
    while model.made != before or not before:
        before = model.made
        await asyncio.sleep(0.5)


@pytest.mark.hostile
async def test_an_answer_waits_for_a_client_that_does_not_read(server: Running, model: Talker) -> None:
    async with unread(server) as socket:
        await ask(socket, "count 99999")
        await until_it_waits(model)
        assert model.open == 1 and model.made < 50_000
    await comes_true(lambda: not model.open and not tasks(server))


@pytest.mark.hostile
async def test_a_client_that_reads_nothing_is_not_read_either(server: Running) -> None:
    async with unread(server) as socket:
        with pytest.raises(TimeoutError):
            for _ in range(400_000):
                async with asyncio.timeout(1):
                    await send(socket, "unknown", event_id="x" * 500)
    await comes_true(lambda: not tasks(server))


async def test_a_client_that_stalls_is_cut_off() -> None:
    model = Talker()
    with running_server(talker(model, voices=None), ServerSettings(keys=(KEY,), stalled_s=0.3)) as server:
        async with unread(server) as socket:
            await ask(socket, "count 99999")
            await comes_true(lambda: model.made > 0)
            await comes_true(lambda: not model.open and not server.state.limits.sessions)


def connections(port: int) -> int:
    """Connections to a port of this machine that are open on the server's side, or wait to be closed."""
    own, listening = f":{port:04X}", "0A"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(own) and row[3] != listening for row in rows)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
async def test_a_client_that_takes_nothing_does_not_keep_its_connection() -> None:
    with running_server(talker(voices=None), ServerSettings(keys=(KEY,), stalled_s=0.5)) as server:
        async with unread(server) as socket:
            await ask(socket, "count 99999")
            await comes_true(lambda: connections(server.port) == 1)
            await comes_true(lambda: not server.state.limits.sessions)
            await comes_true(lambda: not connections(server.port))


@pytest.mark.hostile
async def test_speech_stops_an_answer_that_waits_for_a_slow_reader(server: Running, model: Talker) -> None:
    async with unread(server) as socket:
        await ask(socket, "count 99999")
        await until_it_waits(model)
        for frame in (question() + Audio.silence(0.8, 24_000)).chunks(20):
            await send(socket, "input_audio_buffer.append", audio=pcm(frame))
            await asyncio.sleep(0.005)
        client = Client(socket)  # it reads now
        done = await client.until("response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        started = client.types(deltas=True).index("input_audio_buffer.speech_started")
        late = [one for one in client.events[started:] if one.get("response_id") == done["response"]["id"]]
        assert not [one for one in late if one["type"] == "response.output_audio.delta"]
        answered = await client.done()
        assert answered["output"][0]["content"][0]["transcript"] == "I heard you well "
        client.stop()


@pytest.mark.hostile
async def test_sigterm_loses_no_answer_that_has_begun() -> None:
    with server_process("--model", "scripted", "--option", "delay_s=0.1") as process:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(realtime_client(process.port)) for _ in range(8)]
            for client in clients:
                await client.write("hello")
                await client.send("response.create")
            for client in clients:
                await client.until("response.output_audio.delta")
            process.process.send_signal(signal.SIGTERM)
            for client in clients:
                response = await client.done()
                said = response["output"][0]["content"][0]["transcript"]
                assert (response["status"], said.strip()) == ("completed", SCRIPT)
                assert len(client.sound()) == 2 * 24_000 * 0.3 * len(SCRIPT.split())
            for client in clients:
                await client.socket.wait_closed()
                assert client.socket.close_code in (1001, 1012)
        with pytest.raises((OSError, ConnectionClosed, InvalidStatus)):
            async with realtime_client(process.port):
                pass
        assert process.process.wait(30) == 0
