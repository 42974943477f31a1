"""Transcriptions: all formats hold the same words in the same order."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from support.rehearsed import Rehearsed
from support.server import KEY, Running, running_server
from support.sounds import tone

from agentaudio.agent import Agent
from agentaudio.conversation import ToolSpec
from agentaudio.errors import OptionError
from agentaudio.model.parts import Recognition
from agentaudio.server.settings import ServerSettings
from agentaudio.server.transcript import LONGEST_LINE
from agentaudio.sound.audio import Audio


class Clerk(Rehearsed):
    """Writes three words for each second that it is given, each with its number, in sentences of two lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    async def recognise(
        self, audio: Audio, *, tools: Sequence[ToolSpec] = (), language: str | None = None
    ) -> Recognition:
        if language == "tlh":
            raise OptionError("Klingon is not recognised")
        begun = len(self.written)
        for number in range(begun, begun + max(3, round(3 * audio.duration))):
            stop = "." if number % 40 in (8, 39) else ""
            self.written.append(f"{'Word' if number % 40 in (0, 9) else 'word'}{number}{stop}")
        return Recognition(" ".join(self.written[begun:]), 0.9, language or "en")


MODEL = Clerk()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(Agent(MODEL), ServerSettings(keys=(KEY,), sound_s=100)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def speech() -> bytes:
    """75 s of speech without long pauses."""
    folder = files("agentaudio.demo") / "questions"
    spoken = [
        Audio.load((folder / f"{name}.flac").read_bytes(), sample_rate=16_000)
        for name in ("great-wall", "time-in-tokyo", "call-my-mother", "national-museum")
    ]
    whole = Audio.concat(spoken * 12).slice(0, 75)
    assert whole.duration == 75
    return whole.to_bytes("flac")


def ask(client: OpenAI, content: bytes, **options: Any) -> Any:
    MODEL.written.clear()
    return client.audio.transcriptions.create(model="whisper-1", file=("speech.flac", io.BytesIO(content)), **options)


def test_all_formats_hold_the_same_words_in_the_same_order(client: OpenAI, speech: bytes) -> None:
    plain = ask(client, speech).text
    assert plain == " ".join(MODEL.written) and len(MODEL.written) > 100
    assert ask(client, speech, response_format="text") == f"{plain}\n"

    whole = ask(client, speech, response_format="verbose_json")
    assert (whole.text, whole.language, whole.duration) == (plain, "en", 75)
    assert "".join(segment.text for segment in whole.segments) == plain
    ends = [0.0, *(segment.end for segment in whole.segments)]
    for segment, end_before in zip(whole.segments, ends, strict=False):
        assert segment.text.strip() and len(segment.text) <= LONGEST_LINE + 20
        assert end_before <= segment.start < segment.end <= 75.0

    for format in ("srt", "vtt"):
        subtitles = ask(client, speech, response_format=format)
        words = re.sub(r"(?m)^(WEBVTT|\d+|[\d:,.]+ --> [\d:,.]+)?\n", "", subtitles)
        assert words.split() == plain.split()
        assert len(re.findall(r"\d\d:\d\d:\d\d[.,]\d{3} --> ", subtitles)) == len(whole.segments)

    events = list(ask(client, speech, stream=True))
    assert [event.type for event in events[-2:]] == ["transcript.text.delta", "transcript.text.done"]
    assert "".join(event.delta for event in events[:-1]) == plain == events[-1].text
    assert events[-1].usage.seconds == 75


def test_nothing_is_written_where_nobody_speaks(client: OpenAI) -> None:
    for sound in (tone(50, 5), Audio.silence(3, 16_000)):
        assert ask(client, sound.to_bytes("wav")).text == ""
        assert not ask(client, sound.to_bytes("wav"), response_format="verbose_json").segments
        assert ask(client, sound.to_bytes("wav"), response_format="vtt") == "WEBVTT\n\n"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"response_format": "diarized_json"}, "unsupported_value"),
        ({"timestamp_granularities[]": "word"}, "unsupported_value"),
        ({"language": "tlh"}, "unsupported_value"),
    ],
)
def test_what_is_not_offered_is_refused(server: Running, speech: bytes, fields: Any, code: str) -> None:
    answer = httpx2.post(
        f"{server.url}/v1/audio/transcriptions", data=fields, files={"file": ("a.flac", speech)},
        headers={"authorization": f"Bearer {KEY}"}, timeout=30,
    )  # fmt: skip
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF\xff\xff\xff\xffWAVE", bytes(100_000)])
def test_what_is_no_sound_is_refused(client: OpenAI, content: bytes) -> None:
    with pytest.raises(openai.BadRequestError):
        ask(client, content)


def test_a_sound_longer_than_the_server_takes_is_refused_before_it_is_read(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, Audio.silence(101, 8_000).to_bytes("flac"))
    assert refused.value.code == "invalid_audio" and "/" not in json.dumps(refused.value.body)
