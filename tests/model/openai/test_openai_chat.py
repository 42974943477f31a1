"""OpenAI-compatible servers as chat model and speech model: real sockets, real requests, hostile answers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from support.openai_server import (
    ChatServer,
    Reply,
    call_answer,
    chat_server,
    delta,
    spoken_answer,
    text_answer,
    whole_answer,
)
from support.sounds import tone

from agentaudio import Agent, load_model, tool
from agentaudio.conversation import Conversation
from agentaudio.errors import AgentAudioError, BackendError, OptionError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.openai.chat import OpenAIChat
from agentaudio.model.registry import load_chat_model
from agentaudio.model.speech_lm import Delta, GenerateOptions, SpeechLM, TextDelta
from agentaudio.sound.audio import Audio

params = pytest.importorskip("openai.types.chat.completion_create_params", reason="needs the extra 'dev'")
REQUEST = TypeAdapter[Any](params.CompletionCreateParamsStreaming)
WHOLE_REQUEST = TypeAdapter[Any](params.CompletionCreateParamsNonStreaming)

KEY = "sk-secret-1234567890"


def chat(server: ChatServer, **options: Any) -> SpeechLM:
    mind = load_chat_model("openai:small", **({"base_url": server.url, "api_key": KEY} | options))
    model = Cascade(None, mind, None)
    server.clients.append(model)
    return model


def speech(server: ChatServer, **options: Any) -> SpeechLM:
    model = load_model("openai:gpt-audio", base_url=server.url, api_key=KEY, **options)
    server.clients.append(model)
    return model


async def answer(model: SpeechLM, text: str = "hello", **options: Any) -> list[Delta]:
    conversation = Conversation()
    conversation.add("user", text)
    return [delta async for delta in model.generate(conversation, options=GenerateOptions(**options))]


@tool
def book(people: int) -> str:
    """Book a table."""
    return f"A table for {people} is booked."


async def test_a_turn_with_a_tool_follows_the_types_of_the_sdk() -> None:
    replies = call_answer("book", '{"people": 2}'), text_answer("It is", " booked.", usage={"prompt_tokens": 9})
    async with chat_server(*replies) as server:
        reply = await Agent(chat(server), tools=[book], instructions="Be brief.").run("a table for two, please")
        assert reply.text == "It is booked." and reply.usage["input_tokens"] == 9
        assert [run.result.text for run in reply.tool_calls] == ["A table for 2 is booked."]
        first, second = (request.json for request in server.requests)
        for sent in (first, second):
            REQUEST.validate_python(sent, strict=False)
        assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool"]
        assert json.loads(second["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"people": 2}
        assert second["messages"][2]["tool_calls"][0]["id"] == second["messages"][3]["tool_call_id"]
        assert server.requests[0].path == "/v1/chat/completions"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_spoken_turn_sends_sound_and_plays_sound() -> None:
    pcm = tone(duration_s=0.5, sample_rate=24_000).to_pcm16()
    async with chat_server(spoken_answer(("Good", pcm[:9001]), (" day.", pcm[9001:]))) as server:
        reply = await Agent(speech(server, voice="ash")).run(tone(duration_s=1.0))
        assert reply.text == "Good day." and reply.audio is not None
        assert reply.audio.duration == pytest.approx(0.5) and reply.audio.sample_rate == 24_000
        sent = server.requests[0].json
        REQUEST.validate_python(sent, strict=False)
        assert sent["modalities"] == ["text", "audio"] and sent["audio"] == {"voice": "ash", "format": "pcm16"}
        (part,) = sent["messages"][-1]["content"]
        assert part["type"] == "input_audio" and part["input_audio"]["format"] == "wav"
        assert Audio.load(base64.b64decode(part["input_audio"]["data"])).duration == pytest.approx(1.0)


async def test_options_are_sent_by_the_servers_own_names() -> None:
    async with chat_server(text_answer("a")) as server:
        await answer(chat(server), temperature=0.5, top_p=0.9, max_tokens=7, seed=1, stop=("x",))
        sent = server.requests[0].json
        names = ("temperature", "top_p", "max_tokens", "seed", "stop")
        assert [sent[name] for name in names] == [0.5, 0.9, 7, 1, ["x"]]


async def test_calls_that_a_stream_drops_are_asked_for_again_and_the_server_is_remembered() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "book", "arguments": '{"people": 4}'}}
    whole = Reply([whole_answer({"content": None, "tool_calls": [call]}, "tool_calls")],
                  headers={"content-type": "application/json"})  # fmt: skip
    last = Reply([whole_answer({"content": "Done."})], headers={"content-type": "application/json"})
    async with chat_server([delta("stop")], whole, last) as server:
        reply = await Agent(chat(server), tools=[book]).run("a table for four")
        assert [run.call.arguments for run in reply.tool_calls] == [{"people": 4}] and reply.text == "Done."
        assert [request.json.get("stream", False) for request in server.requests] == [True, False, False]
        WHOLE_REQUEST.validate_python(server.requests[1].json, strict=False)


@pytest.mark.parametrize(
    "written", ['functions.book({"people": 4})', '<tool_call>{"name": "book", "arguments":{"people":4}}</tool_call>']
)
async def test_a_call_that_is_written_as_text_is_made_and_not_spoken(written: str) -> None:
    async with chat_server(text_answer("At once. ", *written), text_answer("Done.")) as server:
        reply = await Agent(chat(server), tools=[book]).run("a table for four")
        assert [run.call.arguments for run in reply.tool_calls] == [{"people": 4}]
        assert reply.text == "At once. Done."
        assert server.requests[1].json["messages"][-2]["content"] == "At once."


@pytest.mark.parametrize("tools", [[], [book]])
async def test_thoughts_that_a_server_leaves_in_the_text_are_not_said(tools: list[Any]) -> None:
    async with chat_server(text_answer("<th", "ink>\nA greet", "ing.</think>", "\n\n", "Hello", ".")) as server:
        assert (await Agent(chat(server), tools=tools).run("hello")).text == "Hello."


async def test_an_empty_answer_without_tools_is_not_asked_again() -> None:
    async with chat_server([delta("stop")]) as server:
        await answer(chat(server))
        assert len(server.requests) == 1


REFUSALS = {
    400: ({"error": {"message": "bad field", "code": "invalid"}}, "400.*invalid: bad field"),
    401: ({"error": {"message": "no such key"}}, "401.*no such key.*api_key"),
    404: ({"detail": "model not found"}, "404.*model not found.*base_url"),
    422: ({"message": "unprocessable"}, "422.*unprocessable"),
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_is_one_line_without_the_key_and_is_not_repeated(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body, expected = REFUSALS[status]
    async with chat_server(Reply([json.dumps(body).encode()], status=status)) as server:
        model = chat(server)
        with pytest.raises(BackendError, match=expected) as caught:
            await answer(model)
        assert len(server.requests) == 1
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(model) + str(vars(model))
        assert KEY not in shown and "\n" not in str(caught.value)


REPEATED = json.dumps({"error": {"message": f"{'x' * 280} {KEY}"}}).encode()


@pytest.mark.parametrize(
    "reply",
    [
        Reply([REPEATED], status=401),
        Reply([REPEATED], status=500, headers={"content-type": "application/json", "retry-after": "0"}),
        Reply([b""], status=302, headers={"location": f"http://elsewhere.example/?key={KEY}"}),
        Reply([b"data: " + REPEATED + b"\n\n"]),
        Reply([REPEATED], headers={"content-type": "application/json"}),
        Reply([b"data: {" + KEY.encode() + b"\n\n"]),
        Reply([b'data: ["' + KEY.encode() + b'"]\n\n']),
        Reply([b"<html>" + KEY.encode()], headers={"content-type": "text/html"}),
    ],
    ids=["refused", "overloaded", "redirected", "in the stream", "as JSON", "not JSON", "a list", "a page"],
)
async def test_a_key_that_the_server_repeats_is_not_shown(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="agentaudio")
    async with chat_server(reply) as server:
        with pytest.raises(BackendError) as caught:
            await answer(chat(server))
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert KEY[:8] not in shown and ("***" in shown or "xxx" in shown)


async def test_an_answer_may_hold_the_word_that_stands_for_no_key() -> None:
    async with chat_server(text_answer("The bottle is EMPTY.")) as server:
        deltas = await answer(chat(server, api_key="EMPTY"))
        assert deltas[0] == TextDelta("The bottle is EMPTY.")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_overloaded_server_is_asked_again_as_it_wishes(status: int) -> None:
    headers = {"content-type": "application/json", "retry-after": "0"}
    busy = Reply([b'{"error": "busy"}'], status=status, headers=headers)
    async with chat_server(busy, busy, Reply(text_answer("a"))) as server:
        assert (await answer(chat(server)))[0] == TextDelta("a")
        assert len(server.requests) == 3
    async with chat_server(busy) as server:
        with pytest.raises(BackendError, match=f"{status}: busy"):
            await answer(chat(server))
        assert len(server.requests) == 3


async def test_a_long_retry_after_and_a_used_up_plan_fail_at_once() -> None:
    headers = {"content-type": "application/json", "retry-after": "3600"}
    for reply in (
        Reply([b"{}"], status=429, headers=headers),
        Reply([b'{"error": {"code": "insufficient_quota", "message": "pay"}}'], status=429),
    ):
        async with chat_server(reply) as server:
            with pytest.raises(BackendError, match="429"):
                await answer(chat(server))
            assert len(server.requests) == 1


async def test_nothing_is_repeated_after_the_first_words() -> None:
    async with chat_server(Reply([delta(content="One. ")], cut=True), Reply(text_answer("Two."))) as server:
        heard: list[Delta] = []
        conversation = Conversation()
        conversation.add("user", "hello")
        with pytest.raises(BackendError, match="broke off"):
            async for one in chat(server).generate(conversation):
                heard.append(one)
        assert heard == [TextDelta("One. ")] and len(server.requests) == 1


RECORDED = b"".join(text_answer("One", " 二.", usage={"prompt_tokens": 1}))
BOUNDARY = RECORDED.index(b'"finish_reason": "stop"') + len(b'"finish_reason": "stop"}]}')


async def test_a_connection_cut_at_any_byte_is_an_error_or_the_whole_answer() -> None:
    places = range(0, len(RECORDED), 3)
    async with chat_server(*(Reply([RECORDED[:place]], cut=True) for place in places)) as server:
        model = chat(server)
        for place in places:
            try:
                words = "".join(one.text for one in await answer(model) if isinstance(one, TextDelta))
            except BackendError:
                assert place < len(RECORDED)
            else:
                assert words == "One 二." and place >= BOUNDARY


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>Welcome</html>", b"data: {broken\n\n", b"data: 7\n\n", b"data: []\n\n", b"\x00\xff" * 100, b"",
        b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)  # fmt: skip
async def test_garbage_is_one_clear_error(garbage: bytes) -> None:
    async with chat_server(Reply([garbage])) as server:
        with pytest.raises(BackendError) as caught:
            await answer(chat(server))
        assert "openai:small" in str(caught.value) and len(str(caught.value)) < 600


async def test_keep_alives_are_no_progress() -> None:
    beats = [delta(role="assistant"), *[b": keep-alive\n\n", delta(content="")] * 200]
    async with chat_server(Reply(beats, pause_s=0.02)) as server:
        started = time.monotonic()
        with pytest.raises(BackendError, match="neither words nor calls for 0.3 s"):
            await answer(chat(server, progress_timeout_s=0.3))
        assert time.monotonic() - started < 3


async def test_a_slow_consumer_is_not_taken_for_a_slow_server() -> None:
    async with chat_server(text_answer("a", "b")) as server:
        conversation = Conversation()
        conversation.add("user", "hello")
        words = 0
        async for one in chat(server, progress_timeout_s=1.5).generate(conversation):
            words += isinstance(one, TextDelta)
            await asyncio.sleep(1.0)
        assert words == 2


async def test_stopping_closes_the_connection() -> None:
    for reply in (Reply([delta(content="a")], stall=True), Reply([], stall=True)):
        async with chat_server(reply) as server:
            task = asyncio.create_task(answer(chat(server)))
            while not server.requests:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for _ in range(100):
                if not server.open:
                    break
                await asyncio.sleep(0.01)
            assert server.open == 0


async def test_eight_answers_at_once_do_not_mix() -> None:
    async with chat_server(*[Reply(text_answer(*f"answer {n} of eight"), pause_s=0.002) for n in range(8)]) as server:
        model = chat(server)
        found = await asyncio.gather(*(answer(model) for _ in range(8)))
        texts = {"".join(one.text for one in deltas if isinstance(one, TextDelta)) for deltas in found}
        assert texts == {f"answer {n} of eight" for n in range(8)}


async def test_a_model_works_from_one_event_loop_after_another() -> None:
    async with chat_server(text_answer("a")) as server:
        model = chat(server)

        async def once() -> list[Delta]:
            found = await answer(model)
            await model._chat._completions._service.aclose()  # type: ignore[attr-defined]
            return found

        for _ in range(2):
            assert (await asyncio.to_thread(asyncio.run, once()))[0] == TextDelta("a")
        assert (await answer(model))[0] == TextDelta("a")


async def test_an_answer_without_the_sound_that_was_asked_for_is_an_error() -> None:
    async with chat_server(text_answer("I only write.")) as server:
        with pytest.raises(BackendError, match="without sound"):
            await answer(speech(server))
        reply = await Agent(speech(server, speaks=False)).run(tone())
        assert reply.text == "I only write." and reply.audio is None


async def test_a_server_that_is_not_there_says_so() -> None:
    async with chat_server(text_answer("a")) as server:
        pass
    with pytest.raises(BackendError, match="cannot be reached"):
        await answer(chat(server))


@pytest.mark.parametrize("address", ["ftp://x/v1", "nonsense", "http://", "https://user:pw@x/v1", "http://x/v1?key=1"])
def test_a_bad_address_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(OptionError, match="base_url") as caught:
        load_chat_model("openai:small", base_url=address)
    assert "pw" not in str(caught.value)


def test_a_model_needs_a_name_and_a_key_must_fit_a_header() -> None:
    with pytest.raises(OptionError, match="openai:NAME"):
        load_model("openai")
    with pytest.raises(AgentAudioError) as caught:
        load_model("openai:x", api_key="two words")
    assert "two words" not in str(caught.value)


async def test_history_with_sound_is_sent_as_sound_and_words_spoken_as_words(tmp_path: Path) -> None:
    pcm = (0.2 * np.ones(2400)).astype("<f4")
    sound = Audio(pcm, 24_000).to_pcm16()
    async with chat_server(spoken_answer(("First.", sound)), spoken_answer(("Second.", sound))) as server:
        session = Agent(speech(server)).session()
        await session.run(tone())
        await session.run("and now?")
        messages = server.requests[1].json["messages"]
        kinds = [(one["role"], type(one["content"]).__name__) for one in messages if one["role"] != "system"]
        assert kinds == [("user", "list"), ("assistant", "str"), ("user", "str")]


def test_the_key_is_in_no_repr() -> None:
    model = load_chat_model("openai:small", base_url="http://127.0.0.1:9/v1", api_key=KEY)
    assert isinstance(model, OpenAIChat)
    assert KEY not in repr(model) + repr(vars(model)["_completions"]._service)
