"""A Realtime server as speech model: real WebSockets, both dialects, events checked by the SDK's types."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
import traceback
from typing import Any

import pytest
from pydantic import TypeAdapter
from support.sounds import tone

from agentaudio import Agent, load_model, tool
from agentaudio.conversation import Conversation
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, GenerateOptions, SpeechLM, TextDelta

pytest.importorskip("websockets", reason="needs the extra 'realtime'")
from support.realtime_server import RealtimeServer, called, done, realtime_server, spoken  # noqa: E402
from websockets.asyncio.server import ServerConnection, serve  # noqa: E402
from websockets.exceptions import ConnectionClosed  # noqa: E402

sdk = pytest.importorskip("openai.types.realtime", reason="needs the extra 'dev'")
CLIENT_EVENT = TypeAdapter[Any](sdk.RealtimeClientEventParam)
KEY = "sk-secret-1234567890"
PCM = tone(duration_s=0.5, sample_rate=24_000).to_pcm16()


def model_of(server: RealtimeServer, **options: Any) -> SpeechLM:
    return load_model(f"realtime:{server.url}", **({"api_key": KEY, "model": "gpt-realtime"} | options))


async def answer(model: SpeechLM, text: str = "hello", **options: Any) -> list[Delta]:
    conversation = Conversation()
    conversation.add("user", text)
    return [delta async for delta in model.generate(conversation, options=GenerateOptions(**options))]


@tool
def book(people: int) -> str:
    """Book a table."""
    return f"A table for {people} is booked."


async def test_a_spoken_turn_with_a_tool_follows_the_types_of_the_sdk() -> None:
    async with realtime_server(called("book", '{"people": 2}'), spoken("It is booked.", PCM)) as server:
        server.check = CLIENT_EVENT.validate_python
        server.transcript = "a table for two"
        model = model_of(server, voice="marin", transcription="gpt-4o-mini-transcribe")
        reply = await Agent(model, tools=[book], instructions="Be brief.").run(tone(duration_s=5.0))
        assert reply.heard == "a table for two" and reply.text == "It is booked."
        assert [run.result.text for run in reply.tool_calls] == ["A table for 2 is booked."]
        assert reply.audio is not None and reply.audio.duration == pytest.approx(0.5)
        assert reply.usage["input_tokens"] == 14 and reply.usage["input_audio_tokens"] == 10
        first, second = server.sessions
        session = first[0]["session"]
        assert "Be brief." in session["instructions"] and session["tools"][0]["name"] == "book"
        assert session["audio"]["input"]["turn_detection"] is None and session["audio"]["output"]["voice"] == "marin"
        appended = b"".join(base64.b64decode(one["audio"]) for one in first if one["type"].endswith("append"))
        assert len(appended) == 5 * 24_000 * 2
        assert max(len(str(one)) for one in first) < 1_000_000
        items = [one["item"]["type"] for one in second if one["type"] == "conversation.item.create"]
        assert items == ["message", "function_call", "function_call_output"]
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
        assert server.paths[0] == "/v1/realtime?model=gpt-realtime"


async def test_the_dialect_of_2024_is_spoken_and_understood() -> None:
    async with realtime_server(spoken("Hello there.", PCM, beta=True)) as server:
        deltas = await answer(model_of(server, dialect="beta", voice="alloy"))
        assert "".join(one.text for one in deltas if isinstance(one, TextDelta)) == "Hello there."
        sound = [one.audio for one in deltas if isinstance(one, AudioDelta)]
        assert sum(len(one) for one in sound) == len(PCM) // 2
        session = server.sessions[0][0]["session"]
        assert session["modalities"] == ["text", "audio"] and session["voice"] == "alloy" and "audio" not in session
        assert server.headers[0]["openai-beta"] == "realtime=v1"


async def test_history_is_repeated_with_the_words_that_were_said() -> None:
    async with realtime_server(spoken("One.", PCM), spoken("Two.", PCM)) as server:
        server.check = CLIENT_EVENT.validate_python
        server.transcript = "first words"
        session = Agent(model_of(server, transcription="whisper-1")).session()
        await session.run(tone())
        await session.run("and then?")
        contents = [one["item"]["content"][0] for one in server.sessions[1] if "item" in one]
        assert [(one["type"], one["text"]) for one in contents] == [
            ("input_text", "first words"), ("output_text", "One."), ("input_text", "and then?")
        ]  # fmt: skip


async def test_without_speech_only_text_is_asked_for_and_a_length_stop_is_kept() -> None:
    text = {"type": "response.output_text.delta", "delta": "Half an"}
    cut = done("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
    async with realtime_server([text, cut]) as server:
        deltas = await answer(model_of(server), speak=False, max_tokens=2)
        assert deltas[0] == TextDelta("Half an") and isinstance(deltas[-1], End) and deltas[-1].reason == "length"
        session = server.sessions[0][0]["session"]
        assert session["output_modalities"] == ["text"] and session["max_output_tokens"] == 2


LONG = "x" * 380
FAILURES: dict[str, tuple[list[Any], str]] = {
    "an error that repeats the key": ([{"type": "error", "error": {"message": f"{LONG} {KEY}"}}], "reports: xxx"),
    "a failure that repeats the key": ([done("failed", {"error": {"message": f"bad {KEY}"}})], r"bad \*\*\*"),
    "garbage that repeats the key": ([f"<{KEY}>"], r"<\*\*\*>"),
    "an error event": ([{"type": "error", "error": {"code": "bad", "message": "no such voice"}}], "no such voice"),
    "a failed response": ([done("failed", {"error": {"message": "overloaded"}})], "failed: overloaded"),
    "a cancelled response": ([done("cancelled", {"reason": "turn_detected"})], "cancelled.*turn_detected"),
    "a filter": ([done("incomplete", {"reason": "content_filter"})], "content filter"),
    "a closed connection": ([None], "closed the connection.*1011 out of memory"),
    "garbage": (["<html>"], "not an event"),
    "a list": (["[1]"], "not an event"),
    "sound that is not base64": ([{"type": "response.output_audio.delta", "delta": "§"}], "not base64"),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_is_one_line_without_the_key(failure: str) -> None:
    events, expected = FAILURES[failure]
    async with realtime_server(events) as server:
        model = model_of(server)
        with pytest.raises(BackendError, match=expected) as caught:
            await answer(model)
        shown = "".join(traceback.format_exception(caught.value)) + repr(model)
        assert KEY[:8] not in shown and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "harmless",
    [
        {"type": "rate_limits.updated", "rate_limits": None}, {"type": "something.new"}, {"no": "type"}, {"type": 7},
        {"type": "error", "error": {"code": "response_cancel_not_active", "message": "Cancellation failed"}},
        {"type": "response.output_audio.delta", "delta": None}, {"type": "response.output_item.done", "item": None},
    ],
)  # fmt: skip
async def test_events_without_a_meaning_for_the_answer_are_passed_over(harmless: dict[str, Any]) -> None:
    async with realtime_server([harmless, *spoken("Hello.", PCM)]) as server:
        deltas = await answer(model_of(server))
        assert "".join(one.text for one in deltas if isinstance(one, TextDelta)) == "Hello."


async def test_a_call_is_made_once_however_often_it_is_announced() -> None:
    only_last = [done(output=[{"type": "function_call", "call_id": "c", "name": "book", "arguments": '{"people": 3}'}])]
    for events in (called("book", '{"people": 3}'), only_last):
        async with realtime_server(events, spoken("Done.", PCM)) as server:
            reply = await Agent(model_of(server), tools=[book]).run("three, please")
            assert [run.call.arguments for run in reply.tool_calls] == [{"people": 3}]


async def test_a_silent_server_fails_in_time_and_missing_words_of_the_user_do_not() -> None:
    async with realtime_server([{"type": "response.created"}]) as server:
        with pytest.raises(BackendError, match="sent neither words nor calls for 0.5 s"):
            await answer(model_of(server, progress_timeout_s=0.5))
    async with realtime_server(spoken("Hello.", PCM)) as server:
        reply = await Agent(model_of(server, transcription="whisper-1")).run(tone())
        assert reply.text == "Hello." and reply.heard is None


async def test_events_that_bring_no_words_sound_or_calls_are_no_progress() -> None:
    async def beats(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                for kind in ("rate_limits.updated", "response.output_text.delta"):
                    await socket.send(json.dumps({"type": kind, "delta": ""}))
                await asyncio.sleep(0.02)

    async with serve(beats, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        async with asyncio.timeout(20):
            with pytest.raises(BackendError, match="neither words nor calls for 0.3 s"):
                await answer(load_model(f"realtime:ws://127.0.0.1:{port}/v1/realtime", progress_timeout_s=0.3))


async def test_a_connection_cut_at_any_byte_is_an_error_or_the_whole_answer() -> None:
    passed: list[int] = []

    async def cutting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on as many bytes of the server as the request's path says, and all of the client."""
        request = await reader.readuntil(b"\r\n\r\n")
        length = left = int(request.split(b" ")[1].rpartition(b"/")[2])
        inner, outer = await asyncio.open_connection("127.0.0.1", server.port)
        outer.write(request)
        forth = asyncio.create_task(pass_on(reader, outer))
        while left and (piece := await inner.read(left)):
            left -= len(piece)
            writer.write(piece)
        passed.append(length - left)
        forth.cancel()
        writer.close()
        outer.close()
        await asyncio.gather(forth, return_exceptions=True)

    async def ask(length: int) -> str:
        try:
            deltas = await answer(load_model(f"realtime:ws://127.0.0.1:{port}/{length}"))
        except BackendError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            return "error"
        return "".join(one.text for one in deltas if isinstance(one, TextDelta))

    async with realtime_server(spoken("Hello there.", PCM[:1200])) as server:
        async with await asyncio.start_server(cutting, "127.0.0.1", 0) as proxy:
            port = proxy.sockets[0].getsockname()[1]
            assert await ask(1_000_000) == "Hello there."
            while not passed:
                await asyncio.sleep(0.01)
            lengths = range(0, passed[0], 3)
            found = []
            for start in range(0, len(lengths), 40):
                found += await asyncio.gather(*map(ask, lengths[start : start + 40]))
    assert set(found) <= {"error", "Hello there."} and found.count("error") > len(found) / 2


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)


async def test_the_pieces_of_a_long_call_are_progress() -> None:
    async def slow_call(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            *pieces, whole, end, done_event = called("book", '{"people": 3}')
            for event in [*pieces[:2], *[pieces[2]] * 8, whole, end, done_event]:
                await socket.send(json.dumps(event))
                await asyncio.sleep(0.2)

    async with serve(slow_call, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        model = load_model(f"realtime:ws://127.0.0.1:{port}/v1/realtime", progress_timeout_s=1.2)
        assert [one.call.name for one in await answer(model) if isinstance(one, CallDelta)] == ["book"]


async def test_stopping_closes_the_connection_at_once() -> None:
    async with realtime_server(spoken("Hello.", PCM)[:4]) as server:
        session = Agent(model_of(server)).session()
        started = time.monotonic()
        async for event in session.stream("hello"):
            if event.type == "audio.delta":
                await session.interrupt()
        for _ in range(100):
            if not server.open:
                break
            await asyncio.sleep(0.02)
        assert server.open == 0 and time.monotonic() - started < 5


async def test_refusals_and_wrong_addresses_say_what_to_do() -> None:
    with pytest.raises(BackendError, match="cannot be reached.*check the address"):
        await answer(load_model("realtime:ws://127.0.0.1:9/v1/realtime"))
    with pytest.raises(OptionError, match="model=gpt-realtime"):
        load_model("realtime")
    wrong = "nonsense", "ftp://x", "ws://", "ws://host:99999/v1", "ws://host:port/v1", "ws://[::1/v1"
    for address in (f"realtime:{place}" for place in wrong):
        with pytest.raises(OptionError, match="not the address"):
            load_model(address)
    with pytest.raises(OptionError, match="api_key") as caught:
        load_model("realtime:wss://me:secret@host/v1")
    assert "secret" not in str(caught.value)
    for key in ("sk-secret\r\nX-Other: 1", "sk-secret-ключ", "sk secret"):
        with pytest.raises(OptionError, match="api_key.*no header can hold") as caught:
            load_model("realtime:wss://host/v1", api_key=key)
        assert "secret" not in str(caught.value)


async def test_a_server_that_refuses_the_handshake_is_quoted() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 7\r\nconnection: close\r\n\r\nbad key")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BackendError, match="answered 401 bad key; check the api_key"):
            await answer(load_model(f"realtime:ws://127.0.0.1:{port}/v1/realtime", api_key=KEY))
