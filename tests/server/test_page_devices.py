"""The page and what it is given to hear and speak with: addresses, refusals, rates, and devices that come and go."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.browser import CHROMIUM, TAP, audible_s, launched, until
from support.devices import DEVICES, LENGTH, sounded_s
from support.server import Running, running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted, ScriptStep
from agentaudio.model.speech_lm import AudioDelta, End, TextDelta
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

PATIENCE = float(os.environ.get("PATIENCE", "1"))
LONGEST_MS = 60_000 * PATIENCE
SHOWN_MS = 2_000 * PATIENCE
"""Within this time the page says what has become of the microphone."""
NAME = "agent.example"
"""A host name at which browsers offer no microphone over http."""
ANSWER = "It is open from nine in the morning until six in the evening."
WORD_S = 0.3
TONE_S, TONE_HZ = 5.0, 440.0

Open = Callable[..., Any]


def tone() -> Audio:
    at = np.arange(round(TONE_S * 16_000)) / 16_000
    return Audio(np.float32(0.3 * np.cos(2 * np.pi * TONE_HZ * at)), 16_000)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(Agent(Scripted([ANSWER], loop=True), voices=None), ServerSettings(hosts=(NAME,))) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = launched(playwright, names=[NAME])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Opens a page with a microphone `a`, after `before`. Its connections are kept in `page.sockets`."""
    pages: list[Any] = []

    def open(address: str, *, before: str = "", **options: Any) -> Any:
        page = browser.new_page(**options)
        pages.append(page)
        page.sockets, page.wrong = [], []
        page.on("websocket", lambda socket: page.sockets.append(socket))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        for script in (TAP, DEVICES, "devices.plug('a');", before):
            page.add_init_script(script)
        page.goto(address)
        page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
        return page

    yield open
    for page in pages:
        assert page.wrong == []
        page.close()


def say(page: Any, text: str) -> None:
    page.fill("#message", text)
    page.press("#message", "Enter")


def listens(page: Any, *, within_ms: float = LONGEST_MS) -> None:
    page.wait_for_selector("body[data-state=listening]", timeout=within_ms)


def shows(page: Any, title: str) -> None:
    page.wait_for_selector(f".banner:has-text('{title}')", timeout=SHOWN_MS)


def shows_nothing(page: Any) -> None:
    page.wait_for_selector(".banner", state="detached", timeout=SHOWN_MS)


@pytest.mark.parametrize(
    ("host", "failure", "title", "help"),
    [
        (NAME, "", "No microphone at this address", "localhost"),
        ("127.0.0.1", "NotAllowedError", "The microphone was refused", "Allow it"),
        ("127.0.0.1", "NotFoundError", "No microphone was found", "Connect one"),
        ("127.0.0.1", "NotReadableError", "The microphone is in use", "Another program"),
    ],
    ids=["plain http", "refused", "no device", "in use"],
)
def test_without_a_microphone_the_page_says_why_and_what_is_written_is_answered_aloud(
    opened: Open, server: Running, host: str, failure: str, title: str, help: str
) -> None:
    page = opened(f"http://{host}:{server.port}", before=f"devices.fail({failure!r});")
    page.click("#talk")
    shows(page, title)
    assert help in page.inner_text(".banner")
    say(page, "When is it open?")
    page.wait_for_selector(f".entry.agent .heard:has-text('{ANSWER}')", timeout=LONGEST_MS)
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    assert audible_s(page) == pytest.approx(WORD_S * len(ANSWER.split()), rel=0.25)


def test_a_microphone_that_is_allowed_at_last_is_used_after_another_try(opened: Open, server: Running) -> None:
    page = opened(server.url, before="devices.fail('NotAllowedError');")
    page.click("#talk")
    shows(page, "The microphone was refused")
    page.evaluate("devices.fail(null)")
    page.click(".banner button:has-text('Try again')")
    listens(page)
    shows_nothing(page)


@pytest.mark.parametrize("held", ["from the beginning", "in the middle"])
def test_an_answer_that_the_browser_holds_back_is_heard_whole_after_a_tap(
    opened: Open, server: Running, held: str
) -> None:
    begins = held == "from the beginning"
    page = opened(server.url, before=f"window.isHeldBack = {json.dumps(begins)};")
    say(page, "When is it open?")
    if not begins:
        page.wait_for_selector("body[data-state=speaking]", timeout=LONGEST_MS)
        until(page, "heard.some(([, peak]) => peak > 0.001)", LONGEST_MS)
        page.evaluate("(window.isHeldBack = true, devices.outputs[0].suspend())")
    shows(page, "The browser holds the sound back")
    page.wait_for_timeout(500)
    before_s = audible_s(page)
    page.evaluate("window.isHeldBack = false")
    page.click("#talk")
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    shows_nothing(page)
    assert (before_s == 0) == begins
    assert audible_s(page) == pytest.approx(WORD_S * len(ANSWER.split()), rel=0.25)
    assert page.inner_text(".entry.agent .heard") == ANSWER


@pytest.mark.parametrize("out_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("in_hz", [16_000, 44_100, 48_000])
def test_sound_has_its_pitch_and_length_at_the_rates_of_all_devices(opened: Open, in_hz: int, out_hz: int) -> None:
    script: list[ScriptStep] = [[TextDelta("A tone."), AudioDelta(tone()), End()]]
    with running_server(Agent(Scripted(script), voices=None), ServerSettings()) as server:
        page = opened(
            server.url, before=f"window.outputRate = {out_hz}; devices.plug('a', {{rate: {in_hz}}}); {LENGTH}",
            bypass_csp=True,
        )  # fmt: skip
        frames: list[bytes] = []
        page.sockets[-1].on("framesent", lambda payload: frames.append(sound_in(payload)))
        page.click(".brand")  # which prepares the output
        until(page, "sounding.rate !== null", LONGEST_MS)
        say(page, "Give me the tone.")
        page.wait_for_selector("body[data-state=speaking]", timeout=LONGEST_MS)
        page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
        sounded, pause_s = sounded_s(page)
        assert sounded == pytest.approx(TONE_S, abs=0.02) and pause_s < 0.01, (sounded, pause_s)
        for _ in range(2):  # the second time with a device that was there before
            frames.clear()
            page.click("#talk")
            listens(page)
            page.wait_for_timeout(2_000)
            page.click("#talk")
            page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
            assert pitch_hz(b"".join(frames)) == pytest.approx(1_000, abs=3)
        assert page.locator(".banner").count() == 0 and len(page.sockets) == 1
        assert all(asked["echoCancellation"] for asked in page.evaluate("devices.asked"))


def sound_in(payload: str | bytes) -> bytes:
    event = json.loads(payload)
    return base64.b64decode(event["audio"]) if event["type"] == "input_audio_buffer.append" else b""


def pitch_hz(content: bytes) -> float:
    """The strongest frequency of 16-bit sound at 24 kHz."""
    samples = np.frombuffer(content, "<i2").astype(np.float64)
    assert len(samples) > 24_000, len(samples)
    size = 1 << 20
    found = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    return float(np.argmax(found) * 24_000 / size)


def test_a_microphone_that_goes_away_is_told_of_and_listened_to_when_it_returns(opened: Open, server: Running) -> None:
    page = opened(server.url)
    page.click("#talk")
    listens(page)
    page.evaluate("devices.unplug('a')")
    shows(page, "The microphone is gone")
    assert page.get_attribute("body", "data-state") == "ready"
    page.wait_for_timeout(1_500)
    page.evaluate("devices.plug('a')")
    listens(page, within_ms=SHOWN_MS)
    shows_nothing(page)
    assert len(page.sockets) == 1


def test_a_microphone_that_goes_away_while_it_is_opened_is_noticed(opened: Open, server: Running) -> None:
    page = opened(server.url, before="devices.plug('a', { vanishes: true });")
    page.click("#talk")
    shows(page, "The microphone is gone")
    page.evaluate("devices.plug('a')")
    listens(page, within_ms=SHOWN_MS)
    shows_nothing(page)


def test_another_microphone_stands_in_until_the_chosen_one_returns(opened: Open, server: Running) -> None:
    page = opened(server.url, before="devices.plug('headset');")
    page.click("#talk")
    listens(page)
    page.click("#open-settings")
    page.select_option("#input-device", "headset")
    until(page, "devices.used === 'headset'", LONGEST_MS)
    page.keyboard.press("Escape")
    page.evaluate("devices.unplug('headset')")
    until(page, "devices.used === 'a'", SHOWN_MS)
    listens(page, within_ms=SHOWN_MS)
    page.evaluate("devices.plug('headset')")
    until(page, "devices.used === 'headset'", SHOWN_MS)
    listens(page, within_ms=SHOWN_MS)
    assert page.locator(".banner").count() == 0 and len(page.sockets) == 1


def test_a_muted_microphone_is_told_of_until_it_is_unmuted(opened: Open, server: Running) -> None:
    page = opened(server.url)
    page.click("#talk")
    listens(page)
    page.evaluate("devices.mute('a')")
    shows(page, "The microphone is muted")
    page.evaluate("devices.unmute('a')")
    listens(page, within_ms=SHOWN_MS)
    shows_nothing(page)


def test_five_seconds_of_zeros_are_told_until_there_is_sound(opened: Open, server: Running) -> None:
    page = opened(server.url)
    page.click("#talk")
    listens(page)
    page.evaluate("devices.loudness('a', 0)")
    page.wait_for_timeout(3_000)
    assert page.locator(".banner").count() == 0
    page.wait_for_selector(".banner:has-text('The microphone sends nothing')", timeout=2_000 + SHOWN_MS)
    page.evaluate("devices.loudness('a', 0.3)")
    shows_nothing(page)
