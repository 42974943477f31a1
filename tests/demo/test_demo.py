"""The demo, from the recorded questions to the report."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from agentaudio import Audio, events
from agentaudio.demo.report import waveform, write_report
from agentaudio.demo.run import TURNS, DemoTurn, demo_agent, play, questions_folder

for extra in ("pocketsphinx", "onnxruntime", "pyworld", "espeakng_loader"):
    pytest.importorskip(extra, reason="needs the extras 'embedded' and 'espeak'")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[DemoTurn], Path]:
    folder = tmp_path_factory.mktemp("demo")

    async def run() -> list[DemoTurn]:
        async with demo_agent() as agent:
            return [item async for item in play(agent, folder) if isinstance(item, DemoTurn)]

    turns = asyncio.run(run())
    return turns, write_report(turns, folder / "report.html")


def test_each_turn_calls_its_tool_and_speaks(played: tuple[list[DemoTurn], Path]) -> None:
    turns, _ = played
    called = [[run.call.name for run in turn.reply.tool_calls] for turn in turns if turn.reply]
    assert called == [["search_documents"], ["audio_search"], ["opening_hours"]]
    for turn in turns:
        assert turn.answer_file is not None and Audio.load(turn.answer_file).duration > 0.5
    assert turns[0].reply is not None and "Great Wall" in turns[0].reply.text
    assert turns[2].reply is not None and "nine in the morning" in turns[2].reply.text


def test_a_requested_voice_stays_in_later_turns(played: tuple[list[DemoTurn], Path]) -> None:
    turns, _ = played
    voices = [turn.reply.voice.id if turn.reply and turn.reply.voice else None for turn in turns]
    assert voices == [None, "albert", "albert"]
    assert any(isinstance(event, events.VoiceChanged) for event in turns[1].events)


def test_the_report_contains_every_turn_and_its_sound(played: tuple[list[DemoTurn], Path]) -> None:
    turns, report = played
    page = report.read_text()
    sources = re.findall(r'<audio [^>]*src="([^"]+)"', page)
    assert len(sources) == 2 * len(TURNS) + 1
    assert all((report.parent / source).is_file() for source in sources)
    assert page.count('<svg class="wave"') == len(sources)
    for expected in ("opening_hours(", "great-wall.md", "Albert", "licence", "heard"):
        assert expected in page
    assert "$" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_the_trace_shows_words_that_follow_each_other_in_one_line(played: tuple[list[DemoTurn], Path]) -> None:
    traces = re.findall(r"<table>.*?</table>", played[1].read_text(), re.DOTALL)
    assert len(traces) == len(TURNS)
    for trace in traces:
        kinds = re.findall(r"<code>([\w.]+)</code>", trace)
        assert "text.delta" in kinds and ("text.delta", "text.delta") not in zip(kinds, kinds[1:], strict=False)


def test_text_is_escaped_in_the_report(tmp_path: Path) -> None:
    from agentaudio import Reply

    question = Audio.silence(0.1, 16_000)
    turn = DemoTurn(question, question.save(tmp_path / "q.wav"), reply=Reply("<script>x</script>", heard="<b>$turns"))
    page = write_report([turn], tmp_path / "r.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page and "<b>" not in page


def test_every_recorded_question_is_there_and_short() -> None:
    rows = json.loads((questions_folder() / "questions.json").read_text())
    assert len(rows) == 8
    for row in rows:
        assert 1 < Audio.load(questions_folder() / row["file"]).duration < 6


def test_silence_has_a_waveform() -> None:
    assert waveform(Audio.silence(0, 16_000)).count("<rect") == waveform(Audio.silence(1, 8_000)).count("<rect")
