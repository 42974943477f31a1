"""Files of speech that a server signs, and streams, which it does not."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client
from openai import OpenAI
from support.rehearsed import Rehearsed
from support.server import KEY, Running, running_server

from agentaudio.agent import Agent
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.provenance.inspection import Inspection, inspect
from agentaudio.provenance.provenance import Provenance
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary

pytest.importorskip("c2pa", reason="signing needs the extra provenance")

WORDS = "The museum opens at nine. It closes at five."
SPOKEN_S = 0.3 * len(WORDS.split())


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("home")))
        yield


class Mouth(Rehearsed):
    """Cannot say "strange" in a reference voice."""

    async def say(
        self, text: str | AsyncIterator[str], *, voice: ReferenceVoice | None = None, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        if voice is not None and isinstance(text, str) and "strange" in text:
            yield Audio.silence(0.3, 16_000)
            return
        async for sound in super().say(text, voice=voice, language=language):
            yield sound


def agent(library_folder: Path, **provenance: Any) -> Agent:
    voices = VoiceSearch(VoiceLibrary(library_folder))
    return Agent(Mouth(), voices=voices, provenance=Provenance(**provenance))


@pytest.fixture(scope="module")
def server(library_folder: Path) -> Iterator[Running]:
    with running_server(agent(library_folder, sign="local")) as running:
        yield running


def speak(server: Running, **options: Any) -> httpx2.Response:
    body = {"input": WORDS, "voice": "ruby", "response_format": "wav", **options}
    return httpx2.post(f"{server.url}/v1/audio/speech", json=body, headers={"authorization": f"Bearer {KEY}"})


def signed_in(voice: str, content: bytes) -> Inspection:
    found = inspect(content)
    assert found.signature == "intact" and found.claims is not None
    assert [one.id for one in found.claims.voices] == [voice]
    return found


@pytest.mark.parametrize("format", ["wav", "mp3", "flac"])
def test_speech_that_is_to_be_signed_is_a_whole_file(server: Running, format: str) -> None:
    answer = speak(server, response_format=format, signed=True)
    assert answer.status_code == 200 and int(answer.headers["content-length"]) == len(answer.content)
    assert Audio.load(answer.content).duration == pytest.approx(SPOKEN_S, abs=0.5)
    signed_in("ruby", answer.content)
    if format == "wav":
        size = int.from_bytes(answer.content[40:44], "little")
        assert answer.content[44 + size :].startswith(b"C2PA") and answer.content[36:40] == b"data"


def test_a_phrase_that_only_the_own_voice_can_say_is_stated(server: Running) -> None:
    for words, own in (("Nine. Five.", False), ("Nine. Something strange.", True)):
        found = signed_in("ruby", speak(server, input=words, signed=True).content)
        assert found.claims is not None and found.claims.own_voice is own


def test_a_stream_has_nothing_behind_its_samples(server: Running) -> None:
    stream = speak(server).content
    assert stream[:4] == b"RIFF" and stream[40:44] == b"\xff" * 4 and b"C2PA" not in stream
    assert stream[44:] == speak(server, response_format="pcm").content
    assert inspect(stream).signature == "none"


@pytest.mark.parametrize("options", [{"response_format": "opus"}, {"response_format": "pcm"}, {"stream_format": "sse"}])
def test_what_cannot_be_signed_is_refused(server: Running, options: dict[str, str]) -> None:
    refused = speak(server, signed=True, **options)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "signed")


def test_a_server_that_does_not_sign_says_so(library_folder: Path) -> None:
    with running_server(agent(library_folder)) as server:
        refused = speak(server, signed=True)
    assert refused.status_code == 400 and "this server does not sign" in refused.json()["error"]["message"]


def test_answers_of_chat_are_signed_where_their_format_has_a_place(server: Running) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        for format in ("wav", "mp3", "flac", "opus"):
            audio: Any = {"voice": "ruby", "format": format}
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], modalities=["text", "audio"], audio=audio
            )
            sound = answer.choices[0].message.audio
            assert sound is not None
            content = base64.b64decode(sound.data)
            if format == "opus":
                assert Audio.load(content).duration > 0.5
            else:
                signed_in("ruby", content)


def test_a_file_is_checked_over_http_with_the_sdk(server: Running) -> None:
    signed = speak(server, signed=True).content
    changed = signed[:9_000] + bytes([signed[9_000] ^ 1]) + signed[9_001:]
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        for content, state, outcome, model in (
            (signed, "trusted", "detected", "scripted"),
            (changed, "invalid", "not_detected", None),
            (speak(server).content, "not_present", "not_detected", None),
            (b"hello", "not_present", "not_detected", None),
        ):
            found = client.content_provenance_checks.create(file=("a.wav", content))
            (result,) = found.results
            assert result.type == "c2pa"
            assert (result.validation_state, result.outcome, result.model) == (state, outcome, model)
        assert result.type == "c2pa" and (result.issuer, result.generated_at) == (None, None)
        with pytest.raises(openai.BadRequestError, match="file is missing"):
            client.content_provenance_checks.create(file=("a.wav", b""))


async def test_the_tool_speak_signs_its_sound(server: Running) -> None:
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}) as http:
        async with Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client:
            answer = await client.call_tool("speak", {"text": WORDS, "voice": "ruby"})
    (sound,) = (part for part in answer.content if isinstance(part, types.AudioContent))
    assert answer.structured_content is not None and answer.structured_content["signed"] is True
    signed_in("ruby", base64.b64decode(sound.data))
