"""The voice browser of the page: search, listen, choose, lend a voice by a spoken consent, and take it back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.browser import CHROMIUM, launched, until
from support.server import Running, running_server

from agentaudio import Agent, VoiceLibrary
from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, Heard, ReferenceVoice, TextDelta
from agentaudio.server.settings import ServerSettings
from agentaudio.voice_library import library as voice_library
from agentaudio.voice_library.consent_sentence import SENTENCES
from agentaudio.voice_library.encoders import default_encoder

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

LONGEST_MS = 60_000 * float(os.environ.get("PATIENCE", "1"))
SPEAKER = "angus"


def hears(
    conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None
) -> list[Delta]:  # fmt: skip
    """Hears the sentence of consent in every sound."""
    return [Heard(SENTENCES["en"]), TextDelta("Good day.")]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> VoiceLibrary:
    """Three of the voices that come along, in a library that takes more."""
    folder = tmp_path_factory.mktemp("page") / "voices"
    library = VoiceLibrary.create(folder, encoder=default_encoder(voice_library.demo_voices().encoder_name))
    for voice in map(voice_library.demo_voices().get, ("walter", "lily", SPEAKER)):
        card = voice.card
        library.add(
            voice.clip, id=card.id, name=card.name, description=card.description, licence=card.licence,
            consent=card.consent, gender=card.gender, age=card.age,
        )  # fmt: skip
    return library


@pytest.fixture(scope="module")
def server(library: VoiceLibrary) -> Iterator[Running]:
    with running_server(Agent(Scripted([hears], loop=True), voices=library.folder), ServerSettings()) as running:
        yield running


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of one speaker, whenever it is opened."""
    file = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    voice_library.demo_voices().get(SPEAKER).clip.resample(48_000).save(file)
    return file


@pytest.fixture(scope="module")
def page(server: Running, microphone: Path) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = launched(playwright, microphone=microphone)
        page = browser.new_page(locale="en-US")
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(server.url)
        page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
        yield page
        browser.close()
    assert page.wrong == []


def cards(page: Any) -> list[str]:
    return [title.split("\n")[0] for title in page.locator("#voices .grid .title").all_inner_texts()]


def record(page: Any, label: str, seconds: float) -> None:
    page.click(f".recorder button:has-text('{label}')")
    recorder = page.locator(".recorder[data-recording]")
    recorder.wait_for(timeout=LONGEST_MS)
    page.wait_for_timeout(1000 * seconds)
    recorder.locator("button:has-text('Stop')").click()
    recorder.wait_for(state="detached", timeout=LONGEST_MS)


def test_voices_are_found_by_words_heard_and_chosen(page: Any) -> None:
    page.click("#open-voices")
    page.wait_for_selector("#voices .grid .voice-card", timeout=LONGEST_MS)
    assert len(cards(page)) == 3
    page.fill("#voice-words", "a little girl")
    until(page, "document.querySelectorAll('#voices .grid .voice-card').length === 1", LONGEST_MS)
    assert cards(page)[0].startswith("Lily")
    page.click("#voices .grid .listen")
    page.wait_for_selector("#voices .grid .listen[aria-pressed=true]", timeout=LONGEST_MS)
    page.click("#voices .grid .listen")
    page.click("#voices .grid button.use")
    page.wait_for_selector(".voice-now .voice-card .title:has-text('Lily')", timeout=LONGEST_MS)
    assert not page.is_visible("#voices")


def test_a_voice_is_lent_by_a_spoken_consent_used_and_taken_back(page: Any, library: VoiceLibrary) -> None:
    page.click("#open-voices")
    page.click("#tab-lend")
    page.wait_for_selector(f".sentence:has-text('{SENTENCES['en'][:20]}')", timeout=LONGEST_MS)
    submit = page.locator("#panel-lend button[type=submit]")
    page.fill("#lend-name", "Angus of the page")
    assert submit.is_disabled()
    record(page, "Record the sentence", 3)
    assert submit.is_disabled()
    record(page, "Record a sample", 6)
    submit.click()
    page.wait_for_selector("#tab-browse[aria-selected=true]", timeout=LONGEST_MS)
    mine = page.locator("#voices .grid .voice-card:has-text('Angus of the page')")
    mine.wait_for(timeout=LONGEST_MS)
    (consent,) = library.consents.all()
    (lent,) = library.lent_by(consent.id)
    assert (consent.transcript, lent.card.name) == (SENTENCES["en"], "Angus of the page")
    assert page.locator("#voices .take-back").count() == 1  # the others are not this user's

    mine.locator("button.use").click()
    page.wait_for_selector(".voice-now .title:has-text('Angus of the page')", timeout=LONGEST_MS)
    page.click("#open-voices")
    back = mine.locator(".take-back")
    back.click()
    assert back.inner_text() == "Delete this voice for good?" and library.lent_by(consent.id)
    back.click()
    mine.wait_for(state="detached", timeout=LONGEST_MS)
    page.wait_for_selector(".voice-now .voice-card", state="detached", timeout=LONGEST_MS)
    assert library.lent_by(consent.id) == [] and library.consents.all() == []
    page.keyboard.press("Escape")


def test_voices_are_found_by_a_clip(page: Any, server: Running, microphone: Path) -> None:
    page.click("#open-voices")
    page.set_input_files("#panel-browse input[type=file]", str(microphone))
    status = "document.querySelector('#voices [role=status]').textContent"
    until(page, f"{status} !== 'Searching …'", LONGEST_MS)
    assert page.evaluate(status) == "" and cards(page)[0].startswith("Angus")
    page.keyboard.press("Escape")


def test_a_server_that_takes_no_voices_says_so_before_anything_is_recorded(page: Any) -> None:
    with running_server(Agent(Scripted(["Good day."]), voices="demo"), ServerSettings()) as server:
        other = page.context.browser.new_page()
        other.goto(server.url)
        other.click("#open-voices")
        other.click("#tab-lend")
        other.wait_for_selector("#panel-lend :text('start it with --voices FOLDER')", timeout=LONGEST_MS)
        assert not other.is_visible("#lend-name")
        other.close()
