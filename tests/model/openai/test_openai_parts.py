"""Transcription and speech endpoints as parts of a cascade."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from support.openai_server import ChatServer, Reply, chat_server
from support.parts import Mind
from support.sounds import tone

from agentaudio import Agent
from agentaudio.errors import AudioError, BackendError, OptionError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.registry import load_recogniser, load_synthesiser
from agentaudio.sound.audio import Audio

JSON = {"content-type": "application/json"}
PCM = {"content-type": "application/octet-stream"}


async def heard(server: ChatServer, audio: Audio | None = None, **options: object) -> object:
    ears = load_recogniser("openai:whisper-1", base_url=server.url, api_key="sk-1", use_hint=True)
    try:
        return await ears.recognise(tone() if audio is None else audio, **options)  # type: ignore[arg-type]
    finally:
        await ears.aclose()


async def said(server: ChatServer, *pieces: str, voice: str = "ash") -> list[Audio]:
    mouth = load_synthesiser("openai:tts", base_url=server.url, api_key="sk-1", voice=voice)

    async def text() -> AsyncGenerator[str, None]:
        for piece in pieces:
            yield piece

    try:
        return [sound async for sound in mouth.speak(text(), await mouth.prepare(None))]
    finally:
        await mouth.aclose()


def speech(seconds: float) -> Audio:
    return tone(duration_s=seconds, sample_rate=24_000)


async def test_sound_is_sent_as_a_file_and_its_words_are_read() -> None:
    async with chat_server(Reply([b'{"text": " Hello there. ", "language": "en"}'], headers=JSON)) as server:
        found = await heard(server, tone(sample_rate=48_000), language="en-GB", hint=["ring the bell"] * 100)
        assert (found.text, found.language, found.confidence) == ("Hello there.", "en", None)  # type: ignore[attr-defined]
        body = server.requests[0].body
        assert server.requests[0].path == "/v1/audio/transcriptions"
        assert b"RIFF" in body and b'name="model"\r\n\r\nwhisper-1' in body and b'name="language"\r\n\r\nen\r\n' in body
        prompt = body.split(b'name="prompt"\r\n\r\n')[1].split(b"\r\n")[0]
        assert prompt.startswith(b"ring the bell ring") and len(prompt) <= 600


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"Hello.", "Hello."),
        (b"Hello.\nThere.\n", "Hello.\nThere."),
        (b'{"text": ""}', ""),
        (b'{"text": "Hello.", "language": "english"}', "Hello."),
    ],
)
async def test_other_forms_of_a_transcript_are_read(body: bytes, expected: str) -> None:
    async with chat_server(Reply([body], headers=JSON)) as server:
        found = await heard(server)
        assert (found.text, found.language) == (expected, None)  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"text": 7}', b"RIFF\0\0\x01", b"\xff\xfe words"])
async def test_what_is_no_transcript_is_an_error(body: bytes) -> None:
    async with chat_server(Reply([body], headers=JSON)) as server:
        with pytest.raises(BackendError, match="transcript"):
            await heard(server)


async def test_sound_that_is_too_long_or_empty_is_not_sent() -> None:
    async with chat_server(Reply([b"{}"], headers=JSON)) as server:
        for audio, why in ((Audio(np.zeros(0, np.float32), 16_000), "no samples"), (tone(duration_s=781), "too long")):
            with pytest.raises(AudioError, match=why):
                await heard(server, audio)
        assert server.requests == []


async def test_a_text_is_spoken_phrase_by_phrase_as_it_arrives() -> None:
    first, second = speech(1.5).to_pcm16(), speech(2.0).to_pcm16()
    replies = Reply([first[:1001], first[1001:]], headers=PCM), Reply([second], headers=PCM)
    async with chat_server(*replies) as server:
        sounds = await said(server, "It is four o'clock. ", "The next train leaves at five.")
        assert Audio.concat(sounds).to_pcm16() == first + second and sounds[0].sample_rate == 24_000
        bodies = [request.json for request in server.requests]
        assert [body["input"] for body in bodies] == ["It is four o'clock.", "The next train leaves at five."]
        assert {(body["voice"], body["response_format"], body["model"]) for body in bodies} == {("ash", "pcm", "tts")}


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "ogg"])
async def test_a_server_that_sends_files_instead_of_samples_is_understood(format: str) -> None:
    file = tone(duration_s=1.0, sample_rate=48_000).to_bytes(format)
    async with chat_server(Reply([file[:3], file[3:]], headers={"content-type": "audio/x"})) as server:
        sound = Audio.concat(await said(server, "One two three."))
        assert sound.sample_rate == 24_000 and sound.duration == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("bad", [speech(0.05), Audio.silence(2.0, 24_000)])
async def test_a_broken_answer_that_looks_right_is_tried_once_more(bad: Audio) -> None:
    broken, good = Reply([bad.to_pcm16()], headers=PCM), Reply([speech(1.0).to_pcm16()], headers=PCM)
    async with chat_server(broken, good) as server:
        assert Audio.concat(await said(server, "One two three.")).duration == pytest.approx(1.0)
        assert len(server.requests) == 2
    async with chat_server(broken) as server:
        with pytest.raises(BackendError, match="too short to be speech|silent"):
            await said(server, "One two three.")
        assert len(server.requests) == 2


@pytest.mark.parametrize("reply", [Reply([b'{"error": "no voice"}'], headers=JSON), Reply([b"{}"], status=400)])
async def test_an_error_is_not_played(reply: Reply) -> None:
    async with chat_server(reply) as server:
        with pytest.raises(BackendError):
            await said(server, "Hello.")


async def test_what_has_no_words_is_not_asked_for() -> None:
    async with chat_server(Reply([b""])) as server:
        assert await said(server, " ... ", "—") == []
        assert server.requests == []


async def test_stopping_stops_the_request() -> None:
    async with chat_server(Reply([speech(1.0).to_pcm16()], headers=PCM, stall=True)) as server:
        task = asyncio.create_task(said(server, "One two three."))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(200):
            if not server.open:
                break
            await asyncio.sleep(0.01)
        assert server.open == 0


async def test_a_cascade_hears_and_speaks_by_endpoints() -> None:
    transcript = Reply([json.dumps({"text": "what time is it"}).encode()], headers=JSON)
    async with chat_server(transcript, Reply([speech(1.0).to_pcm16()], headers=PCM)) as server:
        ears = load_recogniser("openai", base_url=server.url)
        mouth = load_synthesiser("openai", base_url=server.url)
        model = Cascade(ears, Mind(), mouth)
        server.clients.append(model)
        reply = await Agent(model).run(tone())
        assert reply.heard == reply.text == "what time is it"
        assert reply.audio is not None and reply.audio.duration == pytest.approx(1.0)
        assert [request.json["model"] for request in server.requests[1:]] == ["gpt-4o-mini-tts"]


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="speed is 9"):
        load_synthesiser("openai", speed=9)
    with pytest.raises(OptionError, match="max_audio_s"):
        load_recogniser("openai", max_audio_s=0)
