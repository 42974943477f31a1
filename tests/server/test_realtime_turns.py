"""Spoken and written turns over the Realtime protocol, against a real server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import pytest
from openai import AsyncOpenAI
from support.realtime_agent import talker
from support.realtime_client import question, realtime_client
from support.server import KEY, Running, running_server

from agentaudio import Audio


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(talker()) as running:
        yield running


async def test_the_openai_sdk_holds_a_spoken_turn(server: Running) -> None:
    sound = (question() + Audio.silence(0.8, 24_000)).to_pcm16()
    async with AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1") as client:
        async with client.realtime.connect(model="gpt-realtime") as connection:
            got, words, kinds = b"", "", []
            async for event in connection:
                kinds.append(event.type)
                if event.type == "session.created":
                    for start in range(0, len(sound), 9600):
                        await connection.input_audio_buffer.append(
                            audio=base64.b64encode(sound[start : start + 9600]).decode()
                        )
                elif event.type == "response.output_audio.delta":
                    got += base64.b64decode(event.delta)
                elif event.type == "response.output_audio_transcript.delta":
                    words += event.delta
                elif event.type == "response.done":
                    break
    assert words.split() == ["I", "heard", "you", "well"]
    assert len(got) == 2 * 24_000 * 0.4
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("input_audio_buffer.speech_stopped")
    assert kinds.index("input_audio_buffer.committed") < kinds.index("response.created")


async def test_events_of_a_response_come_in_the_order_that_clients_expect(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio={"input": {"turn_detection": None}})
        item_id = await client.write("hello")
        response = await client.responded()
        of_response = client.types(deltas=True)[client.types(deltas=True).index("response.created") :]
    deltas = [kind for kind in of_response if kind.endswith(".delta")]
    assert deltas[:2] == ["response.output_audio_transcript.delta", "response.output_audio.delta"]
    assert [kind for kind in of_response if not kind.endswith(".delta")] == [
        "response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added",
        "response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
        "response.output_item.done", "conversation.item.done", "response.done",
    ]  # fmt: skip
    added = client.of("conversation.item.added")
    assert [one["previous_item_id"] for one in added] == [None, item_id]
    assert added[1]["item"]["status"] == "in_progress"
    part = client.of("response.content_part.done")[0]["part"]
    assert part == {"type": "audio", "transcript": "You wrote hello "}
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "You wrote hello "}]
    assert response["status"] == "completed"
    assert response["usage"]["total_tokens"] == 12
    assert response["usage"]["input_token_details"]["audio_tokens"] == 4
    assert response["usage"]["input_token_details"]["text_tokens"] == 3
    assert len({event["event_id"] for event in client.events}) == len(client.events)


async def test_a_function_call_is_announced_item_by_item_and_its_result_answered_on_request(server: Running) -> None:
    async with realtime_client(server.port) as client:
        lookup = {"type": "function", "name": "lookup", "description": "Look up", "parameters": {"type": "object"}}
        await client.update(tools=[lookup])
        await client.write("call lookup")
        response = await client.responded()
        call = response["output"][1]
        kinds = [
            one["type"] for one in client.events if call["id"] in (one.get("item_id"), one.get("item", {}).get("id"))
        ]
        assert kinds == [
            "response.output_item.added", "conversation.item.added", "response.function_call_arguments.delta",
            "response.function_call_arguments.done", "response.output_item.done", "conversation.item.done",
        ]  # fmt: skip
        first = next(one for one in client.of("response.output_item.added") if one["item"]["id"] == call["id"])["item"]
        assert (first["arguments"], first["status"]) == ("", "in_progress")
        assert client.of("response.function_call_arguments.done")[0]["name"] == "lookup"
        assert (call["arguments"], call["status"]) == ('{"city": "Tokyo"}', "completed")
        assert len(call["call_id"]) <= 32

        await client.result(call, "it is raining")
        await client.until("conversation.item.done")
        count = len(client.events)
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert len(client.events) == count + 1  # nothing happens until a response is asked for
        response = await client.responded()
    assert response["output"][0]["content"][0]["transcript"] == "results: it is raining "


@pytest.mark.parametrize("apart_s", [0.0, 0.005])
@pytest.mark.parametrize("order", ["o1 r o2 r", "o2 r o1 r", "r o1 r o2", "o1 o2 r r"])
async def test_two_calls_get_exactly_one_answer_from_both_results(server: Running, order: str, apart_s: float) -> None:
    async with realtime_client(server.port) as client:
        tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("one", "two")]
        await client.update(tools=tools)
        await client.write("call one two")
        response = await client.responded()
        calls = [item for item in response["output"] if item["type"] == "function_call"]
        for step in order.split():
            if step == "r":
                await client.send("response.create", event_id=f"asked-{order}")
            else:
                await client.result(calls[int(step[1]) - 1], f"result {step}")
            await asyncio.sleep(apart_s)
        await client.until("response.done")
        await client.send("conversation.item.retrieve", item_id="nothing")
        await client.until("error", lambda event: event["error"]["code"] == "item_retrieve_invalid_item_id")
        errors = [one["error"]["code"] for one in client.of("error")][:-1]
        await asyncio.sleep(0.1)
        answered = client.of("response.done")[-1]["response"]
    assert answered["output"][0]["content"][0]["transcript"] == "results: result o1; result o2 "
    assert errors == ["conversation_already_has_active_response"]
    assert len(client.of("response.done")) == 2


async def test_calls_of_the_agents_own_tools_are_not_shown_as_calls_of_the_client(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.write("call time_in")
        response = await client.responded()
        assert [item["type"] for item in response["output"]] == ["message", "message"]
        assert response["output"][1]["content"][0]["transcript"] == "results: nine o'clock "
        assert response["agentaudio"]["tools"][0]["call"]["name"] == "time_in"
        assert "agentaudio.event" not in client.types()
        await client.write("history")
        response = await client.responded()
    assert response["output"][0]["content"][0]["transcript"] == (
        "user: call time_in | assistant: One | tool: | assistant: results: nine o'clock | user: history "
    )


async def test_a_client_that_asks_gets_tools_and_voices_as_they_happen(server: Running) -> None:
    async with realtime_client(server.port, path="/realtime?model=m&agentaudio=1") as client:
        await client.write("call time_in")
        await client.responded()
    own = [one["event"]["type"] for one in client.of("agentaudio.event")]
    assert own == ["tool.started", "tool.finished"]


async def test_sound_that_is_committed_by_hand_is_one_item_and_is_answered_on_request(server: Running) -> None:
    async with realtime_client(server.port) as client:
        session = await client.update(
            audio={"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
        )
        assert session["audio"]["input"]["turn_detection"] is None
        await client.say(Audio.silence(0.06, 24_000), speed=50)
        await client.send("input_audio_buffer.commit", event_id="too-early")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "too-early")
        await client.say(question(), speed=50, frame_ms=100)
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        response = await client.responded()
        transcribed = client.of("conversation.item.input_audio_transcription.completed")
        await client.send("conversation.item.retrieve", item_id=committed["item_id"])
        item = (await client.until("conversation.item.retrieved"))["item"]
    assert response["output"][0]["content"][0]["transcript"] == "I heard you well "
    assert transcribed[0]["item_id"] == committed["item_id"]
    assert transcribed[0]["transcript"].startswith("a sound of ")
    assert item["content"][0]["transcript"] == transcribed[0]["transcript"]
    kept = len(base64.b64decode(item["content"][0]["audio"])) / 48_000
    assert kept == pytest.approx(question().duration + 0.06, abs=0.01)


async def test_the_voice_changes_in_mid_session_by_id_name_object_and_words(server: Running) -> None:
    async with realtime_client(server.port) as client:

        async def speaks_in() -> str:
            await client.write("voice")
            response = await client.responded()
            return str(response["output"][0]["content"][0]["transcript"]).strip()

        assert await speaks_in() == "own"
        session = await client.update(audio={"output": {"voice": "a little girl"}})
        girl = session["audio"]["output"]["voice"]
        assert session["agentaudio"]["voice"]["age"] == "child"
        assert await speaks_in() == girl
        session = await client.update(audio={"output": {"voice": {"id": girl}}})
        assert session["audio"]["output"]["voice"] == girl
        session = await client.update(audio={"output": {"voice": "marin"}})
        assert session["agentaudio"]["voice"] is None
        assert await speaks_in() == "own"
        await client.write("voice")
        response = await client.responded(audio={"output": {"voice": girl}})
        assert response["output"][0]["content"][0]["transcript"] == f"{girl} "
        assert response["audio"]["output"]["voice"] == girl
        assert await speaks_in() == "own"  # it was for one response


async def test_a_response_beside_the_conversation_reads_and_leaves_nothing_there(server: Running) -> None:
    async with realtime_client(server.port) as client:
        first = await client.write("hello")
        await client.responded()
        items = len(client.of("conversation.item.added"))
        asked = [{"type": "item_reference", "id": first}, {"type": "message", "role": "user", "content": "bye"}]
        response = await client.responded(
            conversation="none", input=asked, metadata={"topic": "summary"}, output_modalities=["text"]
        )
        assert response["output"][0]["content"][0]["text"].startswith("You wrote hello bye")
        assert (response["conversation_id"], response["metadata"]) == (None, {"topic": "summary"})
        created = [one["response"] for one in client.of("response.created")]
        assert created[1]["metadata"] == {"topic": "summary"}
        assert len(client.of("conversation.item.added")) == items
        await client.write("history")
        response = await client.responded()
    assert response["output"][0]["content"][0]["transcript"] == (
        "user: hello | assistant: You wrote hello | user: history "
    )


async def test_a_response_has_its_own_instructions_and_tools(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(instructions="Be brief.", output_modalities=["text"])

        async def said(text: str, **response: object) -> str:
            await client.write(text)
            return str((await client.responded(**response))["output"][0]["content"][0]["text"]).strip()

        assert await said("system") == "Be brief."
        assert await said("system", instructions="Be long.") == "Be long."
        assert await said("system", instructions=None) == "Be brief."
        assert await said("tools") == "time_in"
        mine = [{"type": "function", "function": {"name": "mine", "parameters": {"type": "object"}}}]
        assert await said("tools", tools=mine) == "mine,time_in"
        assert await said("tools", tool_choice="none") == "none"
        assert await said("tools", tools=mine, tool_choice={"type": "function", "name": "mine"}) == "mine"
        assert await said("tools") == "time_in"


async def test_items_are_placed_deleted_and_retrieved(server: Running) -> None:
    async with realtime_client(server.port) as client:
        second = await client.write("history of the second", id="second")
        await client.send(
            "conversation.item.create", previous_item_id="root",
            item={"id": "first", "type": "message", "role": "system", "content": "one"},
        )  # fmt: skip
        added = await client.until("conversation.item.added")
        assert (added["previous_item_id"], added["item"]["id"]) == (None, "first")
        await client.send(
            "conversation.item.create", previous_item_id="first",
            item={"id": "between", "type": "message", "role": "user", "content": "x"},
        )  # fmt: skip
        assert (await client.until("conversation.item.added"))["previous_item_id"] == "first"
        await client.send("conversation.item.delete", item_id="between")
        assert (await client.until("conversation.item.deleted"))["item_id"] == "between"
        await client.send("conversation.item.retrieve", item_id=second)
        retrieved = await client.until("conversation.item.retrieved")
        assert retrieved["item"]["content"][0]["text"] == "history of the second"
        response = await client.responded()
        said = response["output"][0]
        assert said["content"][0]["transcript"] == "system: one | user: history of the second "
        await client.send("conversation.item.truncate", item_id=said["id"], content_index=0, audio_end_ms=250)
        truncated = await client.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] == 250
        await client.send("conversation.item.retrieve", item_id=said["id"])
        item = (await client.until("conversation.item.retrieved"))["item"]
        assert item["content"][0]["transcript"] == "system: one |"
        assert item["status"] == "incomplete"
        await client.write("history")
        response = await client.responded()
    assert response["output"][0]["content"][0]["transcript"] == (
        "system: one | user: history of the second | assistant: system: one | | user: history "
    )
