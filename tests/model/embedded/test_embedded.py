"""The embedded engine as an agent's model: Whisper hears, the router answers, Kokoro speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ear import heard_again, word_errors
from support.weights import require_weights

from agentaudio import Agent, Reply, load_model
from agentaudio.demo.run import demo_agent, questions_folder
from agentaudio.errors import OptionError, WeightsMissing
from agentaudio.model.embedded.engine import WEIGHTS
from agentaudio.model.kokoro.faster_file import multiplies_signed_exactly
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

pytestmark = pytest.mark.neural


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    require_weights(*WEIGHTS)
    made = demo_agent("embedded")
    asyncio.run(made.warm_up())
    yield made
    asyncio.run(made.aclose())


def ask(agent: Agent, question: str) -> Reply:
    return agent.run_sync(questions_folder() / f"{question}.flac")


def test_a_spoken_question_is_answered_from_the_documents_in_words_that_are_heard_again(agent: Agent) -> None:
    reply = ask(agent, "great-wall")
    # Without exact 8-bit products one word may be another one.
    allowed = 0 if multiplies_signed_exactly() else 1
    assert word_errors("Give me a brief introduction to the Great Wall of China.", reply.heard or "") <= allowed
    assert [run.call.name for run in reply.tool_calls] == ["search_documents"]
    assert reply.citations[0].source == "great-wall.md" and "Great Wall" in reply.text
    assert reply.audio is not None and reply.audio.peak > 0.05
    assert heard_again(reply.audio, reply.text) < 10


def test_the_answer_moves_towards_the_voice_that_was_asked_for(agent: Agent) -> None:
    session = agent.session()
    asked = session.run_sync(questions_folder() / "scottish-man.flac")
    moved = session.run_sync("how far away is the moon")
    assert asked.voice is not None and asked.voice.id == "angus" and moved.voice is asked.voice
    assert moved.audio is not None
    encoder = EmbeddedSpeakerEncoder()
    assert float(encoder.encode(asked.voice.clip) @ encoder.encode(moved.audio)) > 0.7
    assert heard_again(moved.audio, moved.text) < 15


def test_missing_weights_are_named_with_the_command_that_fetches_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="agentaudio models fetch whisper-base.*embedded-lite"):
        load_model("embedded")


def test_it_takes_no_argument() -> None:
    with pytest.raises(OptionError, match="'embedded' takes no argument"):
        load_model("embedded:large")
