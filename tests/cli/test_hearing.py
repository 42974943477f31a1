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


def repeating(of_a_message: slice = slice(None), longest_s: float = 3600.0, *, counts: bool = False) -> Any:
    """A server that repeats what it hears: some sounds of a message, and the first seconds of each."""

    def script(request: Request) -> Reply:
        words, tokens = list[str](), 0
        for sound in sounds(request)[of_a_message]:
            if sound.duration > 20:
                words += ["the great wall"] + ["in Tokyo"] * (longest_s >= sound.duration)
            else:
                words.append("in Tokyo" if sound.duration < 3.2 else "the great wall")
            tokens += round(25 * min(sound.duration, longest_s))
        said = "I hear someone." if counts and len(words) > 1 else ", ".join(words)
        return Reply(text_answer(said, usage=usage(tokens + 20, audio=tokens if counts else None)))

    return script


async def checked_by(script: Any) -> tuple[Hearing, list[Request]]:
    async with chat_server() as server:
        server.script = script
        model = load_model("openai:ears", base_url=server.url, api_key="sk-1")
        found = await check_hearing(model)
        await model.aclose()
        return found, server.requests


@pytest.mark.parametrize("counts", [False, True])
async def test_a_server_that_hears_all_is_found_by_its_words_or_its_tokens(counts: bool) -> None:
    found, requests = await checked_by(repeating(counts=counts))
    assert found == Hearing(True, "openai:ears hears: it repeated a spoken word")
    assert [len(sounds(request)) for request in requests] == [1, 2, 1]
    assert 1 < sounds(requests[0])[0].duration < 3.2 and requests[0].json["modalities"] == ["text"]
    assert sounds(requests[2])[0].duration == pytest.approx(41, abs=1)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (repeating(slice(0, 1)), "but only one of two in a message; it answered 'the great wall'"),
        (repeating(slice(-1, None)), "but only one of two in a message; it answered 'in Tokyo'"),
        (repeating(longest_s=30.0), "but not the end of one of 41 s; it answered 'the great wall'"),
        (repeating(longest_s=30.0, counts=True), "but not the end of one of 41 s"),
    ],
)
async def test_a_server_that_hears_a_part_is_found(script: Any, words: str) -> None:
    found, _ = await checked_by(script)
    assert (
        not found.hears and found.line.startswith("openai:ears hears a short recording, but ") and words in found.line
    )


async def test_a_model_for_short_sounds_is_not_sent_a_long_one() -> None:
    async with chat_server() as server:
        server.script = repeating()
        model = load_model("openai:ears", base_url=server.url, api_key="sk-1", max_audio_s=30.0)
        assert (await check_hearing(model)).hears and len(server.requests) == 2
        await model.aclose()


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
