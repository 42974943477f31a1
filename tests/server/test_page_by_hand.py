"""Press-to-talk on the page, and what can be played again and looked at afterwards."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import CHROMIUM, TAP, audible_s, launched, until
from support.devices import DEVICES
from support.server import running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

LONGEST_MS = 60_000 * float(os.environ.get("PATIENCE", "1"))
ASKED = "When is it open?"
ANSWER = "It is open from nine in the morning until six in the evening."
LONG = " ".join(["Nobody wants to hear all of this."] * 20)


@pytest.fixture
def page() -> Iterator[Any]:
    script = [{"heard": ASKED, "say": ANSWER}, {"heard": ASKED, "say": LONG}, {"heard": ASKED, "say": ANSWER}]
    with running_server(Agent(Scripted(script), voices=None), ServerSettings()) as server:
        with sync_api.sync_playwright() as playwright:
            browser, wrong = launched(playwright), list[str]()
            page = browser.new_page()
            page.on("pageerror", lambda error: wrong.append(str(error)))
            for text in (TAP, DEVICES, "devices.plug('a');"):
                page.add_init_script(text)
            page.goto(server.url)
            page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
            page.click("#mode-press")
            yield page
            browser.close()
            assert wrong == []


def hold(page: Any, seconds: float) -> None:
    """Hold the button down."""
    page.locator("#talk").hover()
    page.mouse.down()
    page.wait_for_selector("body[data-state=listening]", timeout=LONGEST_MS)
    until(page, "devices.used === 'a'", LONGEST_MS)
    page.wait_for_timeout(1000 * seconds)
    page.mouse.up()


def answered(page: Any, turns: int, text: str = ANSWER) -> None:
    page.wait_for_selector(f".entry.agent:nth-of-type({2 * turns}) .said:has-text('{text}')", timeout=LONGEST_MS)


def test_a_turn_lasts_as_long_as_the_button_or_the_space_bar_is_held(page: Any) -> None:
    hold(page, 1.2)
    answered(page, 1)
    assert page.inner_text(".entry.user .said") == ASKED
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    assert audible_s(page) == pytest.approx(0.3 * len(ANSWER.split()), rel=0.25)

    page.click(".brand")
    page.keyboard.down("Space")
    page.wait_for_timeout(1_200)
    page.keyboard.up("Space")
    page.wait_for_selector("body[data-state=speaking]", timeout=LONGEST_MS)
    page.wait_for_timeout(500)
    hold(page, 1.2)  # which interrupts
    answered(page, 3)
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    assert page.locator(".entry.agent:nth-of-type(4) .unheard").count() == 1
    assert page.locator(".banner").count() == 0


def test_a_slip_of_the_finger_asks_nothing(page: Any) -> None:
    hold(page, 1.2)
    answered(page, 1)
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_timeout(700)
    assert page.get_attribute("body", "data-state") == "ready" and page.locator(".entry").count() == 2


def test_both_sides_are_played_again_saved_and_logged(page: Any, tmp_path: Path) -> None:
    hold(page, 1.2)
    answered(page, 1)
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    for side in ("user", "agent"):
        page.click(f".entry.{side} button:has-text('Replay')")
        page.wait_for_selector(f".entry.{side} button[aria-pressed=true]", timeout=LONGEST_MS)
        page.wait_for_selector(f".entry.{side} button[aria-pressed=true]", state="detached", timeout=LONGEST_MS)
    with page.expect_download() as saving:
        page.click("#save-all")
    with wave.open(io.BytesIO(Path(saving.value.path()).read_bytes())) as file:
        assert file.getframerate() == 24_000
        assert file.getnframes() / 24_000 == pytest.approx(1.2 + 0.3 * len(ANSWER.split()), abs=0.6)
    page.click("#open-log")
    types = page.locator("#log .type").all_inner_texts()
    assert {"session.created", "input_audio_buffer.commit", "response.create", "response.done"} <= set(types)
    page.click("#restart")
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    assert page.locator(".entry").count() == 0
