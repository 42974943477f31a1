"""The page in Firefox, with no output for its sound: a typed question is answered, and the page says what it awaits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.firefox import FIREFOX, firefox_page
from support.server import running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(FIREFOX is None, reason="needs Debian's package firefox-esr"),
]

LONGEST_S = 60.0 * float(os.environ.get("PATIENCE", "1"))
ANSWER = "It is open from nine in the morning until six in the evening."


async def test_an_answer_whose_sound_is_held_back_is_shown_and_the_page_waits_for_a_tap(tmp_path: Path) -> None:
    with running_server(Agent(Scripted([ANSWER]), voices=None), ServerSettings()) as server:
        async with firefox_page(tmp_path) as page:
            await page.open(server.url)
            await page.until("document.body.dataset.state === 'ready'", LONGEST_S)
            await page.run(
                "(document.getElementById('message').value = 'When is it open?', "
                "document.getElementById('composer').requestSubmit(), true)"
            )
            await page.until("document.body.dataset.state === 'held'", LONGEST_S)
            await page.until("document.querySelector('.banner') !== null", LONGEST_S)
            await page.until(f"document.querySelector('.entry.agent .said').innerText === {ANSWER!r}", LONGEST_S)
            banner = await page.run("document.querySelector('.banner').innerText")
            word = await page.run("document.getElementById('state-word').innerText")
            coming = await page.run("document.querySelector('.entry.agent .coming').innerText")
            await page.run("(document.getElementById('talk').click(), true)")
            assert (
                await page.run("document.body.dataset.state") == "held"
            )  # the tap is for the sound, not the microphone
    assert "The browser holds the sound back" in banner and word == "On hold"
    assert coming == ANSWER  # nothing of it was heard
