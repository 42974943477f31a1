"""The page in a real browser, against a real server: typed turns, a tool, a voice, an interruption, hostile texts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.browser import CHROMIUM, TAP, audible_s, launched
from support.server import running_server

from agentaudio import Agent, tool
from agentaudio.conversation import Passage, ToolSpec
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings
from agentaudio.tools.result import ToolResult
from agentaudio.voice_library.library import demo_voices

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytest.importorskip("agentaudio.server.realtime.routes", reason="needs the realtime endpoint")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

ATTACK = (
    '<img src="http://attacker.example/x" onerror="window.hacked=1"><script>window.hacked=1</script>'
    '<style>body{display:none}</style><a href="javascript:window.hacked=1">x</a>'
)
QUOTE = "The iron bridge over the river was opened in 1891 by three brothers from the village."


@tool
def look_up(subject: str) -> ToolResult:
    """Look something up."""
    return ToolResult(f"{ATTACK} {QUOTE}", passages=(Passage(QUOTE, ATTACK, "javascript:window.hacked=1"),))


@tool
def take_voice(name: str) -> ToolResult:
    """Speak in another voice."""
    voice = next(iter(demo_voices()))
    card = voice.card.model_copy(update={"name": ATTACK[:90], "description": ATTACK})
    return ToolResult("The voice has changed.", voice=replace(voice, card=card))


def script() -> Scripted:
    return Scripted(
        [
            {"say": "Let me see.", "calls": [{"name": "look_up", "arguments": {"subject": ATTACK}}]},
            f"{QUOTE} {ATTACK}",
            {"calls": [{"name": "take_voice", "arguments": {"name": "anyone"}}]},
            "This is how I sound from now on.",
            " ".join(["This answer is long, and nobody wants to hear all of it."] * 12),
        ]
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    agent = Agent(script(), tools=[look_up, take_voice], voices="demo")
    with running_server(agent, ServerSettings()) as server:
        yield server.url


@pytest.fixture(scope="module")
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, whose requests and errors are kept in `page.asked` and `page.wrong`."""
    page = browser.new_page()
    page.asked, page.wrong = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.add_init_script(TAP)
    page.goto(address)
    page.wait_for_selector("body[data-state=ready]", timeout=30_000)
    yield page
    page.close()


def say(page: Any, text: str) -> None:
    page.fill("#message", text)
    page.press("#message", "Enter")


def test_a_typed_question_runs_a_tool_and_is_answered_in_sound(page: Any) -> None:
    say(page, "When was the bridge opened?")
    page.wait_for_selector(".call.done", timeout=30_000)
    assert "look_up" in page.inner_text(".call.done summary")
    page.wait_for_selector(".entry.agent .heard:has-text('1891')", timeout=30_000)
    page.wait_for_selector("body[data-state=ready]", timeout=60_000)
    assert "from the village." in page.inner_text(".entry.agent .heard")
    words = len(f"Let me see. {QUOTE} {ATTACK}".split())
    assert audible_s(page) == pytest.approx(words * 0.3, rel=0.25)  # a scripted word lasts 0.3 s, with soft edges
    assert "to the first sound" in page.inner_text(".entry.agent .times")


def test_hostile_words_titles_and_results_stay_text(page: Any, address: str) -> None:
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert ATTACK in page.inner_text(".call .inside")
    assert page.locator("main img, main script, main style, main a[href^='javascript']").count() == 0
    assert page.evaluate("window.hacked") is None
    assert all(url.startswith((address, address.replace("http", "ws"), "blob:")) for url in page.asked)


def test_a_voice_that_a_tool_finds_is_shown_as_a_card_with_its_recording(page: Any) -> None:
    say(page, "Take another voice.")
    page.wait_for_selector(".voice-now .voice-card", timeout=30_000)
    page.wait_for_selector(".entry .voice-card .listen", timeout=30_000)
    assert ATTACK[:90] in page.inner_text(".entry .voice-card .title")
    assert page.locator("main img, main script").count() == 0 and page.evaluate("window.hacked") is None
    page.wait_for_selector("body[data-state=ready]", timeout=60_000)


def test_after_each_interruption_the_page_is_ready_and_silent(browser: Any) -> None:
    words = " ".join(["Nobody wants to hear all of this."] * 30)
    with running_server(Agent(Scripted([words], loop=True), voices=None), ServerSettings()) as server:
        page = browser.new_page()
        page.add_init_script(TAP)
        page.goto(server.url)
        page.wait_for_selector("body[data-state=ready]", timeout=30_000)
        for turn in range(6):
            say(page, "Go on.")
            page.wait_for_selector("body[data-state=speaking]", timeout=30_000)
            page.wait_for_timeout(40 * turn)
            page.keyboard.press("Escape")
            page.wait_for_selector("body[data-state=ready]", timeout=5_000)
            page.wait_for_timeout(500)
            assert page.get_attribute("body", "data-state") == "ready"
            since = page.evaluate("performance.now()")
            page.wait_for_timeout(500)
            assert audible_s(page, since) == 0
        page.close()


def test_while_the_models_are_loaded_the_page_says_so_and_takes_a_question(browser: Any) -> None:
    loaded = threading.Event()

    class Slow(Scripted):
        async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
            while not loaded.is_set():
                await asyncio.sleep(0.05)

    with running_server(Agent(Slow(["Here I am."]), voices=None), ServerSettings()) as server:
        page = browser.new_page()
        page.goto(server.url)
        page.wait_for_selector("body[data-state=loading]", timeout=30_000)
        assert "models are being loaded" in page.inner_text("#hint")
        say(page, "Hello?")
        page.wait_for_selector(".entry.agent .heard:has-text('Here I am.')", timeout=30_000)
        page.wait_for_selector("body[data-state=loading]", timeout=30_000)
        loaded.set()
        page.wait_for_selector("body[data-state=ready]", timeout=30_000)
        page.close()


def test_sound_stops_within_300_ms_of_an_interruption_and_unheard_words_are_marked(page: Any) -> None:
    say(page, "Tell me everything.")
    page.wait_for_selector("body[data-state=speaking]", timeout=30_000)
    page.wait_for_timeout(700)
    began = page.evaluate("performance.now()")
    page.keyboard.press("Escape")
    page.wait_for_selector(".unheard", timeout=10_000)
    page.wait_for_timeout(700)
    last = page.evaluate("heard.filter(([, peak]) => peak > 0.001).at(-1)[0]")
    assert last - began < 300
    assert page.wrong == []
