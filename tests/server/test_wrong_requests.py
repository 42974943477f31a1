"""What a stranger gets to read who sends requests that no route can take, and connections that ask for nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from support.realtime_agent import talker
from support.realtime_client import realtime_client
from support.server import KEY, Running, running_server, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from agentaudio.server.settings import ServerSettings

CHAT, SPEECH = "/v1/chat/completions", "/v1/audio/speech"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(talker()) as running:
        yield running


def said(content: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}], **more}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, said([{"type": "image_url", "image_url": {"url": "x"}}]), "messages.1.content.0"),
        (CHAT, said([{"type": "text", "text": "a"}, {"type": "input_audio", "input_audio": {"format": "wav"}}]),
         "messages.1.content.1.input_audio.data"),
        (CHAT, said([{"type": "input_audio", "input_audio": {"data": "", "format": {}}}]),
         "messages.1.content.0.input_audio.format"),
        (CHAT, said(None), "messages.1.content"),
        (CHAT, {"messages": [{"role": "user"}]}, "messages.0.content"),
        (CHAT, {"messages": [{"role": "king", "content": "a"}]}, "messages.0"),
        (CHAT, said("a", audio={"voice": ["ruby"]}), "audio.voice"),
        (CHAT, said("a", audio={"voice": "x" * 2_000}), "audio.voice"),
        (CHAT, said("a", stop=5), "stop"),
        (CHAT, said("a", tools=[{"type": "function", "function": {"name": "a b"}}]), "tools.0.function.name"),
        (CHAT, said("a", n=2), None),
        (SPEECH, {}, "input"),
        (SPEECH, {"input": "a", "voice": {}}, "voice.id"),
        (SPEECH, {"input": "a", "voice": "x" * 2_000}, "voice"),
        (SPEECH, [], None),
    ],
)  # fmt: skip
def test_an_error_names_the_field_as_the_client_has_sent_it(
    server: Running, path: str, body: Any, param: str | None
) -> None:
    answer = httpx2.post(f"{server.url}{path}", json=body, headers={"authorization": f"Bearer {KEY}"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", param)
    assert error["message"].startswith(f"{param}: " if param else "") and "list[" not in error["message"]


SECRETS = "/v1/realtime/client_secrets"
HALF = "\\ud83d"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SPEECH, f'{{"input": "{HALF}"}}'),
        (SPEECH, f'{{"input": "hi", "voice": "{HALF}"}}'),
        (CHAT, f'{{"messages": [{{"role": "user", "content": "{HALF}"}}]}}'),
        (CHAT, f'{{"messages": [{{"role": "user", "content": "hi"}}], "stop": ["{HALF}"]}}'),
        (CHAT, '{"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": '
         f'{{"name": "a", "description": "{HALF}"}}}}]}}'),
        (CHAT, '{"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": '
         f'{{"name": "a", "parameters": {{"properties": {{"b": {{"enum": ["{HALF}"]}}}}}}}}}}]}}'),
        (SECRETS, '{"session": {"prompt": {"id": 1e999}}}'),
        (SECRETS, '{"session": {"prompt": ' + "[" * 100 + "]" * 100 + "}}"),
        (SECRETS, f'{{"session": {{"audio": {{"output": {{"voice": "{HALF}"}}}}}}}}'),
    ],
)  # fmt: skip
def test_what_no_model_can_read_is_refused(server: Running, path: str, body: str) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    answer = httpx2.post(f"{server.url}{path}", content=body.encode(), headers=headers)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "session", ("[" * 100_000, "[" * 100 + "]" * 100, '{"prompt": NaN}', '{"tracing": 1e999}', "[1")
)
def test_settings_of_a_call_that_are_not_json_are_refused(server: Running, session: str) -> None:
    files: Any = {"sdp": (None, "v=0"), "session": (None, session)}
    answer = httpx2.post(f"{server.url}/v1/realtime/calls", files=files, headers={"authorization": f"Bearer {KEY}"})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "session") and error["code"].startswith("invalid_")


async def test_half_a_character_in_the_settings_of_a_client_secret_is_replaced(server: Running) -> None:
    body = f'{{"session": {{"instructions": "a {HALF}", "prompt": {{"id": "{HALF}"}}}}}}'
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    made = httpx2.post(f"{server.url}{SECRETS}", content=body.encode(), headers=headers).json()
    assert made["session"]["instructions"] == "a \ufffd"
    async with realtime_client(server.port, key=made["value"]) as client:
        assert client.events[0]["session"]["prompt"] == {"id": "\ufffd"}


def calling(*ids: str) -> dict[str, Any]:
    calls = [{"id": one, "type": "function", "function": {"name": "door", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def test_calls_may_have_the_same_id_in_each_turn_as_many_models_give_them(server: Running) -> None:
    turns: list[dict[str, Any]] = []
    for number in range(3):
        turns += [{"role": "user", "content": "Open."}, calling("call_0", "call_1")]
        turns += [result("call_1", f"b{number}"), result("call_0", f"a{number}")]
        answer = httpx2.post(
            f"{server.url}{CHAT}", json={"messages": turns}, headers={"authorization": f"Bearer {KEY}"}
        ).json()
        assert answer["choices"][0]["message"]["content"].strip() == f"results: a{number}; b{number}"


def test_calls_of_one_message_need_ids_of_their_own(server: Running) -> None:
    messages = [{"role": "user", "content": "Open."}, calling("call_0", "call_0"), result("call_0", "a")]
    answer = httpx2.post(f"{server.url}{CHAT}", json={"messages": messages}, headers={"authorization": f"Bearer {KEY}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_conversation")


@pytest.mark.parametrize("body", (b"", b"{", b"\xff\xfe", b"{}}", b'{"input": "a" "b"}'))
def test_what_is_not_json_is_told_as_such(server: Running, body: bytes) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    answer = httpx2.post(f"{server.url}{SPEECH}", content=body, headers=headers)
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["param"] is None
    assert body == b"" or error["code"] in ("invalid_json", "invalid_request")


HEAD = f"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n".encode()


def closed_after(connection: socket.socket, drip: bytes, at_most_s: float) -> float:
    """Seconds until the server has closed a connection that gets a byte ten times a second."""
    connection.settimeout(0.1)
    began = time.monotonic()
    while time.monotonic() - began < at_most_s:
        try:
            if drip:
                connection.sendall(drip[:1])
            if connection.recv(65_536) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nX-Slow: ", b"y"),
        (HEAD + b"\r\n" + HEAD, b""),
        (HEAD + b"\r\n" + HEAD + b"X: ", b"y"),
    ],
    ids=["nothing", "a head without end", "half a second request", "a second head without end"],
)
def test_a_connection_without_a_whole_request_is_cut_off(first: bytes, drip: bytes) -> None:
    with running_server(talker(voices=None), ServerSettings(keys=(KEY,), stalled_s=0.5)) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(first)
            assert 0.4 < closed_after(connection, drip, 4.0) < 2.0
        with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}) as client:
            assert client.get("/v1/models").status_code == 200


async def test_slow_answers_and_quiet_sockets_are_not_cut_off_as_connections_without_a_request() -> None:
    with running_server(talker(voices=None), ServerSettings(keys=(KEY,), stalled_s=0.3)) as server:
        headers = {"authorization": f"Bearer {KEY}"}
        async with realtime_client(server.port) as client, httpx2.AsyncClient(base_url=server.url) as http:
            asked = {"messages": [{"role": "user", "content": "wait 1.5"}]}
            answering = asyncio.create_task(http.post(CHAT, json=asked, headers=headers, timeout=20))
            await asyncio.sleep(1.5)
            await client.write("hello")
            assert (await client.responded(output_modalities=["text"]))["status"] == "completed"
            assert (await answering).json()["choices"][0]["message"]["content"].strip() == "at last"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/realtime?model=" + "x" * 20_000, {}),
        ("/v1/realtime", {"cookie": "x" * 20_000}),
        ("/v1/realtime", {f"x-{number}": "y" for number in range(200)}),
    ],
    ids=["address", "header", "headers"],
)
async def test_a_socket_with_too_large_a_head_is_refused_and_not_left_waiting(
    server: Running, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            f"ws://127.0.0.1:{server.port}{path}", open_timeout=3,
            additional_headers={"authorization": f"Bearer {KEY}", **headers},
        )  # fmt: skip
    answer = refused.value.response
    assert answer.status_code == 431 and json.loads(answer.body or b"")["error"]["code"] == "headers_too_large"
    async with realtime_client(server.port):
        pass


def test_who_asks_for_the_realtime_address_without_a_socket_learns_what_it_is(server: Running) -> None:
    for path in ("/v1/realtime?model=m", "/realtime"):
        answer = httpx2.get(f"{server.url}{path}", headers={"authorization": f"Bearer {KEY}"})
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
        assert answer.json()["error"]["code"] == "websocket_required"


async def test_a_refused_socket_is_no_failure_in_the_log(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidStatus):
        await connect(f"ws://127.0.0.1:{server.port}/v1/realtime", additional_headers={"authorization": "Bearer wrong"})
    await asyncio.sleep(0.1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_client_that_pings_and_never_reads_is_cut_off(server: Running) -> None:
    async with realtime_client(server.port) as client:
        found = client.socket.transport.get_extra_info("socket")
        with socket.socket(fileno=os.dup(found.fileno())) as raw:
            client.socket.transport.pause_reading()
            raw.setblocking(True)
            raw.settimeout(5)
            ping = b"\x89\xfd" + bytes(4) + b"p" * 125
            with pytest.raises(ConnectionError):
                for _ in range(1_000):
                    await asyncio.to_thread(raw.sendall, ping * 500)
    until(lambda: server.state.limits.sessions == 0, 2.0)
