"""Qwen-Omni in the dialect of DashScope, by a server that refuses what DashScope refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.dashscope_server import refused, spoken
from support.openai_server import ChatServer, Reply, chat_server, delta
from support.sounds import tone

from agentaudio import Agent, load_model, tool
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.resources import open_voices

PCM = tone(duration_s=0.5, sample_rate=24_000).to_pcm16()


@asynccontextmanager
async def served(*answers: list[bytes], **options: Any) -> AsyncIterator[tuple[ChatServer, SpeechLM]]:
    given = list(answers)
    async with chat_server() as server:
        server.script = lambda request: refused(request.json) or Reply(given.pop(0))
        model = load_model("openai:qwen3-omni-flash", base_url=server.url, **{"dialect": "dashscope", **options})
        server.clients.append(model)
        yield server, model


@pytest.mark.parametrize("cut", [1, 7, 4096, 100_000])
async def test_a_spoken_turn_is_heard_and_its_sound_read_in_any_cut(cut: int) -> None:
    sound = PCM[: 600 * cut]
    async with served(spoken("Good day.", sound, cut)) as (server, model):
        reply = await Agent(model).run(tone(duration_s=1.0))
        assert reply.text == "Good day." and reply.audio is not None and reply.audio.to_pcm16() == sound
        assert (reply.usage["input_audio_tokens"], reply.usage["output_audio_tokens"]) == (25, 32)
        assert server.requests[0].json["audio"] == {"voice": "Cherry", "format": "wav"}


async def test_an_empty_stream_is_not_asked_for_again_without_streaming() -> None:
    @tool
    def ring() -> str:
        """Ring the bell."""
        return "It rang."

    async with served([delta("stop"), b"data: [DONE]\n\n"]) as (server, model):
        assert (await Agent(model, tools=[ring]).run("ring")).text == ""
        assert len(server.requests) == 1


async def test_a_retrieved_voice_is_spoken_by_the_nearest_preset(tmp_path: Path) -> None:
    library = open_voices("demo").library
    for preset, demo in (("Cherry", "ruby"), ("Ethan", "angus")):
        library.get(demo).clip.save(tmp_path / f"{preset}.wav")
    async with served(spoken("Hello.", PCM, 99), presets=tmp_path) as (server, model):
        reply = await Agent(model, voices="demo").run("hello", voice="angus")
        assert server.requests[0].json["audio"]["voice"] == "Ethan" and reply.imitation == "preset"


async def test_other_forms_are_refused_by_that_server() -> None:
    async with served(dialect="openai") as (_, model):
        with pytest.raises(BackendError, match="400: invalid_parameter_error: the format of audio must be wav"):
            await Agent(model).run("hello")
    async with served(voice="alloy") as (_, model):
        with pytest.raises(BackendError, match="Voice 'alloy' is not supported"):
            await Agent(model).run("hello")


def test_the_dialect_needs_an_address_and_a_known_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(
        OptionError, match="dialect 'dashscope' needs base_url, by the key's region: https://dashscope-"
    ):
        load_model("openai:qwen3-omni-flash", dialect="dashscope")
    with pytest.raises(OptionError, match="dialect 'dashscop' does not fit; it must be openai | dashscope"):
        load_model("openai:qwen3-omni-flash", dialect="dashscop")
