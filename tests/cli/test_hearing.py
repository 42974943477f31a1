"""`agentaudio doctor --model`: servers that take in the sound they are sent, and servers that do not."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.openai_server import Reply, Request, chat_server, text_answer

from agentaudio import Audio, load_model
from agentaudio.cli import hearing
from agentaudio.cli.doctor import doctor
from agentaudio.cli.hearing import Hearing, check_hearing
from agentaudio.model.scripted import Scripted


def sounds(request: Request) -> list[Audio]:
    """The sounds of a request."""
    found = []
    for message in request.json["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "input_audio":
                found.append(Audio.load(base64.b64decode(part["input_audio"]["data"])))
    return found


def usage(tokens: int, audio: int | None = None) -> dict[str, Any]:
    details = {} if audio is None else {"prompt_tokens_details": {"audio_tokens": audio}}
    return {"prompt_tokens": tokens, "completion_tokens": 5, **details}


async def checked(*replies: Reply | list[bytes]) -> tuple[Hearing, list[Request]]:
    async with chat_server(*replies) as server:
        model = load_model("openai:ears", base_url=server.url, api_key="sk-1")
        found = await check_hearing(model)
        await model.aclose()
        return found, server.requests


async def test_a_server_that_repeats_the_spoken_word_hears() -> None:
    found, requests = await checked(text_answer("What time is it", " in Tokyo?"))
    assert found == Hearing(True, "openai:ears hears: it repeated a spoken word") and len(requests) == 1
    assert 1 < sounds(requests[0])[0].duration < 4 and requests[0].json["modalities"] == ["text"]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (usage(20, audio=0), None, "and counted 0 tokens of sound; take a model that hears, or a cascade with"),
        (usage(20), usage(20), "and counted 0 tokens of sound; take a model"),
        (usage(24), usage(20), "and counted 4 tokens of sound"),
        (None, None, "I cannot hear you.' instead of the spoken words; take a model that hears"),
    ],
)
async def test_a_server_that_ignores_sound_is_found_by_its_words_and_its_tokens(
    first: dict[str, Any] | None, second: dict[str, Any] | None, words: str
) -> None:
    deaf = [text_answer("I cannot", " hear you.", usage=one) for one in (first, second)]
    found, requests = await checked(*deaf)
    assert not found.hears and found.line.startswith("openai:ears ignores sound: it answered 'I cannot")
    assert words in found.line and "\n" not in found.line
    assert [len(sounds(request)) for request in requests] == ([1, 0] if second else [1])


@pytest.mark.parametrize("counts", [(usage(80, audio=60), None), (usage(80), usage(20))])
async def test_a_server_that_reads_sound_and_says_something_else_is_not_called_deaf(counts: Any) -> None:
    found, _ = await checked(*(text_answer("Woof.", usage=one) for one in counts))
    assert not found.hears and "read 60 tokens of sound, but did not understand: it answered 'Woof.'" in found.line


async def test_a_server_that_refuses_sound_says_why() -> None:
    refusal = Reply([b'{"error": {"message": "this model has no audio"}}'], status=400)
    found, _ = await checked(refusal)
    assert not found.hears and "openai:ears refused a recording: " in found.line and "no audio" in found.line


async def test_a_server_that_does_not_answer_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "TIMEOUT_S", 0.3)
    found, _ = await checked(Reply([], stall=True))
    assert found.line == "openai:ears did not answer a recording within 0.3 s"


async def test_a_model_for_text_is_not_asked() -> None:
    model = Scripted(["Never said."])
    model.capabilities = replace(model.capabilities, hears=False)
    assert "takes text only; give it ears by a cascade" in (await check_hearing(model)).line


async def test_doctor_shows_the_finding_and_fails(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async with chat_server(text_answer("I cannot hear.", usage=usage(20, audio=0))) as server:
        options = (f"base_url={server.url}", "api_key=sk-1")
        assert await doctor(model="openai:ears", option=options, json=True) == 1
        assert not json.loads(capfd.readouterr().out)["hearing"]["hears"]
        assert await doctor(model="openai:ears", option=options) == 1
        assert "✗ openai:ears ignores sound: it answered 'I cannot hear.'" in " ".join(capfd.readouterr().out.split())
