"""Chat completions, asked with OpenAI's SDK: sound in and out, tools on both sides, and what later turns refer to."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from support.rehearsed import Rehearsed
from support.server import KEY, OTHER_KEY, Running, running_server, until
from support.sounds import tone

from agentaudio.agent import Agent
from agentaudio.conversation import AudioPart, Passage, SpeechPart, TextPart
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import tool
from agentaudio.voice_library.library import VoiceLibrary

MODEL = Rehearsed()
SOUND = base64.b64encode(tone(300, 1).to_bytes("wav")).decode()
HEARD: Any = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}]}
DOOR: Any = {"type": "function", "function": {"name": "door", "parameters": {"type": "object", "properties": {}}}}
BELL: Any = {"type": "function", "function": {"name": "bell"}}
SPOKEN: Any = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}}


@tool
def weather(place: str) -> ToolResult:
    """The weather at a place."""
    passage = Passage("It rains in München.", "Weather", "https://weather.example/today")
    return ToolResult(f"It rains in {place}.", passages=(passage,))


def said(text: str) -> Any:
    return {"role": "user", "content": text}


@pytest.fixture(scope="module")
def server(library_folder: Any) -> Iterator[Running]:
    settings = ServerSettings(keys=(KEY, OTHER_KEY), sound_s=60, voice_names={"nova": "ruby"}, stalled_s=1)
    with running_server(Agent(MODEL, tools=[weather], voices=VoiceLibrary(library_folder)), settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def ask(client: OpenAI, *messages: Any, **options: Any) -> Any:
    return client.chat.completions.create(model="gpt-audio", messages=list(messages), **options).choices[0]


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "opus", "aac", "pcm16"])
def test_a_spoken_question_gets_a_spoken_answer_in_each_format(client: OpenAI, format: str) -> None:
    choice = ask(client, HEARD, modalities=["text", "audio"], audio={"voice": "alloy", "format": format})
    message = choice.message
    assert (choice.finish_reason, message.content) == ("stop", None)
    assert message.audio.transcript == "You said a sound"
    assert message.audio.expires_at > time.time()
    content = base64.b64decode(message.audio.data)
    heard = Audio.from_pcm16(content, 24_000) if format == "pcm16" else Audio.load(content)
    assert heard.duration == pytest.approx(4 / 3, abs=0.1)


def test_words_and_sound_may_stand_in_one_message_and_come_from_data_urls(client: OpenAI) -> None:
    url = {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{SOUND}"}}
    choice = ask(client, {"role": "user", "content": [{"type": "text", "text": "What is this?"}, url]})
    assert choice.message.content == "You said What is this? a sound"
    asked = MODEL.given[-1].conversation.last_user
    assert asked is not None and [type(part) for part in asked.parts] == [TextPart, AudioPart]
    assert MODEL.given[-1].options.speak is False


def test_a_stream_brings_words_sound_calls_and_usage_as_the_sdk_reads_them(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="gpt-audio", messages=[said("call door bell")], tools=[DOOR, BELL],
        stream_options={"include_usage": True}, **SPOKEN,
    ) as stream:  # fmt: skip
        kinds = [event.type for event in stream]
        final: Any = stream.get_final_completion()
    message = final.choices[0].message
    assert final.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in message.tool_calls] == ["door", "bell"]
    assert message.tool_calls[0].function.arguments == '{"place": "M\\u00fcnchen"}'
    assert message.audio.transcript == "One moment."
    assert len(base64.b64decode(message.audio.data, validate=True)) == 2 * 15_999
    assert (final.usage.prompt_tokens, final.usage.prompt_tokens_details.audio_tokens) == (5, 3)
    assert kinds.count("tool_calls.function.arguments.done") == 2


def test_tools_of_the_client_are_handed_back_and_those_of_the_agent_run_here(client: OpenAI) -> None:
    question = said("call weather door")
    first = ask(client, question, tools=[DOOR], **SPOKEN)
    assert first.finish_reason == "tool_calls"
    (call,) = first.message.tool_calls
    assert call.function.name == "door"
    result = {"role": "tool", "tool_call_id": call.id, "content": "open"}
    history = [question, {"role": "assistant", "tool_calls": [call.model_dump()]}, result]
    last = ask(client, *history, tools=[DOOR])
    # The agent's own result was not in the request, and is not lost.
    assert last.message.content == "Result It rains in München. and open"
    seen = MODEL.given[-1].conversation
    assert [message.role for message in seen] == ["user", "assistant", "tool", "tool"]


def test_own_tools_bring_web_citations(client: OpenAI) -> None:
    message = ask(client, said("call weather")).message
    assert message.content == "One moment. Result It rains in München."
    citation = message.annotations[0].url_citation
    assert citation.url == "https://weather.example/today"
    assert message.content[citation.start_index : citation.end_index] == "Result It rains in München."
    assert MODEL.given[-1].tools and ask(client, said("hi"), tool_choice="none").message.content == "You said hi"
    assert MODEL.given[-1].tools == ()


def test_a_call_that_is_required_is_required_of_the_model(client: OpenAI) -> None:
    ask(client, said("call door"), tools=[DOOR], tool_choice="required")
    assert [one.name for one in MODEL.given[-1].tools] == ["door"]
    ask(client, said("call door"), tools=[DOOR], tool_choice={"type": "function", "function": {"name": "door"}})
    ask(client, said("call weather"), tool_choice={"type": "function", "function": {"name": "weather"}})
    assert [given.options.must_call for given in MODEL.given[-4:]] == [True, "door", "weather", None]


def test_a_later_turn_refers_to_sound_by_its_id_and_only_under_its_own_key(server: Running, client: OpenAI) -> None:
    first = ask(client, HEARD, **SPOKEN)
    audio = {"role": "assistant", "audio": {"id": first.message.audio.id}}
    assert ask(client, HEARD, audio, said("and now?")).message.content == "You said and now?"
    heard, spoken, _ = MODEL.given[-1].conversation
    assert heard.text == "a sound"  # it was recognised in its own turn
    assert isinstance(spoken.parts[0], SpeechPart) and spoken.text == "You said a sound"
    with OpenAI(base_url=f"{server.url}/v1", api_key=OTHER_KEY, max_retries=0) as stranger:
        with pytest.raises(openai.BadRequestError) as refused:
            ask(stranger, HEARD, audio, said("and now?"))
        assert refused.value.code == "audio_not_found"
        assert ask(stranger, HEARD, audio | {"content": "You said so"}, said("yes")).message.content == "You said yes"
        assert MODEL.given[-1].conversation.messages[0].text == ""  # nor are the words of the sound known to it


@pytest.mark.parametrize(
    ("wanted", "spoken_in"),
    [("walter", "walter"), ({"id": "ruby"}, "ruby"), ("Zed", "robot"), ("a cheerful young woman", "ruby"),
     ("alloy", None), ("nova", "ruby")],
)  # fmt: skip
def test_a_voice_is_an_id_a_name_or_a_description(client: OpenAI, wanted: Any, spoken_in: str | None) -> None:
    message = ask(client, said("hi"), modalities=["text", "audio"], audio={"voice": wanted, "format": "wav"}).message
    voice = MODEL.given[-1].voice
    assert (None if voice is None else voice.id) == spoken_in
    assert (message.agentaudio["voice"] or {"id": None})["id"] == spoken_in


def bad(content: Any = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


def part(**audio: Any) -> list[Any]:
    return [{"type": "input_audio", "input_audio": audio}]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (bad(part(data="???", format="wav")), 400, "invalid_base64", "messages.0.content.0.input_audio.data"),
        (bad(part(data="", format="wav")), 400, "invalid_audio", "messages.0.content.0.input_audio.data"),
        (bad(part(data=base64.b64encode(b"RIFFxxxx").decode(), format="wav")), 400, "invalid_audio", None),
        (bad(part(data=base64.b64encode(bytes(48_000 * 61)).decode(), format="pcm16")), 400, "invalid_audio", None),
        (bad(part(data=base64.b64encode(bytes(48_000)).decode(), format="pcm16")), 400, "invalid_audio", None),
        (bad([{"type": "audio_url", "audio_url": {"url": "http://127.0.0.1/x.wav"}}]), 400, "invalid_url", None),
        (bad([{"type": "audio_url", "audio_url": {"url": "file:///etc/passwd"}}]), 400, "invalid_url", None),
        (bad([{"type": "image_url", "image_url": {"url": "data:,"}}]), 400, "invalid_value", None),
        (bad("  "), 400, None, "messages.0"),
        (bad(n=2), 400, "invalid_value", None),
        (bad(response_format={"type": "json_object"}), 400, "invalid_value", None),
        (bad(modalities=["audio"], audio={"voice": "a purple dinosaur on skis"}), 404, "voice_not_found", "voice"),
        (bad(modalities=["audio"], audio={"voice": "secret"}), 404, "voice_not_found", "voice"),
        (bad(modalities=["audio"], audio={"voice": {"id": "nobody"}}), 404, "voice_not_found", "voice"),
        (bad(tools=[{"type": "function", "function": {"name": "no blanks"}}]), 400, "invalid_value", None),
        (bad(tool_choice={"type": "function", "function": {"name": "x"}}), 400, None, "tool_choice"),
        ({"model": "m", "messages": []}, 400, "invalid_value", "messages"),
        ({"model": "m", "messages": [{"role": "assistant", "content": "hi"}]}, 400, "invalid_conversation", None),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, 400, "invalid_conversation", None),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, 400, None, None),
        (bad("fail"), 500, "model_error", None),
        (bad("fail", stream=True), 500, "model_error", None),
    ],
)
def test_bad_requests_get_the_protocols_error_and_no_secret(
    server: Running, body: dict[str, Any], status: int, code: str | None, param: str | None
) -> None:
    with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        answer = client.post(
            "/v1/chat/completions", content=json.dumps(body), headers={"content-type": "application/json"}
        )
        error = answer.json()["error"]
        assert answer.status_code == status, error
        assert set(error) == {"message", "type", "param", "code"} and isinstance(error["message"], str)
        assert code in (None, error["code"]) and param in (None, error["param"])
        assert "/secret" not in answer.text and "Traceback" not in answer.text and KEY not in answer.text
        assert client.post("/v1/chat/completions", json=bad()).json()["choices"][0]["message"]["content"]
    assert MODEL.running == 0


def test_a_failure_after_the_first_words_is_the_last_event_of_the_stream(client: OpenAI) -> None:
    words = ""
    with pytest.raises(openai.APIError) as failed:
        for chunk in client.chat.completions.create(model="m", messages=[said("fail late")], stream=True):
            words += chunk.choices[0].delta.content or ""
    assert words == "So far so good."
    assert "/secret" not in str(failed.value.body) and failed.value.code == "model_error"


@pytest.mark.parametrize("is_stream", [True, False])
def test_the_work_for_a_client_that_vanishes_ends_at_once(server: Running, is_stream: bool) -> None:
    with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        if is_stream:
            with client.stream("POST", "/v1/chat/completions", json=bad("long", stream=True)) as answer:
                next(answer.iter_bytes())
                assert MODEL.running == 1
        else:
            with pytest.raises(httpx2.TimeoutException):
                client.post("/v1/chat/completions", json=bad("long"), timeout=0.3)
    until(lambda: MODEL.running == 0 and server.state.limits.sessions == 0, 1.0)


def test_an_answer_that_nobody_reads_is_cut_off_and_bounded(server: Running) -> None:
    """The socket fills, the model waits, and after `stalled_s` the work ends."""
    with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        body = bad("long", stream=True, **SPOKEN)
        with client.stream("POST", "/v1/chat/completions", json=body, timeout=30) as answer:
            assert answer.status_code == 200
            until(lambda: MODEL.running == 1, 5)
            until(lambda: MODEL.running == 0, 15)
            with pytest.raises(httpx2.HTTPError):
                assert sum(map(len, answer.iter_raw())) < 50_000_000
                raise httpx2.ReadError("the stream ended early")
    assert server.state.limits.sessions == 0
