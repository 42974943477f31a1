"""The same example asks for a voice, then something else, then the first voice, on every kind of model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.openai_server import Reply, Request, call_answer, chat_server, spoken_answer, text_answer
from support.realtime_server import called, realtime_server, spoken
from support.voice_switch import SAID, printed, voices

SOUND = (8_000 * np.sin(np.arange(4_800) / 8)).astype("<i2").tobytes()
LITTLE_GIRL = '{"query": "a little girl"}'
OWN = '{"query": "your own voice"}'
needs_embedded = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra embedded is not installed")


@pytest.mark.neural
@needs_embedded
@pytest.mark.parametrize(
    "model",
    [
        ("embedded-lite",),
        ("cascade", "--option", "recogniser=sphinx", "--option", "chat=router", "--option", "synthesiser=espeak"),
        pytest.param(("embedded",), marks=pytest.mark.neural),
    ],
    ids=lambda model: model[0],
)
def test_an_engine_on_this_machine_changes_its_voice_and_changes_it_back(model: tuple[str, ...]) -> None:
    lines = asyncio.run(printed("--model", *model))
    assert voices(lines) == ["Lily", "its own"]
    assert any("wall" in line.lower() for line in lines if line.startswith("agent:"))


@pytest.mark.system
def test_a_script_changes_its_voice(tmp_path: Path) -> None:
    steps = [
        {"calls": [{"name": "audio_search", "arguments": json.loads(LITTLE_GIRL)}]}, "Like this.",
        "It is a wall.",
        {"calls": [{"name": "audio_search", "arguments": json.loads(OWN)}]}, "Here I am again.",
    ]  # fmt: skip
    script = tmp_path / "script.json"
    script.write_text(json.dumps(steps), encoding="utf-8")
    lines = asyncio.run(printed("--model", f"scripted:{script}"))
    assert len(voices(lines)) == 2 and voices(lines)[1] == "its own"
    assert lines[-1] == "agent: Here I am again."


def answers_of_a_server(spoken_words: Callable[[str], list[bytes]]) -> Callable[[Request], Reply]:
    """A server that searches the voices when a voice is asked for, and answers once there is a result."""

    def script(request: Request) -> Reply:
        last = request.json["messages"][-1]
        if last["role"] == "tool":
            return Reply(spoken_words("As you wish."))
        words = json.dumps(last["content"])
        if SAID[0] in words or SAID[2] in words:
            return Reply(call_answer("audio_search", LITTLE_GIRL if SAID[0] in words else OWN))
        return Reply(spoken_words("It is a long wall."))

    return script


@pytest.mark.system
def test_a_speech_model_behind_a_server_tells_that_its_voice_is_fixed() -> None:
    async def run() -> list[str]:
        async with chat_server() as server:
            server.script = answers_of_a_server(lambda words: spoken_answer((words, SOUND)))
            options = ("--option", f"base_url={server.url}", "--option", "api_key=sk-test")
            return await printed("--model", "openai:gpt-audio", *options)

    lines = asyncio.run(run())
    assert voices(lines) == [] and lines[-1] == "agent: As you wish."


@pytest.mark.system
@needs_embedded
def test_a_chat_model_behind_a_server_gets_the_voices_of_a_cascade() -> None:
    async def run() -> list[str]:
        async with chat_server() as server:
            server.script = answers_of_a_server(lambda words: text_answer(words))
            environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
            return await printed("--model", "cascade", "--option", "chat=openai:gpt-4o-mini", environment=environment)

    lines = asyncio.run(run())
    assert len(voices(lines)) == 2 and voices(lines)[1] == "its own"


@pytest.mark.system
def test_a_realtime_server_tells_that_its_voice_is_fixed() -> None:
    pytest.importorskip("websockets", reason="the extra realtime is not installed")

    async def run() -> list[str]:
        answers = [
            called("audio_search", LITTLE_GIRL), spoken("As you wish.", SOUND), spoken("It is a long wall.", SOUND),
            called("audio_search", OWN, "call_2"), spoken("As before.", SOUND),
        ]  # fmt: skip
        async with realtime_server(*answers) as server:
            return await printed("--model", f"realtime:{server.url}", "--option", "model=m", "--option", "api_key=k")

    lines = asyncio.run(run())
    assert voices(lines) == [] and lines[-1] == "agent: As before."
