"""The queue that gives the agent's sound to the loudspeaker of the page, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import CHROMIUM, launched
from support.server import running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium"),
]

HELPERS = """
  const { PlaybackQueue } = await import("/page/worklets/playback_queue.js");
  const RATE = 24000;
  const queue = new PlaybackQueue(RATE, RATE);
  const seconds = (count) => new Float32Array(Math.round(count * RATE)).fill(0.5);
  const reports = new Map();
  // How loud it is, in blocks of some seconds; what was played of each answer is in `reports`.
  const play = (length, block = 128 / RATE) => {
    const found = [];
    for (let at = 0; at < length; at += block) {
      const samples = new Float32Array(Math.round(block * RATE));
      queue.fill(samples);
      found.push(...samples);
      for (const one of queue.report()) reports.set(one.id, one);
    }
    return found.filter((value) => Math.abs(value) > 0.01).length / RATE;
  };
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with running_server(Agent(Scripted(["Hello."], loop=True), voices=None), ServerSettings()) as server:
        with sync_api.sync_playwright() as playwright:
            browser = launched(playwright)
            page = browser.new_page()
            page.goto(server.url)
            yield page
            browser.close()


def run(page: Any, steps: str) -> Any:
    return page.evaluate(f"async () => {{ {HELPERS} {steps} }}")


@pytest.mark.parametrize("block_s", [128 / 24_000, 2_048 / 24_000], ids=["worklet", "plain http"])
def test_an_answer_that_comes_while_the_one_before_fades_out_is_played_whole(page: Any, block_s: float) -> None:
    steps = f"""
      queue.push("a", seconds(2));
      play(0.5, {block_s});
      queue.drop();
      queue.push("b", seconds(1));
      queue.end("b");
      const heard = play(1.5, {block_s});
      return [heard, reports.get("a"), reports.get("b")];
    """
    heard_s, first, second = run(page, steps)
    assert heard_s == pytest.approx(1.0, abs=0.03)
    assert (first["isCut"], first["done"]) == (True, True) and 0.4 < first["played"] < 0.6
    assert (second["isCut"], second["done"]) == (False, True) and second["played"] == pytest.approx(1.0, abs=0.01)


def test_an_answer_does_not_begin_with_a_gap_when_its_second_piece_is_late(page: Any) -> None:
    steps = """
      queue.push("a", seconds(0.02));
      const early = play(0.3);
      queue.push("a", seconds(0.5));
      const heard = play(0.5);
      return [early, heard];
    """
    early_s, heard_s = run(page, steps)
    assert early_s == 0 and heard_s > 0.45


def test_a_very_short_answer_is_played_when_nothing_more_comes_of_it(page: Any) -> None:
    assert run(page, "queue.push('a', seconds(0.05)); queue.end('a'); return play(0.3);") == pytest.approx(
        0.05, abs=0.02
    )


def test_what_was_not_begun_is_dropped_without_a_sound(page: Any) -> None:
    assert run(page, "queue.push('a', seconds(0.05)); play(0.1); queue.drop(); return play(0.3);") == 0
    assert run(page, "queue.push('a', seconds(1)); queue.drop(); return play(0.3);") == 0
