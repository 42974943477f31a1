"""Live dialogues of a suite: interruptions, sounds that are none, and results that survive one. In real time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.realtime_client import question

from agentaudio import Agent, Audio
from agentaudio.evaluation.suites import live
from agentaudio.evaluation.suites.load import SuiteFile, load_suite
from agentaudio.evaluation.suites.record import Verdict
from agentaudio.evaluation.suites.run import run_suite
from agentaudio.evaluation.suites.sounds import UserSounds, audible_span
from agentaudio.model.scripted import Scripted

SUITE = """
name: live
agent: {}
live: {ears: null}
dialogues:
- id: barge-in
  live: true
  turns:
  - sound: question.wav
    expect: {says: and so on}
  - sound: question.wav
    begins: {agent_spoke_s: 0.5}
    expect: {stops_agent_within_s: 30, says: yes indeed}
- id: short-sound
  live: true
  turns:
  - sound: question.wav
    expect: {stop: answered}
  - sound: click.wav
    begins: {agent_spoke_s: 0.4}
    expect: {agent_goes_on: true}
"""


@pytest.fixture
def suite(tmp_path: Path) -> SuiteFile:
    spoken = question(rate=16_000)
    spoken.save(tmp_path / "question.wav")
    Audio(spoken.samples[8000:8800] * 0.3, 16_000).save(tmp_path / "click.wav")
    (tmp_path / "suite.yaml").write_text(SUITE)
    return load_suite(tmp_path / "suite.yaml")


def model(first: str) -> Scripted:
    return Scripted([first, "Yes, indeed."], loop=True)


async def verdicts(suite: SuiteFile, scripted: Scripted, only: str) -> dict[str, bool]:
    run = await run_suite(suite, scripted, label="scripted", out=suite.folder, sounds=UserSounds(suite), only=[only])
    found = [verdict for turn in run.runs[0].turns for verdict in turn.verdicts]
    assert all(isinstance(verdict, Verdict) for verdict in found)
    return {verdict.check: verdict.passed for verdict in found}


async def test_an_agent_that_is_interrupted_stops_and_answers(suite: SuiteFile) -> None:
    dialogue, sounds = suite.suite.dialogues[0], UserSounds(suite)
    inputs = [await sounds.user_input(dialogue, turn) for turn in dialogue.turns]
    async with Agent(model(" ".join(["and so on"] * 8))) as agent:
        first, second = await live.play(agent, dialogue, inputs, suite.suite.live)
    assert first.reply is not None and second.reply is not None
    assert first.reply.stop == "interrupted" and first.reply.text.startswith("and so")
    assert len(first.reply.text.split()) < 24  # no more than what was heard
    assert second.reply.text == "Yes, indeed."
    assert second.stopped_after_s is not None and second.stopped_after_s > 0
    assert second.went_on is False
    assert second.stages["first_played"] > 0


async def test_an_agent_that_does_not_speak_cannot_be_interrupted(
    suite: SuiteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentaudio.evaluation.suites.live.LONGEST_WAIT_S", 1.5)
    found = await verdicts(suite, model("Hm."), "barge-in")
    assert found["stops_agent_within_s"] is False


async def test_a_short_sound_does_not_stop_the_agent(suite: SuiteFile) -> None:
    found = await verdicts(suite, model(" ".join(["and so on"] * 4)), "short-sound")
    assert found == {"stop": True, "agent_goes_on": True}


def test_the_audible_part_of_a_sound_is_found() -> None:
    sound = np.zeros(16_000, np.float32)
    sound[4000:8000] = 0.3
    assert audible_span(Audio(sound, 16_000)) == pytest.approx((0.25, 0.5), abs=0.011)
    assert audible_span(Audio(np.zeros(100, np.float32), 16_000)) == (0.0, 0.0)
