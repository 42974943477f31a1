"""The first sound of an answer is held back as long as the rate of its tokens needs, on a clock of the test."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the stream needs torch")

from agentaudio.model.speech_lm import AudioDelta  # noqa: E402
from agentaudio.model.step_audio_2.token2wav import speaking  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.chunks import Schedule  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.pacing import hold_s  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.speaking import Speaking  # noqa: E402

AHEAD, CHUNK_S = 3, 0.02


class Clock:
    """The time of the test, and a stream that needs CHUNK_S of it for its first chunk."""

    ahead = AHEAD

    def __init__(self) -> None:
        self.now_s = 0.0
        self.made_s: float | None = None
        self.handed_s: list[float] = []
        self.fed = self._made = 0
        self._schedule = Schedule(ahead=AHEAD)

    def feed(self, tokens: Any) -> Any:
        total = self._schedule.feed(np.size(tokens))
        if total > self._made and self.made_s is None:
            self.now_s += CHUNK_S
            self.made_s = self.now_s
        new, self._made = total - self._made, total
        self.fed += np.size(tokens)
        return np.full(new, 0.1, np.float32)

    def finish(self) -> Any:
        return np.full(self._schedule.finish() - self._made, 0.1, np.float32)

    def close(self) -> None:
        pass

    def hand(self, delta: AudioDelta) -> None:
        self.handed_s.append(self.now_s)


def wait_for(what: Any) -> None:
    until = time.monotonic() + 20
    while not what() and time.monotonic() < until:
        time.sleep(0.001)
    assert what()


@pytest.mark.parametrize("tokens_per_s", [40.0, 48.0, 60.0, 78.0, 200.0, 20.0])
def test_the_first_sound_waits_as_long_as_the_measured_rate_needs(
    monkeypatch: pytest.MonkeyPatch, tokens_per_s: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(speaking, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    failures: list[Exception] = []
    voice = Speaking(lambda: clock, clock.hand, failures.append)
    wanted_s = hold_s(tokens_per_s, CHUNK_S, AHEAD)
    for number in range(11):
        clock.now_s += 1 / tokens_per_s
        voice.say([number])
        wait_for(lambda count=number + 1: clock.fed == count)
    assert clock.made_s is not None
    if wanted_s > 0.005:
        clock.now_s = clock.made_s + wanted_s - 0.003
        time.sleep(0.05)
        assert not clock.handed_s
        clock.now_s = clock.made_s + wanted_s + 0.001
    wait_for(lambda: clock.handed_s)
    assert clock.handed_s[0] - clock.made_s == pytest.approx(wanted_s, abs=0.002)
    voice.finish()
    assert failures == []


def test_an_answer_that_ends_is_not_held_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(speaking, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    voice = Speaking(lambda: clock, clock.hand, lambda failure: None)
    for number in range(11):
        clock.now_s += 1 / 40
        voice.say([number])
        wait_for(lambda count=number + 1: clock.fed == count)
    assert not clock.handed_s
    voice.finish()
    assert len(clock.handed_s) == 2
