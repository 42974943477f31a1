"""What clients of the Realtime protocol do wrong, and what befalls them: the connection stays usable."""

from __future__ import annotations

import base64
import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from support.realtime_agent import talker
from support.realtime_client import Client, Event, pcm, realtime_client
from support.server import KEY, Running, running_server
from websockets.exceptions import ConnectionClosed

from agentaudio import Audio
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.settings import ServerSettings

LIMITS: dict[str, Any] = {"sound_s": 20.0, "messages": 500, "text_chars": 20_000, "event_bytes": 2_000_000}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(talker(), ServerSettings(keys=(KEY,), **LIMITS)) as running:
        yield running


async def error(client: Client, event_id: str | None = None) -> Event:
    event = await client.until("error", lambda one: event_id is None or one["error"]["event_id"] == event_id)
    return dict(event["error"])


async def answers(client: Client) -> str:
    """What the agent says now, which shows that the connection is usable."""
    await client.write("hello")
    response = await client.responded(output_modalities=["text"])
    assert response["status"] == "completed"
    return str(response["output"][0]["content"][0]["text"]).strip()


WRONG: list[tuple[Event, str, str | None]] = [
    ({"type": "input_audio_buffer.append"}, "invalid_type", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "%%%"}, "invalid_base64", "audio"),
    ({"type": "input_audio_buffer.append", "audio": 5}, "invalid_type", "audio"),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    ({"type": "response.cancel"}, "response_cancel_not_active", None),
    ({"type": "response.cancel", "response_id": {}}, "response_cancel_not_active", None),
    ({"type": "response.create", "response": []}, "invalid_type", "response"),
    ({"type": "response.create", "response": {"metadata": [1]}}, "invalid_type", "response.metadata"),
    ({"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "x"}]}},
     "invalid_item_reference", "response.input[0].id"),
    ({"type": "response.create", "response": {"conversation": "mine"}}, "invalid_value", "response.conversation"),
    ({"type": "conversation.item.retrieve", "item_id": "x"}, "item_retrieve_invalid_item_id", "item_id"),
    ({"type": "conversation.item.retrieve"}, "invalid_type", "item_id"),
    ({"type": "conversation.item.delete", "item_id": "x"}, "item_delete_invalid_item_id", "item_id"),
    ({"type": "conversation.item.truncate", "item_id": "x", "audio_end_ms": 5}, "item_truncate_invalid_item_id",
     "item_id"),
    ({"type": "conversation.item.truncate", "item_id": "x", "audio_end_ms": -1}, "invalid_type", "audio_end_ms"),
    ({"type": "conversation.item.create"}, "invalid_type", "item"),
    ({"type": "conversation.item.create", "item": {"type": "image"}}, "invalid_value", "item.type"),
    ({"type": "conversation.item.create", "item": {"role": "king", "type": "message"}}, "invalid_value", "item.role"),
    ({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": "x" * 30_000}},
     "string_above_max_length", "item"),
    ({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{}] * 101}},
     "invalid_type", "item.content"),
    ({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c",
      "output": "x" * 30_000}}, "string_above_max_length", "item"),
    ({"type": "conversation.item.create", "previous_item_id": "x", "item": {"type": "message", "role": "user",
      "content": []}}, "item_create_invalid_previous_item_id", "previous_item_id"),
    ({"type": "session.update"}, "invalid_type", "session"),
    ({"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "x" * 20_000}}}}},
     "string_above_max_length", "session.audio.input.transcription"),
    ({"type": "session.update", "session": {"turn_detection": {"type": "semantic_vad", "eagerness": {"a": 1}}}},
     "invalid_value", "session.audio.input.turn_detection.eagerness"),
    ({"type": "transcription_session.update"}, "invalid_value", "type"),
    ({"type": ""}, "invalid_value", "type"),
]  # fmt: skip


async def test_what_is_wrong_with_an_event_is_told_in_the_protocols_shape(server: Running) -> None:
    async with realtime_client(server.port) as client:
        for number, (event, code, param) in enumerate(WRONG):
            await client.send(**{"kind": event["type"], **{k: v for k, v in event.items() if k != "type"}},
                              event_id=f"e{number}")  # fmt: skip
            found = await error(client, f"e{number}")
            assert (found["code"], found["param"], found["type"]) == (code, param, "invalid_request_error"), event
        assert await answers(client) == "You wrote hello"


@pytest.mark.parametrize(
    "raw",
    [
        '{"type": "session.update", "session": {"prompt": {"id": 1e999}}}',
        "", "{", "null", "5", "[]", '{"type": 5}', '{"type": "session.update", "session": {"speed": NaN}}', "\ud800",
        '{"a":' * 3_000 + "1" + "}" * 3_000, '{"type": "session.update", "session": ' + "[" * 100 + "]" * 100 + "}",
        '{"type": "session.update", "session": {"tracing": ' + "9" * 5_000 + "}}", b"\xff\xfe\x00", b"",
    ],
)  # fmt: skip
async def test_what_is_no_event_is_refused(server: Running, raw: str | bytes) -> None:
    async with realtime_client(server.port) as client:
        await client.socket.send(raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace").decode())
        assert (await error(client))["code"] in ("invalid_json", "invalid_event")
        assert await answers(client) == "You wrote hello"


async def test_half_a_character_is_replaced_wherever_it_comes(server: Running) -> None:
    async with realtime_client(server.port) as client:
        for event in (
            '{"type":"session.update","session":{"instructions":"\\ud800","tools":[{"name":"a","description":"\\uDFFF"}]}}',
            '{"type":"conversation.item.create","item":{"id":"\\ud83d","role":"user","content":"\\ud83d"}}',
            '{"type":"response.create","event_id":"\\udc00","response":{"metadata":{"\\ud800":"\\ud800"}}}',
            '{"type":"\\ud800","event_id":"\\ud800"}',
        ):
            await client.socket.send(event)
        assert (await error(client, "\ufffd"))["code"] == "invalid_value"
        assert (await client.done())["metadata"] == {"\ufffd": "\ufffd"}
        assert await answers(client) == "You wrote hello"


async def test_half_a_character_of_a_model_or_a_tool_is_sent_as_a_question_mark() -> None:
    out = Outgoing()
    out.post({"type": "response.output_text.delta", "delta": "né\ud83d", "agentaudio": {"\udc00": "好"}})
    event = await out.get()
    assert event is not None
    found = json.loads(event.text.encode("utf-8"))
    assert (found["delta"], found["agentaudio"]) == ("né?", {"?": "好"})


VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "x", "root", "\x00", "🙂" * 20, [], {}, [[]], {"": None}, {"type": "message"},
    {"type": "audio/pcm", "rate": -1}, {"type": "function", "name": "a b"}, "ek_", "AAAA", "AAA", "data:,", [None],
    {"role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}, "item_0", {"input": {"format": 5}},
]  # fmt: skip
NAMES = (
    "session", "item", "item_id", "audio", "response", "audio_end_ms", "content_index", "previous_item_id", "event_id",
    "tools", "tool_choice", "output_modalities", "instructions", "turn_detection", "voice", "format", "input", "output",
    "type", "role", "content", "call_id", "name", "arguments", "id", "metadata", "conversation", "speed", "response_id",
)  # fmt: skip
KINDS = (
    "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
    "conversation.item.create", "conversation.item.delete", "conversation.item.truncate", "conversation.item.retrieve",
    "response.create", "response.cancel", "output_audio_buffer.clear", "agentaudio.played", "unknown",
)  # fmt: skip


def malformed(rng: random.Random) -> str | bytes:
    """A frame that is rarely an event: known names with wrong values, cut JSON, noise."""

    def value(depth: int) -> Any:
        if depth and rng.random() < 0.5:
            return {rng.choice(NAMES): value(depth - 1) for _ in range(rng.randrange(4))}
        return rng.choice(VALUES)

    text = json.dumps({"type": rng.choice(KINDS), **{rng.choice(NAMES[:9]): value(3) for _ in range(rng.randrange(3))}})
    match rng.randrange(4):
        case 0:
            return text[: rng.randrange(len(text))]
        case 1:
            return rng.randbytes(rng.randrange(60))
    return text


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.hostile)])
async def test_a_connection_outlives_malformed_frames(server: Running, count: int) -> None:
    rng = random.Random(count)
    async with realtime_client(server.port) as client:
        for number in range(count):
            await client.socket.send(malformed(rng))
            if number % 100 == 99:  # read what has come
                await client.send("conversation.item.retrieve", item_id="?", event_id=f"check {number}")
                await error(client, f"check {number}")
                assert [one for one in client.of("error") if one["error"]["code"] == "server_error"] == []
                client.forget()
        await client.send("session.update", session={"output_modalities": ["audio"], "tools": [], "instructions": ""})
        async with realtime_client(server.port) as other:
            assert await answers(other) == "You wrote hello"
        await client.send("response.cancel")
        await client.send("response.create", event_id="last", response={"conversation": "none", "input": [
            {"type": "message", "role": "user", "content": "still there"}], "metadata": {"topic": "last"}})  # fmt: skip
        done = await client.until("response.done", lambda one: (one["response"]["metadata"] or {}) == {"topic": "last"})
    assert done["response"]["output"][0]["content"][0]["transcript"] == "You wrote still there "


@pytest.mark.parametrize("minutes", [1, pytest.param(120, marks=pytest.mark.hostile)])
async def test_sound_beyond_the_limit_is_refused_once_and_what_was_taken_stays(server: Running, minutes: int) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio={"input": {"turn_detection": None}})
        piece = pcm(Audio.silence(10, 24_000))
        for _ in range(6 * minutes):
            await client.send("input_audio_buffer.append", audio=piece)
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed", at_most=60)
        await client.send("conversation.item.retrieve", item_id=committed["item_id"])
        item = (await client.until("conversation.item.retrieved"))["item"]
        codes = [one["error"]["code"] for one in client.of("error")]
        assert set(codes) == {"input_audio_buffer_full"} and len(codes) <= minutes + 1
        assert "audio" not in item["content"][0]  # it would not fit into a frame that all clients take
        await client.send("input_audio_buffer.append", audio=pcm(Audio.silence(30, 24_000)))
        assert (await error(client))["code"] == "audio_too_long"
        audio = base64.b64encode(bytes(2 * 24_000 * 25)).decode()
        item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
        await client.send("conversation.item.create", item=item)
        assert (await error(client))["code"] == "audio_too_long"
        assert (await client.responded())["status"] == "completed"


async def test_a_frame_beyond_the_limit_closes_its_connection_alone(server: Running) -> None:
    async with realtime_client(server.port) as other:
        async with realtime_client(server.port) as client:
            with contextlib.suppress(ConnectionClosed):  # the server may close it before all is sent
                await client.socket.send("x" * 2_100_000)
            await client.socket.wait_closed()
            assert client.socket.close_code in (1009, 1006)  # 1006 where a reset overtakes the reason
        assert await answers(other) == "You wrote hello"


async def test_a_second_response_is_refused_and_the_first_one_goes_on(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.write("count 6 slowly")
        await client.send("response.create", response={"metadata": {"client_event_id": "first"}})
        created = (await client.until("response.created"))["response"]
        assert created["metadata"] == {"client_event_id": "first"}
        await client.send("response.create", event_id="second")
        assert (await error(client, "second"))["code"] == "conversation_already_has_active_response"
        response = await client.done()
        assert (response["id"], response["status"]) == (created["id"], "completed")
        assert response["output"][0]["content"][0]["transcript"] == "w1 w2 w3 w4 w5 w6 "


async def test_events_in_a_senseless_order_harm_nothing(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.send(
            "conversation.item.create", item={"type": "function_call_output", "call_id": "no_call", "output": "x"}
        )
        await client.send("response.create", response={"input": []})
        assert (await client.done())["status"] == "completed"
        await client.send("input_audio_buffer.clear")
        await client.send("output_audio_buffer.clear")
        await client.send(
            "conversation.item.create", item={"id": "c", "type": "function_call", "name": "f", "call_id": "k"}
        )
        assert await answers(client) == "You wrote hello"
        await client.send(
            "conversation.item.create", item={"type": "function_call_output", "call_id": "k", "output": "late"}
        )
        await client.send("conversation.item.delete", item_id="c")
        assert await answers(client) == "You wrote hello"
        assert not client.of("error")


async def test_an_empty_turn_gets_an_answer_and_no_error(server: Running) -> None:
    async with realtime_client(server.port) as client:
        assert (await client.responded())["status"] == "completed"
        await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": []})
        assert (await client.responded())["status"] == "completed"
        assert not client.of("error")


async def test_a_replayed_conversation_is_taken_whole_in_order_and_once(server: Running) -> None:
    items: list[Event] = []
    for number in range(60):
        items += [
            {"id": f"u{number}", "type": "message", "role": "user",
             "content": [{"type": "input_text", "text": f"q{number}"}]},
            {"id": f"f{number}", "type": "function_call", "call_id": f"call{number}", "name": "f", "arguments": "{}"},
            {"id": f"o{number}", "type": "function_call_output", "call_id": f"call{number}", "output": f"r{number}"},
            {"id": f"a{number}", "type": "message", "role": "assistant",
             "content": [{"type": "output_text", "text": f"a{number}"}]},
        ]  # fmt: skip
    async with realtime_client(server.port) as client:
        await client.update(output_modalities=["text"])
        before = None
        for item in items:
            place: Event = {} if before is None else {"previous_item_id": before}
            await client.send("conversation.item.create", item=item, **place)
            before = item["id"]
        for item in items:
            added = await client.until("conversation.item.added")
            assert added["item"]["id"] == item["id"]
        for number, item in enumerate(items):
            await client.send("conversation.item.create", item=item, event_id=f"again{number}")
        for number in range(len(items)):
            assert (await error(client, f"again{number}"))["code"] == "item_create_duplicate_item_id"
        await client.write("history")
        said = (await client.responded())["output"][0]["content"][0]["text"].split(" | ")
        assert [one.strip() for one in said[:4]] == ["user: q0", "assistant:", "tool:", "assistant: a0"]
        assert len(said) == 241
        await client.send("conversation.item.retrieve", item_id="f7")
        assert (await client.until("conversation.item.retrieved"))["item"]["call_id"] == "call7"
        await client.send("conversation.item.retrieve", item_id="o7")
        assert (await client.until("conversation.item.retrieved"))["item"]["output"] == "r7"


async def test_a_full_conversation_refuses_more_of_the_client_and_goes_on_with_its_latest_items() -> None:
    with running_server(talker(), ServerSettings(keys=(KEY,), messages=6)) as server:
        async with realtime_client(server.port) as client:
            await client.update(output_modalities=["text"])
            for number in range(5):
                await client.write(f"x{number}")
            await client.write("history")
            assert (await client.responded())["status"] == "completed"
            await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": "x"})
            assert (await error(client))["code"] == "conversation_too_long"
            await client.send("conversation.item.delete", item_id=client.of("conversation.item.added")[4]["item"]["id"])
            await client.until("conversation.item.deleted")
            await client.write("history")
            response = await client.responded()
    assert response["output"][0]["content"][0]["text"].startswith("user: x1 x2 x3 history | assistant: user: x0 x1")
