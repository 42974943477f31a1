"""Realtime sessions that are stored: they resume after a reconnection, and after the server was killed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.realtime_agent import Talker, time_in
from support.realtime_client import Client, realtime_client
from support.server import KEY, OTHER_KEY, Running, running_server, server_process
from websockets.exceptions import InvalidStatus

from agentaudio import Agent, SqliteStore
from agentaudio.conversation import Conversation
from agentaudio.voice_library.library import VoiceLibrary

PATH = "/v1/realtime?model=m&session_id="
SCRIPT = "I am a script: I say this whatever you ask."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "talks.sqlite3"


@pytest.fixture
def server(file: Path, library_folder: Path, tmp_path: Path) -> Iterator[Running]:
    voices = VoiceLibrary(shutil.copytree(library_folder, tmp_path / "voices"))
    store = SqliteStore(file)
    with running_server(Agent(Talker(), tools=[time_in], voices=voices), store=store) as running:
        yield running
    asyncio.run(store.aclose())


@contextlib.asynccontextmanager
async def named(server: Running, name: str = "ana", key: str = KEY, **session: Any) -> AsyncGenerator[Client, None]:
    async with realtime_client(server.port, path=PATH + name, key=key) as client:
        await client.update(output_modalities=["text"], **session)
        yield client


async def said(client: Client, text: str) -> str:
    await client.write(text)
    return str((await client.responded())["output"][-1]["content"][0]["text"]).strip()


def texts(client: Client) -> list[str]:
    """The texts of the items that came before anything was asked."""
    items = [one["item"] for one in client.of("conversation.item.done")]
    return [item["content"][0]["text"].strip() for item in items if item.get("content")]


async def stored(file: Path, name: str = "ana") -> Conversation:
    async with SqliteStore(file) as store:
        id = next(one.id for one in await store.list() if one.id.endswith(f" {name}"))
        return (await store.load(id))[0]


async def test_a_named_session_goes_on_after_a_reconnection_with_its_items_and_voice(server: Running) -> None:
    async with named(server, audio={"output": {"voice": "ruby"}}) as client:
        assert client.events[0]["session"]["id"] == "ana"
        assert await said(client, "hello") == "You wrote hello"
        assert await said(client, "call time_in") == "results: nine o'clock"
    async with named(server) as client:
        assert client.events[0]["session"]["audio"]["output"]["voice"] == "ruby"
        assert texts(client) == ["hello", "You wrote hello", "call time_in", "One", "results: nine o'clock"]
        added = client.of("conversation.item.added")
        assert [one["previous_item_id"] for one in added] == [None, *(one["item"]["id"] for one in added[:-1])]
        assert await said(client, "history") == (
            "user: hello | assistant: You wrote hello | user: call time_in | assistant: One | tool: | "
            "assistant: results: nine o'clock | user: history"
        )


async def test_what_is_cut_and_deleted_later_is_stored_so(server: Running, file: Path) -> None:
    async with realtime_client(server.port, path=f"{PATH}ana") as client:
        for text in ("count 10", "hello", "count 3"):
            await client.write(text)
            response = await client.responded()
            if text == "count 10":
                first = response["output"][0]["id"]
            if text == "hello":
                second = response["output"][0]["id"]
        await client.send("conversation.item.truncate", item_id=first, content_index=0, audio_end_ms=210)
        await client.send("conversation.item.delete", item_id=second)
        await client.until("conversation.item.deleted")
    kept = [(message.role, message.text) for message in await stored(file)]
    assert kept == [
        ("user", "count 10"), ("assistant", "w1 w2"), ("user", "hello count 3"), ("assistant", "w1 w2 w3"),
    ]  # fmt: skip


async def test_results_of_the_clients_tools_are_stored_with_their_calls(server: Running, file: Path) -> None:
    async with named(server, tools=[{"type": "function", "name": "mine", "parameters": {"type": "object"}}]) as client:
        await client.write("call mine")
        call = (await client.responded())["output"][1]
    async with named(server) as client:
        call = next(
            one["item"] for one in client.of("conversation.item.done") if one["item"]["type"] == "function_call"
        )
        assert (call["name"], call["arguments"]) == ("mine", '{"city": "Tokyo"}')
        await client.result(call, "it rains")
        assert (await client.responded())["output"][0]["content"][0]["text"] == "results: it rains "
    outputs = [output.text for message in await stored(file) for output in message.tool_outputs]
    assert outputs == ["it rains"]
    async with named(server) as client:
        kinds = [one["item"]["type"] for one in client.of("conversation.item.done")]
        assert kinds == ["message", "message", "function_call", "function_call_output", "message"]


async def test_a_session_belongs_to_its_key_and_to_one_connection(server: Running) -> None:
    async with named(server) as first:
        await said(first, "hello")
        async with named(server, key=OTHER_KEY) as other:
            assert texts(other) == []
        async with named(server) as second:
            await first.socket.wait_closed()
            assert "another connection" in (first.socket.close_reason or "")
            assert texts(second) == ["hello", "You wrote hello"]
            assert await said(second, "x") == "You wrote x"


def secret(server: Running, session_id: Any = None) -> httpx2.Response:
    own = {} if session_id is None else {"agentaudio": {"session_id": session_id}}
    return httpx2.post(
        f"{server.url}/v1/realtime/client_secrets", json={"session": own}, headers={"authorization": f"Bearer {KEY}"}
    )


async def test_a_client_secret_opens_only_the_session_that_it_was_made_for(server: Running) -> None:
    async with named(server) as app:
        await said(app, "hello")
    anas, strangers = (secret(server, name).json()["value"] for name in ("ana", None))
    async with named(server, key=anas) as client:
        assert texts(client) == ["hello", "You wrote hello"]
    async with realtime_client(server.port, key=anas) as client:
        await client.update()
        assert texts(client) == ["hello", "You wrote hello"]
    for key, name in ((strangers, "ana"), (anas, "bob")):
        with pytest.raises(InvalidStatus) as refused:
            async with named(server, name, key=key):
                pass
        assert refused.value.response.status_code == 403
    async with realtime_client(server.port, key=strangers) as client:
        await client.update()
        assert texts(client) == []


@pytest.mark.parametrize(("session_id", "code"), [(5, "invalid_type"), ("ana", "sessions_not_stored")])
def test_a_client_secret_is_not_made_for_what_is_no_stored_session(session_id: Any, code: str) -> None:
    with running_server(Agent(Talker())) as without:
        answer = secret(without, session_id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


async def test_a_name_is_refused_where_it_is_wrong_or_nothing_is_stored(server: Running) -> None:
    with running_server(Agent(Talker())) as without:
        for running, name, code in ((without, "ana", b"sessions_not_stored"), (server, "x" * 101, b"invalid_value")):
            with pytest.raises(InvalidStatus) as refused:
                async with realtime_client(running.port, path=PATH + name):
                    pass
            assert refused.value.response.status_code == 400
            assert code in (refused.value.response.body or b"")


@pytest.mark.hostile
async def test_every_completed_turn_resumes_after_the_server_was_killed(file: Path) -> None:
    options = ("--model", "scripted", "--option", "delay_s=0.05", "--store", str(file))
    for round in range(2):
        with server_process(*options) as process:
            async with realtime_client(process.port, path=f"{PATH}ana") as client:
                await client.update(output_modalities=["text"])  # its answer comes after the items
                before = texts(client)
                assert before == [text for n in range(2 * round) for text in (f"q{n}", SCRIPT)]
                for number in range(2 * round, 2 * round + 2):
                    await client.write(f"q{number}")
                    assert (await client.responded())["status"] == "completed"
                await client.write("lost")
                await client.send("response.create")
                await client.until("response.output_text.delta")
                process.process.kill()
    kept = [(message.role, message.text) for message in await stored(file)]
    assert kept == [pair for n in range(4) for pair in (("user", f"q{n}"), ("assistant", SCRIPT))]
