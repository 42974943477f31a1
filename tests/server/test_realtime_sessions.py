"""Connecting to a Realtime server, and the settings of a session, against a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from support.realtime_agent import Talker, talker, time_in
from support.realtime_client import Client, question, realtime_client
from support.server import KEY, OTHER_KEY, Running, running_server
from support.sounds import tone
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from agentaudio import Agent, Audio
from agentaudio.conversation import ToolSpec
from agentaudio.errors import BackendError
from agentaudio.model.parts import Recognition
from agentaudio.server.auth import Keys
from agentaudio.server.settings import ServerSettings
from agentaudio.voice_library.library import VoiceLibrary

INSECURE = "openai-insecure-api-key."


@pytest.fixture(scope="module")
def library(library_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> VoiceLibrary:
    """Three usable voices, one without consent, and a private one of OTHER_KEY."""
    library = VoiceLibrary(shutil.copytree(library_folder, tmp_path_factory.mktemp("realtime") / "voices"))
    free = library.get("ruby").card
    library.add(tone(400, 2), id="theirs", name="Cleo", description="A mysterious old woman.", licence=free.licence,
                consent=free.consent, owner=Keys((OTHER_KEY,)).caller(OTHER_KEY).id)  # fmt: skip
    return library


@pytest.fixture(scope="module")
def server(library: VoiceLibrary) -> Iterator[Running]:
    agent = Agent(Talker(), tools=[time_in], voices=library, instructions="Be polite.")
    settings = ServerSettings(keys=(KEY, OTHER_KEY), voice_names={"nova": "walter"})
    with running_server(agent, settings) as running:
        yield running


async def said(client: Client, text: str, **response: Any) -> str:
    await client.write(text)
    answered = await client.responded(**response)
    part = answered["output"][0]["content"][0]
    return str(part.get("transcript") or part["text"]).strip()


async def refused(client: Client) -> tuple[str, str | None]:
    error = (await client.until("error"))["error"]
    return error["code"], error["param"]


def secret(server: Running, session: Any = None, seconds: Any = 60) -> httpx2.Response:
    body = {"expires_after": {"anchor": "created_at", "seconds": seconds}, "session": session}
    return httpx2.post(
        f"{server.url}/v1/realtime/client_secrets", json=body, headers={"authorization": f"Bearer {KEY}"}
    )


# Connecting


@pytest.mark.parametrize(
    ("key", "headers", "subprotocols"),
    [
        (KEY, {}, None),
        (None, {"api-key": KEY}, None),
        (None, {}, ["realtime", f"{INSECURE}{KEY}", "openai-agents-sdk.0.20.0"]),
    ],
)
async def test_a_key_comes_as_a_bearer_token_a_header_or_a_subprotocol(
    server: Running, key: str | None, headers: dict[str, str], subprotocols: list[str] | None
) -> None:
    for path in ("/v1/realtime?model=gpt-realtime", "/realtime?model=gpt-realtime"):
        async with realtime_client(
            server.port, key=key, headers=headers, subprotocols=subprotocols, path=path
        ) as client:
            assert client.socket.subprotocol == ("realtime" if subprotocols else None)


@pytest.mark.parametrize("key", [None, "wrong-key-000000000", "ek_unknown0000000000"])
async def test_a_missing_or_wrong_key_is_refused_in_the_protocols_shape(server: Running, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(f"ws://127.0.0.1:{server.port}/v1/realtime", additional_headers=headers):
            pass
    answer = refusal.value.response
    assert answer.status_code == 401
    error = json.loads(answer.body or b"")["error"]
    assert error["code"] == "invalid_api_key" and (key or "Bearer ek") not in error["message"]


async def test_a_client_secret_opens_a_session_with_its_settings_and_nothing_else(server: Running) -> None:
    session = {"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "ruby"}}}
    made = secret(server, session).json()
    assert made["value"].startswith("ek_") and made["session"]["object"] == "realtime.session"
    assert made["session"]["id"] and made["session"]["type"] == "realtime"
    for how in ({"key": made["value"]}, {"key": None, "subprotocols": ["realtime", INSECURE + made["value"]]}):
        async with realtime_client(server.port, **how) as client:
            opened = client.events[0]["session"]
            assert (opened["instructions"], opened["audio"]["output"]["voice"]) == ("Be brief.", "ruby")
            assert await said(client, "voice") == "ruby"
            assert await said(client, "system") == "Be polite. Be brief."
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=made["value"], max_retries=0).models.list()


def test_a_client_secret_makes_no_other_one(server: Running) -> None:
    value = secret(server, {"instructions": "Be brief."}, seconds=60).json()["value"]
    for headers in ({"authorization": f"Bearer {value}"}, {"api-key": value}):
        url = f"{server.url}/v1/realtime/client_secrets"
        refused = httpx2.post(url, json={"expires_after": {"seconds": 7_000}}, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")


async def test_a_client_secret_expires(server: Running) -> None:
    value = secret(server, seconds=1).json()["value"]
    async with realtime_client(server.port, key=value):
        await asyncio.sleep(1.1)
    with pytest.raises(InvalidStatus):
        async with realtime_client(server.port, key=value):
            pass


@pytest.mark.parametrize(
    ("session", "seconds", "code"),
    [
        ({"type": "transcription"}, 60, "invalid_value"),
        ({"audio": {"output": {"speed": 9}}}, 60, "invalid_value"),
        ("all", 60, "invalid_type"),
        ({}, 0, "invalid_value"),
        ({}, 10**9, "invalid_value"),
        ({}, True, "invalid_value"),
        ({"audio": {"output": {"voice": "secret"}}}, 60, "voice_not_permitted"),
        ({"audio": {"output": {"voice": "theirs"}}}, 60, "voice_not_found"),
    ],
)
def test_a_client_secret_with_wrong_settings_is_not_made(
    server: Running, session: Any, seconds: Any, code: str
) -> None:
    answer = secret(server, session, seconds)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


async def test_a_session_whose_voice_is_withheld_meanwhile_begins_in_the_default_voice(
    server: Running, library: VoiceLibrary
) -> None:
    free = library.get("ruby").card
    library.add(tone(330, 2), id="lent", name="Lent", description="A voice for a day.", licence=free.licence,
                consent=free.consent)  # fmt: skip
    value = secret(server, {"audio": {"output": {"voice": "lent"}}}).json()["value"]
    library.revoke("lent")
    async with realtime_client(server.port, key=value) as client:
        assert await refused(client) == ("voice_not_found", "session.audio.output.voice")
        assert await said(client, "voice") == "own"


# Settings


async def test_an_update_changes_only_what_it_names_and_null_switches_off(server: Running) -> None:
    async with realtime_client(server.port) as client:
        first = client.events[0]["session"]
        assert first["audio"]["input"]["turn_detection"]["interrupt_response"] is True
        semantic = {"type": "semantic_vad", "eagerness": "medium"}
        updates: list[dict[str, Any]] = [  # LiveKit sends three in a row
            {"instructions": "one", "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}},
            {"audio": {"input": {"turn_detection": semantic}, "output": {"voice": "marin"}}},
            {"tools": [], "tool_choice": None, "tracing": None, "max_output_tokens": None, "output_modalities": None},
        ]
        for update in updates:
            await client.send("session.update", session={"type": "realtime", **update})
        for _ in updates:
            session = (await client.until("session.updated"))["session"]
        assert session["instructions"] == "one"
        assert session["audio"]["input"]["transcription"] == {"model": "gpt-4o-mini-transcribe"}
        assert session["audio"]["input"]["turn_detection"] == {
            **semantic, "create_response": True, "interrupt_response": True,
        }  # fmt: skip
        assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
        assert session.keys() == first.keys()
        session = await client.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.3}}})
        assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.3
        assert "eagerness" not in session["audio"]["input"]["turn_detection"]
        off = {"turn_detection": None, "transcription": None, "noise_reduction": None}
        session = await client.update(audio={"input": off}, tracing=None, prompt=None, instructions=None)
        assert {name: session["audio"]["input"][name] for name in off} == off
        assert (session["instructions"], session["model"]) == ("", first["model"])


async def test_a_wrong_update_changes_nothing_and_names_its_field(server: Running) -> None:
    async with realtime_client(server.port) as client:
        before = await client.update(instructions="stay")
        for session, param in (
            ({"instructions": "gone", "audio": {"output": {"speed": 9}}}, "session.audio.output.speed"),
            ({"instructions": 5}, "session.instructions"),
            ({"instructions": "x" * 200_000}, "session.instructions"),
            ({"tools": [{"name": "a b"}]}, "session.tools[0].parameters"),
            ({"audio": {"input": {"format": {"type": "audio/mp3"}}}}, "session.audio.input.format.type"),
            ({"audio": {"input": {"turn_detection": {"type": "magic"}}}}, "session.audio.input.turn_detection.type"),
            ({"tool_choice": {"type": "function"}}, "session.tool_choice"),
            ({"type": "transcription"}, "session.type"),
        ):
            await client.send("session.update", session=session, event_id="mine")
            error = (await client.until("error"))["error"]
            assert (error["param"], error["event_id"]) == (param, "mine")
        assert await client.update() == before


async def test_the_flat_names_of_2024_are_taken_and_sent_only_to_clients_that_ask_for_them(server: Running) -> None:
    flat = {
        "modalities": ["text", "audio"], "voice": "ruby", "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16", "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300}, "max_response_output_tokens": 50,
    }  # fmt: skip
    async with realtime_client(server.port) as client:
        await client.send("session.update", session=flat)
        session = (await client.until("session.updated"))["session"]
        assert session["audio"]["output"]["voice"] == "ruby"
        assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
        assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
        assert (session["max_output_tokens"], session["output_modalities"]) == (50, ["audio"])
        assert await said(client, "voice") == "ruby"
    async with realtime_client(server.port, headers={"OpenAI-Beta": "realtime=v1"}) as client:
        await client.send("session.update", session=flat)
        session = (await client.until("session.updated"))["session"]
        assert {name: session[name] for name in flat if name != "turn_detection"} == {
            name: value for name, value in flat.items() if name != "turn_detection"
        }
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "voice"}]}
        await client.send("conversation.item.create", item=item)
        await client.until("conversation.item.created")
        response = await client.responded()
        assert response["output"][0]["content"] == [{"type": "audio", "transcript": "ruby "}]
        kinds = set(client.types(deltas=True))
    assert {"response.audio.delta", "response.audio.done", "response.audio_transcript.delta"} <= kinds
    assert not {kind for kind in kinds if "output_audio" in kind} | kinds & {
        "conversation.item.added", "conversation.item.done",
    }  # fmt: skip


async def test_voices_that_are_unknown_withheld_or_anothers_are_refused_and_the_connection_stays(
    server: Running,
) -> None:
    async with realtime_client(server.port) as client:
        place = "session.audio.output.voice"
        for voice, code in (("secret", "voice_not_permitted"), ("theirs", "voice_not_found")):
            await client.send("session.update", session={"audio": {"output": {"voice": voice}}, "instructions": "x"})
            assert await refused(client) == (code, place)
            await client.send("response.create", response={"audio": {"output": {"voice": {"id": voice}}}})
            assert await refused(client) == (code, "response.audio.output.voice")
        for wrong in (5, "", {"id": ""}, {"name": "ruby"}, "a" * 600, ["ruby"]):
            await client.send("session.update", session={"audio": {"output": {"voice": wrong}}})
            assert (await refused(client))[0] == "invalid_type"
        await client.send("session.update", session={"audio": {"output": {"voice": "a mysterious old woman"}}})
        assert await refused(client) == ("voice_not_found", place)
        session = await client.update(audio={"output": {"voice": "nova"}})
        assert (session["audio"]["output"]["voice"], session["instructions"]) == ("walter", "")
        assert await said(client, "voice") == "walter"
    async with realtime_client(server.port, key=OTHER_KEY) as client:
        for wanted in ("Cleo", "a mysterious old woman"):
            session = await client.update(audio={"output": {"voice": wanted}})
            assert session["audio"]["output"]["voice"] == "theirs"


async def test_the_voice_changes_between_two_answers_of_one_turn_of_talk(server: Running) -> None:
    async with realtime_client(server.port) as client:
        assert await said(client, "voice") == "own"
        await client.update(audio={"output": {"voice": "robot"}})
        assert await said(client, "voice") == "robot"
        assert client.of("response.done")[-1]["response"]["agentaudio"]["voice"]["name"] == "Zed"


@pytest.mark.parametrize(("setting", "told"), [("extend", "Be polite. Be brief."), ("replace", "Be brief.")])
async def test_the_instructions_of_a_client_extend_or_replace_those_of_the_agent(setting: Any, told: str) -> None:
    settings = ServerSettings(keys=(KEY,), client_instructions=setting)
    with running_server(Agent(Talker(), instructions="Be polite."), settings) as server:
        async with realtime_client(server.port) as client:
            assert await said(client, "system") == "Be polite."
            await client.update(instructions="Be brief.")
            assert await said(client, "system") == told
            assert await said(client, "system", instructions="Be long.") == told.replace("brief", "long")
            assert await said(client, "system", instructions=None) == told
        sdk = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY)
        messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "history"}]
        answered = await sdk.chat.completions.create(model="m", messages=messages)
        await sdk.close()
    kept = "system: Be polite. | " if setting == "extend" else ""
    assert (answered.choices[0].message.content or "").strip() == f"{kept}system: Be brief. | user: history"


async def test_a_user_who_stays_silent_is_spoken_to_after_the_idle_time(server: Running) -> None:
    async with realtime_client(server.port) as client:
        detection = {"type": "server_vad", "idle_timeout_ms": 1000}
        await client.update(audio={"input": {"turn_detection": detection}})
        quiet = asyncio.create_task(client.say(Audio.silence(4.0, 24_000)))
        triggered = await client.until("input_audio_buffer.timeout_triggered")
        assert triggered["audio_end_ms"] - triggered["audio_start_ms"] == 1000
        response = await client.done()
        quiet.cancel()
        assert response["output"][0]["content"][0]["transcript"] == "Are you still there?"
        assert await said(client, "history") == "system: Be polite. | user: history"


class HardOfHearing(Talker):
    """Its recogniser fails."""

    async def recognise(
        self, audio: Audio, *, tools: Sequence[ToolSpec] = (), language: str | None = None
    ) -> Recognition:
        raise BackendError("no words")


async def test_words_that_nobody_recognises_are_told_as_such_and_the_session_goes_on() -> None:
    with running_server(talker(HardOfHearing(), voices=None)) as server:
        async with realtime_client(server.port) as client:
            await client.update(audio={"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}})
            await client.say(question(), speed=50)
            await client.send("input_audio_buffer.commit")
            item_id = (await client.until("input_audio_buffer.committed"))["item_id"]
            failed = await client.until("conversation.item.input_audio_transcription.failed")
            assert (failed["item_id"], failed["content_index"]) == (item_id, 0)
            assert failed["error"]["code"] == "transcription_failed" and failed["error"]["message"]
            assert (await client.responded())["status"] == "completed"
            assert not client.of("error")


async def test_each_response_says_how_many_requests_are_left() -> None:
    settings = ServerSettings(keys=(KEY,), requests_per_minute=3)
    with running_server(talker(voices=None), settings) as server:
        async with realtime_client(server.port) as client:  # the connection is a request, too
            await client.write("hello")
            await client.responded()
            assert httpx2.get(f"{server.url}/v1/models", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
            await client.responded(conversation="none", metadata={"topic": "aside"})
            left = [one["rate_limits"][0] for one in client.of("rate_limits.updated")]
            assert [(one["name"], one["limit"], one["remaining"]) for one in left] == [
                ("requests", 3, 2), ("requests", 3, 1),
            ]  # fmt: skip
            assert 0 < left[0]["reset_seconds"] < left[1]["reset_seconds"] <= 60
            kinds = client.types()
            assert kinds[kinds.index("response.created") - 1] == "rate_limits.updated"


async def test_speech_its_item_and_its_words_have_one_id(server: Running) -> None:
    async with realtime_client(server.port) as client:
        transcription = {"model": "gpt-realtime-whisper"}
        await client.update(audio={"input": {"transcription": transcription}})
        await client.say(question() + Audio.silence(0.8, 24_000), speed=4)
        started = await client.until("input_audio_buffer.speech_started")
        stopped = await client.until("input_audio_buffer.speech_stopped")
        committed = await client.until("input_audio_buffer.committed")
        added = await client.until("conversation.item.added")
        await client.done()
        transcribed = client.of("conversation.item.input_audio_transcription.completed")
    ids = [started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"], transcribed[0]["item_id"]]
    assert len(set(ids)) == 1
    assert 0 <= started["audio_start_ms"] < stopped["audio_end_ms"]
