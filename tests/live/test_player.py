"""The player: what reaches the sound card, and what it reports."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio import Audio
from agentaudio.events import AudioSpoken
from agentaudio.live.events import AgentPaused, AgentResumed, AgentStopped
from agentaudio.live.player import FADE_S, Player

RATE = 16_000


def spoken(turn: int, seconds: float, level: float = 0.5) -> AudioSpoken:
    return AudioSpoken(turn=turn, at_s=0.0, audio=Audio(np.full(round(seconds * RATE), level, np.float32), RATE))


def test_sound_comes_out_in_order_and_its_turns_are_reported() -> None:
    player = Player(RATE)
    player.take(spoken(1, 0.03, 0.1))
    player.take(spoken(2, 0.03, 0.2))
    first, played = player.fill(RATE // 50)
    assert np.all(first == np.float32(0.1)) and played == {1: 0.02}
    second, played = player.fill(RATE // 50)
    assert second[0] == np.float32(0.1) and second[-1] == np.float32(0.2)
    assert played == {1: pytest.approx(0.03), 2: pytest.approx(0.01)}


def test_held_sound_goes_on_where_it_was_held() -> None:
    player = Player(RATE)
    ramp = np.linspace(-1, 1, RATE, dtype=np.float32)
    player.take(AudioSpoken(turn=1, at_s=0.0, audio=Audio(ramp, RATE)))
    before, _ = player.fill(800)
    player.take(AgentPaused(turn=1, at_s=0.0))
    held, played = player.fill(800)
    assert np.all(held[round(FADE_S * RATE) :] == 0) and played == {}
    player.take(AgentResumed(turn=1, at_s=0.0))
    after, played = player.fill(800)
    assert np.array_equal(np.concatenate([before, after]), ramp[:1600]) and played == {1: 0.1}


def test_stopped_sound_ends_without_a_click_and_the_next_answer_is_whole() -> None:
    player = Player(RATE)
    player.take(spoken(1, 1.0))
    player.fill(320)
    player.take(AgentStopped(turn=1, at_s=0.0, played_s=0.02))
    block, _ = player.fill(320)
    steps = np.abs(np.diff(np.concatenate([[0.5], block])))
    assert steps.max() < 0.02 and block[-1] == 0
    player.take(spoken(2, 0.02, 0.3))
    block, played = player.fill(320)
    assert np.all(block == np.float32(0.3)) and played == {2: 0.02}


@given(st.lists(st.tuples(st.integers(1, 900), st.sampled_from([8000, 16_000, 24_000])), max_size=8), st.data())
def test_however_it_is_asked_for_as_much_is_reported_as_was_played(
    pieces: list[tuple[int, int]], data: st.DataObject
) -> None:
    player = Player(RATE)
    for count, rate in pieces:
        player.take(AudioSpoken(turn=7, at_s=0.0, audio=Audio(np.full(count, 0.5, np.float32), rate)))
    waiting = sum(len(samples) for _, samples in player._waiting)
    reported = 0.0
    while player.is_playing:
        _, played = player.fill(data.draw(st.integers(1, 700)))
        reported = played.get(7, reported)
    assert round(reported * RATE) == waiting
