"""The page in a browser with a microphone: spoken questions, a tool, a change of the voice, and an interruption."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.browser import CHROMIUM, TAP, audible_s, launched
from support.server import running_server

from agentaudio import Agent
from agentaudio.demo.run import opening_hours, questions_folder
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import demo_voices

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytest.importorskip("agentaudio.server.realtime.routes", reason="needs the realtime endpoint")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

WORD_S = 0.3
"""What a word of the scripted model lasts."""
ANSWER = "It is open from nine in the morning until six in the evening."
OTHER = "This is how I sound from now on."
STORY = " ".join(["The great wall is long and the answer to this question is longer still."] * 12)
AFTER = "It is nine in the morning in Tokyo."
SCRIPT: list[dict[str, Any]] = [
    {"heard": "When is the national museum open today?", "calls": [
        {"name": "opening_hours", "arguments": {"museum": "national museum"}}
    ]},
    {"say": ANSWER},
    {"heard": "Please answer in the voice of a calm old man.", "calls": [
        {"name": "audio_search", "arguments": {"query": "a calm old man"}}
    ]},
    {"say": OTHER},
    {"heard": "Give me a brief introduction to the great wall.", "say": STORY},
    {"heard": "What is the time in Tokyo right now?", "say": AFTER},
]  # fmt: skip
PATIENCE = float(os.environ.get("PATIENCE", "1"))
"""Factor of times: more than 1 on a machine that does much else."""
LONGEST_MS = 60_000 * PATIENCE
STOPS_MS = 300 * PATIENCE
QUIET_S = 1.0
"""Before the first word; the fake microphone begins with the page's first block."""
INTERRUPTED_AFTER_S = 9.0


class Talk:
    """A page whose microphone the test speaks into."""

    def __init__(self, page: Any, microphone: Path) -> None:
        self.page, self._microphone = page, microphone
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def speak(self, *parts: Audio) -> None:
        """Turn the microphone on, with this sound and silence after it."""
        rate = 48_000
        sound = Audio.concat([part.resample(rate) for part in (Audio.silence(QUIET_S, rate), *parts)])
        sound.save(self._microphone)
        self.page.click("#talk")
        self.page.wait_for_selector("#mute:not([hidden])", timeout=LONGEST_MS)

    def until_quiet(self) -> None:
        """The answer has been played; the microphone goes off."""
        self.page.wait_for_selector("body[data-state=listening]", timeout=LONGEST_MS)
        self.page.click("#talk")
        self.page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).last.inner_text())


def around_longest_pause(blocks: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Times of the blocks before and after the longest pause in a sound."""
    times = [at for at, *_ in blocks]
    return max(pairwise(times), key=lambda pair: pair[1] - pair[0])


def question(name: str) -> Audio:
    return Audio.load(questions_folder() / f"{name}.flac")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    microphone = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    Audio.silence(1.0, 48_000).save(microphone)
    agent = Agent(Scripted(SCRIPT), tools=["audio_search", opening_hours], voices="demo")
    with running_server(agent, ServerSettings()) as server, sync_api.sync_playwright() as playwright:
        browser = launched(playwright, microphone=microphone)
        page = browser.new_page()
        page.add_init_script(TAP)
        page.goto(server.url)
        page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
        yield Talk(page, microphone)
        browser.close()


def test_a_spoken_question_runs_a_tool_and_its_answer_sounds_whole(talk: Talk) -> None:
    page = talk.page
    talk.speak(question("national-museum"))
    page.wait_for_selector("body[data-state=thinking], body[data-state=speaking]", timeout=LONGEST_MS)
    page.wait_for_selector(".call.done", timeout=LONGEST_MS)
    page.wait_for_selector("body[data-state=speaking]", timeout=LONGEST_MS)
    talk.until_quiet()
    assert "opening_hours national museum" in " ".join(talk.text(".call.done summary").split())
    assert "national museum" in talk.text(".entry.user .said").lower()
    assert talk.text(".entry.agent .said") == ANSWER
    assert page.locator(".coming, .unheard").count() == 0
    assert audible_s(page) == pytest.approx(WORD_S * len(ANSWER.split()), rel=0.25)


def test_a_spoken_wish_changes_the_voice_and_shows_its_card(talk: Talk) -> None:
    page = talk.page
    since = page.evaluate("performance.now()")
    talk.speak(question("calm-old-man"))
    page.wait_for_selector(".entry.agent .voice-card", timeout=LONGEST_MS)
    page.wait_for_selector("body[data-state=speaking]", timeout=LONGEST_MS)
    talk.until_quiet()
    name = talk.text(".voice-now .voice-card .title").split("\n")[0]
    card = next(voice.card for voice in demo_voices() if name.startswith(voice.card.name))
    assert (card.gender, card.age) == ("male", "old")
    assert card.name in talk.text(".entry.agent .voice-card .title")
    assert talk.text(".entry.agent .who") == card.name
    assert audible_s(page, since) == pytest.approx(WORD_S * len(OTHER.split()), rel=0.25)


def test_speech_stops_the_sound_within_300_ms_and_is_answered(talk: Talk) -> None:
    page = talk.page
    asked = question("great-wall")
    pause = Audio.silence(INTERRUPTED_AFTER_S, asked.sample_rate)
    since = page.evaluate("performance.now()")
    talk.speak(asked, pause, question("time-in-tokyo"))
    page.wait_for_selector("body[data-state=speaking]", timeout=LONGEST_MS)
    page.wait_for_selector(".unheard", timeout=LONGEST_MS)
    page.wait_for_selector(f".entry.agent .heard:has-text('{AFTER}')", timeout=LONGEST_MS)
    talk.until_quiet()
    spoken = page.evaluate("since => spoken.filter(([at, peak]) => at > since && peak > 0.02)", since)
    heard = page.evaluate("since => heard.filter(([at, peak]) => at > since && peak > 0.001)", since)
    asked_ms, began_ms = around_longest_pause(spoken)  # of the user: between the question and the interruption
    stopped_ms, answered_ms = around_longest_pause(heard)
    assert began_ms - asked_ms > 1000 * (INTERRUPTED_AFTER_S - 2)
    assert heard[0][0] < began_ms < answered_ms
    assert stopped_ms - began_ms < STOPS_MS
    assert talk.text(".entry.agent .said") == AFTER
    assert talk.wrong == []
