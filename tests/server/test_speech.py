"""Speech: given words as one stream of sound, asked for with OpenAI's SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from support.rehearsed import Rehearsed
from support.server import KEY, Running, running_server, until

from agentaudio.agent import Agent
from agentaudio.errors import BackendError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary

WORDS = "The museum opens at nine. It closes at five. On Monday it is closed all day."


class Mouth(Rehearsed):
    """Notes the voices it speaks in, and fails at the word "fail"."""

    def __init__(self) -> None:
        super().__init__()
        self.voices: list[str | None] = []

    async def say(
        self, text: str | AsyncIterator[str], *, voice: ReferenceVoice | None = None, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        if isinstance(text, str) and "fail" in text:
            raise BackendError("no weights in /secret/folder")
        self.voices.append(None if voice is None else voice.id)
        self.running += 1
        try:
            async for sound in super().say(text, voice=voice, language=language):
                yield sound
        finally:
            self.running -= 1


MODEL = Mouth()


@pytest.fixture(scope="module")
def server(library_folder: Any) -> Iterator[Running]:
    settings = ServerSettings(keys=(KEY,), text_chars=5_000, stalled_s=1)
    with running_server(Agent(MODEL, voices=VoiceLibrary(library_folder)), settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def speak(client: OpenAI, text: str = WORDS, **options: Any) -> bytes:
    chosen: Any = {"model": "tts-1", "voice": "alloy", **options}
    return client.audio.speech.create(input=text, **chosen).content


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_several_sentences_are_one_sound_in_each_format(client: OpenAI, format: str) -> None:
    content = speak(client, response_format=format)
    heard = Audio.from_pcm16(content, 24_000) if format == "pcm" else Audio.load(content)
    assert heard.duration == pytest.approx(0.3 * len(WORDS.split()), abs=0.5)  # with pauses
    assert content.count(b"RIFF") == (format == "wav") and content.count(b"fLaC") == (format == "flac")


def test_mp3_is_the_default_and_speed_changes_the_length(client: OpenAI) -> None:
    assert Audio.load(speak(client, speed=2.0)).duration == pytest.approx(0.15 * len(WORDS.split()), abs=0.3)
    assert speak(client)[:2] == b"\xff\xf3"  # a frame of MPEG 2, layer III


def test_the_voice_is_a_name_an_object_or_a_description(client: OpenAI) -> None:
    for wanted in ("Ruby", {"id": "ruby"}, "a cheerful young woman"):
        MODEL.voices.clear()
        speak(client, voice=wanted)
        assert set(MODEL.voices) == {"ruby"}
    speak(client)
    assert MODEL.voices[-1] is None


def test_readers_written_for_kokoro_speak_and_choose_below_their_own_address(server: Running) -> None:
    with OpenAI(base_url=f"{server.url}/kokoro/v1", api_key=KEY, max_retries=0) as reader:
        model = reader.models.list().data[0].id
        sound = reader.audio.speech.create(model=model, voice="walter", input=WORDS, response_format="wav").content
    assert Audio.load(sound).duration > 1


@pytest.mark.parametrize("text", ["0\b0:0{0", "1/2/3/4/5/6", "a.b.c.d.e.f.g.h", "长城很长" * 5])
def test_the_scripted_model_speaks_whatever_is_read_as_several_words(text: str) -> None:
    with running_server(Agent(Scripted(["Hello."]))) as server:
        with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
            sound = client.audio.speech.create(model="m", voice="", input=text, response_format="wav").content
    assert Audio.load(sound).duration >= 0.3


def test_events_bring_the_same_sound_in_base64(server: Running, client: OpenAI) -> None:
    body = {"input": WORDS, "model": "m", "voice": "alloy", "response_format": "pcm", "stream_format": "sse"}
    answer = httpx2.post(f"{server.url}/v1/audio/speech", json=body, headers={"authorization": f"Bearer {KEY}"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert [event["type"] for event in events[-2:]] == ["speech.audio.delta", "speech.audio.done"]
    joined = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert joined == speak(client, response_format="pcm")
    assert set(events[-1]["usage"]) == {"input_tokens", "output_tokens", "total_tokens"}


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"input": " "}, 400, "invalid_value"),
        ({"input": "x" * 5_001}, 400, "invalid_value"),
        ({"input": "...!?"}, 400, "unsupported_value"),
        ({"input": "\ud800"}, 400, "invalid_value"),
        ({"input": "hi", "voice": "secret"}, 404, "voice_not_found"),
        ({"input": "hi", "voice": "a purple dinosaur on skis"}, 404, "voice_not_found"),
        ({"input": "hi", "voice": 5}, 400, "invalid_value"),
        ({"input": "hi", "response_format": "midi"}, 400, "invalid_value"),
        ({"input": "hi", "speed": 9}, 400, "invalid_value"),
        ({"input": "this will fail"}, 500, "model_error"),
        ({}, 400, "invalid_value"),
    ],
)
def test_bad_requests_get_the_protocols_error(server: Running, options: Any, status: int, code: str) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    answer = httpx2.post(f"{server.url}/v1/audio/speech", content=json.dumps(options), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "/secret" not in answer.text


def test_a_failure_in_mid_sound_breaks_the_stream_off_instead_of_ending_it(client: OpenAI) -> None:
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        speak(client, f"{WORDS} And now it will fail.", response_format="pcm")


def test_the_work_for_a_listener_that_vanishes_ends_at_once(server: Running) -> None:
    body = {"input": " ".join([WORDS] * 50), "voice": "walter", "response_format": "pcm"}
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx2.Client() as client, client.stream(
        "POST", f"{server.url}/v1/audio/speech", json=body, headers=headers
    ) as answer:  # fmt: skip
        next(answer.iter_bytes())
        until(lambda: MODEL.running == 1, 5)
    until(lambda: MODEL.running == 0 and server.state.limits.sessions == 0, 1.0)
