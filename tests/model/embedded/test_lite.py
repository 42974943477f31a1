"""The embedded engine as an agent's model: spoken questions in, spoken answers out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.sounds import tone

from agentaudio import Agent, Audio, Reply, load_model, tool
from agentaudio.demo.run import demo_agent, questions_folder
from agentaudio.errors import AudioError, BackendError, OptionError
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

pytestmark = pytest.mark.neural

for extra in ("pocketsphinx", "onnxruntime", "pyworld", "espeakng_loader"):
    pytest.importorskip(extra, reason="needs the extras 'embedded' and 'espeak'")


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    made = demo_agent("embedded-lite")
    asyncio.run(made.warm_up())
    yield made
    asyncio.run(made.aclose())


def ask(agent: Agent, question: str) -> Reply:
    return agent.run_sync(questions_folder() / f"{question}.flac")


def test_a_spoken_question_is_answered_from_the_documents(agent: Agent) -> None:
    reply = ask(agent, "great-wall")
    assert reply.heard == "give me a brief introduction to the great wall of china"
    assert [run.call.name for run in reply.tool_calls] == ["search_documents"]
    assert "Great Wall" in reply.text and reply.citations[0].source == "great-wall.md"
    assert reply.citations[0].quote in " ".join(p.text for p in reply.tool_calls[0].result.passages)
    assert reply.audio is not None and reply.audio.duration > 3 and reply.audio.peak > 0.05
    assert reply.confidence is not None and reply.confidence > 0.5


def test_the_answer_moves_towards_the_voice_that_was_asked_for(agent: Agent) -> None:
    session = agent.session()
    plain = session.run_sync("how far away is the moon")
    asked = session.run_sync(questions_folder() / "scottish-man.flac")
    moved = session.run_sync("how far away is the moon")
    assert asked.voice is not None and moved.voice is asked.voice
    assert asked.voice.id == "angus"
    assert plain.text == moved.text and plain.audio is not None and moved.audio is not None
    encoder = EmbeddedSpeakerEncoder()
    reference = encoder.encode(asked.voice.clip)
    gain = float(reference @ encoder.encode(moved.audio) - reference @ encoder.encode(plain.audio))
    assert gain >= 0.12


def test_one_request_may_ask_for_a_fact_and_a_voice(agent: Agent) -> None:
    reply = agent.run_sync("tell me about saturn in the voice of a little girl")
    assert {run.call.name for run in reply.tool_calls} == {"audio_search", "search_documents"}
    assert reply.voice is not None and reply.voice.card.age == "child"
    assert "Saturn" in reply.text


def test_a_users_own_tool_is_found_by_its_description() -> None:
    @tool
    def water_level(river: str) -> str:
        """How high the water of a river stands."""
        return f"The {river} stands at three meters."

    reply = Agent("embedded-lite", tools=[water_level, "calculate"]).run_sync("how high is the water of the danube")
    assert [run.call.name for run in reply.tool_calls] == ["water_level"]
    assert "danube" in reply.tool_calls[0].call.arguments["river"]
    assert "three meters" in reply.text


def test_it_says_so_when_nothing_can_be_done(agent: Agent) -> None:
    reply = ask(agent, "call-my-mother")
    assert reply.tool_calls == () and reply.text and reply.audio is not None


def test_sound_without_speech_is_not_understood(agent: Agent) -> None:
    noise = Audio(0.05 * np.random.default_rng(1).normal(size=16_000), 16_000)
    for sound in (noise, tone(440, 1)):
        reply = agent.run_sync(sound)
        assert reply.tool_calls == () and reply.heard == "" and reply.confidence == 0
        assert reply.text


@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_any_sample_rate_is_understood(agent: Agent, rate: int) -> None:
    question = Audio.load(questions_folder() / "great-wall.flac", sample_rate=rate)
    assert "great wall" in (agent.run_sync(question).heard or "")


def test_a_single_sample_and_twenty_minutes_end_in_one_line(agent: Agent) -> None:
    assert agent.run_sync(Audio(np.array([0.5], np.float32), 16_000)).heard == ""
    with pytest.raises(AudioError, match="at most 60 s"):
        agent.run_sync(tone(duration_s=1200, sample_rate=8_000))


def test_the_first_sound_comes_before_the_answer_is_made(agent: Agent) -> None:
    async def listen() -> list[str]:
        return [event.type async for event in agent.stream("give me an introduction to the great wall of china")]

    spoken = [kind for kind in asyncio.run(listen()) if kind in ("text.delta", "audio.delta")]
    first = spoken.index("audio.delta")
    assert 4 <= first < spoken.count("text.delta") / 2
    assert "text.delta" in spoken[first:] and "audio.delta" in spoken[first + 1 :]


def test_closing_ends_its_processes_and_threads() -> None:
    code = (
        "import asyncio\nfrom agentaudio import Agent\nfrom pathlib import Path\n"
        "tasks = lambda: Path('/proc/self/task').glob('*/children')\n"
        "children = lambda: [child for task in tasks() for child in task.read_text().split()]\n"
        "agent = Agent('embedded-lite', tools=['calculate'])\n"
        "agent.run_sync('what is two plus two')\n"
        "before = len(children())\n"
        "asyncio.run(agent.aclose()); asyncio.run(agent.aclose())\n"
        "print(before > 0, len(children()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "0"] and done.stderr == ""


def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    model = load_model("embedded-lite")
    asyncio.run(model.aclose())
    with pytest.raises(BackendError, match="was closed"):
        Agent(model).run_sync("hello")
    with pytest.raises(OptionError, match="takes no argument"):
        load_model("embedded-lite:large")


def test_cancelling_in_the_middle_of_speech_stops_at_once(agent: Agent) -> None:
    threads = {thread for thread in threading.enumerate() if thread.name.startswith("asyncio")}

    async def cancel() -> int:
        session, pieces = agent.session(), 0
        async for event in session.stream("give me an introduction to the great wall of china"):
            if event.type == "audio.delta":
                pieces += 1
                await session.interrupt()
        assert not session.conversation.open_calls
        return pieces

    assert asyncio.run(cancel()) == 1
    assert {thread for thread in threading.enumerate() if thread.name.startswith("asyncio")} == threads
