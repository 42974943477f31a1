"""The options that say how a model runs and generates reach it, or are refused in one line."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from support.command_line import run
from support.local_http import local_server
from support.openai_server import DONE, delta
from support.server import KEY, running_server

from agentaudio import Agent
from agentaudio.cli.generation import Generation
from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, GenerateOptions


def test_sampling_reaches_the_model(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"".join([delta(role="assistant", content="Yes."), delta("stop"), DONE])
    parts = [word for part in ("chat=openai:x", "recogniser=none", "synthesiser=none") for word in ("--option", part)]
    chosen = ("--temperature", "0.25", "--max-tokens", "77", "--seed", "5")
    with local_server() as server:
        server.answers["/v1/chat/completions"] = 200, {"content-type": "text/event-stream"}, answer
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        code, _, complaint = run(capfd, "ask", "hi", "--model", "cascade", *parts, *chosen)
        assert code == 0, complaint
        body = json.loads(server.asked[-1].body)
    assert (body["temperature"], body["seed"]) == (0.25, 5)
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))


REFUSED = {
    "ask hi --model embedded-lite --temperature 0.5": "does not take temperature",
    "ask hi --model embedded-lite --seed 1": "does not take seed",
    "ask hi --model embedded-lite --language sw": "does not speak 'sw'",
    "ask hi --model scripted --temperature -1": "temperature is -1.0; give a number from 0 to 100",
    "ask hi --model scripted --max-tokens 0": "max_tokens is 0",
    "ask hi --model scripted --device cuda": "model 'scripted' has no --device",
    "chat --model scripted --dtype float16": "model 'scripted' has no --dtype",
    "chat --model embedded-lite --max-tokens 9": "does not take max_tokens",
    "serve --model scripted --compiled": "model 'scripted' has no --compiled",
    "serve --model embedded-lite --temperature 1": "does not take temperature",
}


@pytest.mark.parametrize("command", REFUSED)
def test_what_a_model_cannot_honour_is_refused_in_one_line(capfd: pytest.CaptureFixture[str], command: str) -> None:
    code, _, complaint = run(capfd, *command.split())
    assert code == 1
    (line,) = [line for line in " ".join(complaint.split()).split("error: ") if REFUSED[command] in line]
    assert "Traceback" not in complaint and len(line) < 400


def test_where_a_model_runs_becomes_options_of_its_loader() -> None:
    chosen = Generation(device="cpu", dtype="float32", compiled=False)
    given = chosen.loading("routed:step-audio-2-mini:tiny", ("think=yes",))
    assert given == ("think=yes", "device=cpu", "dtype=float32", "compiled=False")
    assert Generation(seed=1).loading("scripted", ()) == ()
    with pytest.raises(OptionError, match="are the same; give one"):
        chosen.loading("routed:step-audio-2-mini:tiny", ("device=cuda",))


def test_requests_to_a_server_begin_with_its_options() -> None:
    seen: list[GenerateOptions] = []

    class Noting(Scripted):
        async def generate(self, conversation: Conversation, **given: Any) -> AsyncGenerator[Delta, None]:
            seen.append(given["options"])
            async for made in super().generate(conversation, **given):
                yield made

    agent = Agent(Noting(["Yes."], loop=True), options=Generation(temperature=0.5, seed=3).options())
    with running_server(agent) as server:
        for more in ({}, {"temperature": 0, "seed": 4}):
            body = {"model": "scripted", "messages": [{"role": "user", "content": "hi"}], **more}
            headers = {"Authorization": f"Bearer {KEY}"}
            answer = httpx2.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
            assert answer.status_code == 200, answer.text
    assert [(options.temperature, options.seed) for options in seen] == [(0.5, 3), (0, 4)]
