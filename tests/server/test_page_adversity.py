"""The page where the browser or the network give it less than it wants."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import CHROMIUM, TAP, audible_s, launched
from support.server import Running, running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

LONGEST_MS = 60_000 * float(os.environ.get("PATIENCE", "1"))
ANSWER = "It is open from nine in the morning until six in the evening."
KEY = "a-key-for-the-page-0123"
NO_STORAGE = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get: () => { throw new DOMException("", "SecurityError"); } });
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(Agent(Scripted([ANSWER], loop=True), voices=None), ServerSettings(keys=(KEY,))) as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page, wrong = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.add_init_script(TAP)
    yield page
    page.close()
    assert wrong == []


def opened(page: Any, server: Running) -> None:
    """Open the page, and give it the key that it asks for."""
    page.goto(server.url)
    page.wait_for_selector("#key[open]", timeout=LONGEST_MS)
    page.fill("#api-key", KEY)
    page.click("#key button[type=submit]")
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)


def ask(page: Any) -> None:
    page.fill("#message", "When is it open?")
    page.press("#message", "Enter")
    page.wait_for_selector(f".entry.agent .heard:has-text('{ANSWER}')", timeout=LONGEST_MS)
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    assert audible_s(page) == pytest.approx(0.3 * len(ANSWER.split()), rel=0.25)


def test_a_browser_that_refuses_storage_is_no_hindrance(page: Any, server: Running) -> None:
    page.add_init_script(NO_STORAGE)
    opened(page, server)
    page.click("#mode-press")
    assert page.get_attribute("body", "data-mode") == "press"
    page.click("#theme")
    ask(page)


def test_sound_is_heard_although_the_first_click_came_while_the_server_was_away(page: Any, server: Running) -> None:
    page.route("**/worklets/*", lambda route: route.abort())
    opened(page, server)
    page.click(".brand")
    page.wait_for_timeout(500)
    page.unroute("**/worklets/*")
    ask(page)


def test_a_server_that_does_not_answer_is_told_of_and_asked_again(page: Any, server: Running) -> None:
    opened(page, server)
    page.route("**/v1/models", lambda route: None)
    page.reload()
    page.wait_for_selector(".banner:has-text('The server does not answer')", timeout=15_000 + LONGEST_MS)
    page.unroute("**/v1/models")
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    ask(page)


def test_a_connection_that_takes_nothing_is_replaced_and_the_conversation_goes_on(page: Any, server: Running) -> None:
    full = "Object.defineProperty(WebSocket.prototype, 'bufferedAmount', { get: () => (window.isFull ? 2e6 : 0) });"
    page.add_init_script(full)
    opened(page, server)
    ask(page)
    page.evaluate("window.isFull = true")
    page.fill("#message", "Are you there?")
    page.press("#message", "Enter")
    page.wait_for_selector(".banner:has-text('takes nothing')", timeout=LONGEST_MS)
    page.evaluate("window.isFull = false")
    page.wait_for_selector(".entry.note:has-text('Connected again')", timeout=LONGEST_MS)
    page.press("#message", "Enter")
    page.wait_for_selector(f".entry.agent:nth-of-type(n + 5) .heard:has-text('{ANSWER}')", timeout=LONGEST_MS)
