"""The demo, from the recorded questions to the report."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Audio, events
from agentaudio.conversation import Citation
from agentaudio.demo.report import write_report
from agentaudio.demo.run import TURNS, DemoTurn, demo_agent, play, questions_folder
from agentaudio.model.speech_lm import AudioDelta, CitationDelta, TextDelta
from agentaudio.page import waveform

CITED = Citation("The Great Wall", "great-wall.md", "21,196 kilometers")
SOUND = AudioDelta(tone(duration_s=0.6))
OLD_MAN = {"query": "a calm old man"}
STEPS = [
    {"heard": "how long is the great wall", **calls(("search_documents", {"query": "How long is the Great Wall?"}))},
    [TextDelta("The Great Wall is 21,196 km long."), CitationDelta(CITED), SOUND],
    {"heard": "speak like a calm old man", **calls(("audio_search", OLD_MAN))},
    "Like this?",
    {"heard": "when is it open", **calls(("opening_hours", {"museum": "the National Museum"}))},
    "From nine in the morning until six in the evening.",
]


@pytest.fixture(scope="module", params=["scripted", pytest.param("embedded", marks=pytest.mark.system)])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[DemoTurn], Path]:
    """The turns and the report of the demo, by a script and by the engine that ships."""
    if request.param == "embedded":
        for extra in ("pocketsphinx", "onnxruntime", "pyworld", "espeakng_loader"):
            pytest.importorskip(extra, reason="needs the extras 'embedded' and 'espeak'")
    folder = tmp_path_factory.mktemp("demo")

    async def run() -> list[DemoTurn]:
        async with demo_agent(scripted(*STEPS) if request.param == "scripted" else request.param) as agent:
            await agent.warm_up()  # as `agentaudio demo` does: a tool has 20 s
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


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
WIDTHS_PX = (320, 360, 412, 1200)
FRAME = """<iframe width="{width}" height="800" srcdoc="{page}"></iframe>"""
MEASURE = """<!doctype html>{frames}<script>
onload = () => {{
  const roots = [...document.querySelectorAll("iframe")].map((one) => one.contentDocument.documentElement);
  document.body.textContent = roots.map((one) => `${{one.scrollWidth}} of ${{one.clientWidth}} px`).join(", ");
}}</script>"""


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
def test_the_report_fits_a_phone(tmp_path: Path) -> None:
    from agentaudio import Reply
    from agentaudio.conversation import Citation

    question = Audio.silence(0.1, 16_000)
    endless = "https://museums.example/" + "a-very-long-path/" * 12
    cited = Citation(f"The {'Donaudampfschiff' * 6}", endless, "q" * 150, 0)
    turn = DemoTurn(
        question, question.save(tmp_path / "q.wav"), reply=Reply(endless, heard=endless, citations=(cited,))
    )
    turn.events += [
        events.SpeechHeard(turn=1, at_s=0.1, text=endless, confidence=0.9),
        events.TextSpoken(turn=1, at_s=1.0, text=f"Look at {endless}."),
        events.PassageCited(turn=1, at_s=2.0, citation=cited),
        events.SpeechHeard(turn=1, at_s=9.0, text="ordinary words " * 20),
    ]
    page = write_report([turn], tmp_path / "r.html").read_text()
    frames = "".join(FRAME.format(width=width, page=html.escape(page)) for width in WIDTHS_PX)
    (tmp_path / "frame.html").write_text(MEASURE.format(frames=frames))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
               "--dump-dom", str(tmp_path / "frame.html")]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    measured = [(int(needed), int(width)) for needed, width in re.findall(r"(\d+) of (\d+) px", shown)]
    assert len(measured) == len(WIDTHS_PX) and all(needed <= width for needed, width in measured), shown


def test_every_recorded_question_is_there_and_short() -> None:
    rows = json.loads((questions_folder() / "questions.json").read_text())
    assert len(rows) == 8
    for row in rows:
        assert 1 < Audio.load(questions_folder() / row["file"]).duration < 6


def test_silence_has_a_waveform() -> None:
    assert waveform(Audio.silence(0, 16_000)).count("<rect") == waveform(Audio.silence(1, 8_000)).count("<rect")
