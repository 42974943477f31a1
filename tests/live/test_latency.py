"""The ledger of latencies: what each turn's time was spent on."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.live_room import GivenWords, Room
from support.sounds import tone

from agentaudio import Agent, Passage, ToolResult, events, tool
from agentaudio.cli import main
from agentaudio.demo.run import questions_folder
from agentaudio.errors import OptionError
from agentaudio.live.events import AgentStarted, TurnCommitted
from agentaudio.live.latency import LatencyLedger, TurnLatency, percentiles, read_ledger
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import TextDelta
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio


def test_times_count_from_the_end_of_speech() -> None:
    ledger = LatencyLedger("m")
    for event in (
        TurnCommitted(audio=tone(0.1), turn=0, at_s=10.5, text=None, start_s=8.0, end_s=10.0),
        events.TurnStarted(turn=1, at_s=0.0),
        events.StepStarted(turn=1, at_s=0.1, step=1),
        events.SpeechHeard(turn=1, at_s=0.2, text="hi"),
        events.TextSpoken(turn=1, at_s=0.4, text="ho"),
        events.TextSpoken(turn=1, at_s=0.5, text="ho"),
        events.AudioSpoken(turn=1, at_s=0.7, audio=tone(0.1)),
        AgentStarted(turn=1, at_s=11.3),
        events.TurnFinished(turn=1, at_s=0.9, reply=Reply("hoho")),
    ):
        ledger.take(event)
    (turn,) = ledger.turns
    assert turn.stages == pytest.approx(
        {"decision": 0.5, "heard": 0.7, "first_token": 0.9, "first_sound": 1.2, "first_played": 1.3, "total": 1.4}
    )
    assert (turn.model, turn.stop) == ("m", "answered")
    assert turn.parts == pytest.approx({"prefill": 0.2})


async def test_what_is_retrieved_and_read_is_counted_apart() -> None:
    @tool
    async def find() -> ToolResult:
        await asyncio.sleep(0.05)
        return ToolResult("found", passages=(Passage("It is here.", "Places", "places.md"),))

    @tool
    async def other() -> str:
        return "x"

    def reads(*_: object) -> Any:
        time.sleep(0.02)
        yield TextDelta("Here.")

    steps = {"calls": [{"name": "find"}, {"name": "other"}]}, reads
    ledger = LatencyLedger()
    async for event in Agent(Scripted(steps), tools=[find, other]).stream("go"):
        ledger.take(event)
    (turn,) = ledger.turns
    assert turn.parts["retrieval"] == turn.tools["find"] >= 0.05
    assert 0.02 <= turn.parts["prefill"] < turn.stages["first_token"] - 0.05


def test_a_ledger_from_before_parts_were_counted_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    file.write_text('{"turn": 1, "model": "m", "stages": {"total": 2.0}, "tools": {}, "stop": "answered"}\n')
    assert read_ledger(file) == [TurnLatency(1, "m", {"total": 2.0}, {}, "answered")]


async def test_the_ledger_of_a_live_turn_has_every_stage_in_order(tmp_path: Path) -> None:
    @tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(0.05)
        return "seen"

    script = Scripted([{"heard": "look", "calls": [{"name": "look"}]}, "here it is"])
    ledger = LatencyLedger("scripted")
    async with Room(Agent(script, tools=[look]).live(ears=GivenWords("Look at that."))) as at:
        await at.say(Audio.load(questions_folder() / "time-in-tokyo.flac").resample(16_000).samples)
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
    for _, event in at.happened:
        ledger.take(event)
    (turn,) = ledger.turns
    order = [turn.stages[name] for name in ("decision", "heard", "first_token", "first_sound", "total")]
    assert order == sorted(order) and order[0] > 0.2
    assert turn.stages["first_played"] > turn.stages["decision"]
    assert turn.tools["look"] >= 0.05
    file = tmp_path / "ledger.jsonl"
    ledger.append_to(file)
    ledger.append_to(file)
    assert read_ledger(file) == [turn]


def test_percentiles_are_interpolated_between_ranks() -> None:
    turns = [TurnLatency(n, stages={"total": float(n)}, tools={"t": 1.0}) for n in range(1, 6)]
    assert percentiles(turns) == {"total": (5, 3.0, pytest.approx(4.8)), "tool t": (5, 1.0, 1.0)}


def test_stats_shows_a_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ledger.jsonl"
    ledger = LatencyLedger("m")
    ledger.turns = [TurnLatency(1, "m", {"first_played": 0.5, "total": 2.0}, {"calculate": 0.1}, "answered")]
    ledger.append_to(file)
    with pytest.raises(SystemExit):
        main(["stats", str(file)])
    shown = capsys.readouterr().out
    assert "first played" in shown and "0.50 s" in shown and "tool calculate" in shown
    with pytest.raises(SystemExit):
        main(["stats", str(file), "--json"])
    assert json.loads(capsys.readouterr().out)["total"] == {"turns": 1, "p50_s": 2.0, "p95_s": 2.0}


@pytest.mark.parametrize(
    "content", ["{}", "[]", "x", '{"turn": 1, "model": "", "stages": {"total": NaN}, "tools": {}, "stop": ""}']
)
def test_another_file_is_refused_by_its_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ledger.jsonl"
    file.write_text(content + "\n", encoding="utf-8")
    with pytest.raises(OptionError, match="line 1"):
        read_ledger(file)
