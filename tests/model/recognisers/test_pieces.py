"""Cutting long sound: every stretch of speech lies in the pieces once, in order, and each piece fits a window."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.examples import share

from agentaudio.model.recognisers.pieces import LONGEST_PIECE_S, MARGIN_S, Piece, pieces
from agentaudio.sound.vad import SAMPLE_RATE_HZ


@cache
def noise(duration_s: float, quiet_at: tuple[float, ...] = ()) -> NDArray[np.float32]:
    samples = np.random.default_rng(0).standard_normal(round(duration_s * SAMPLE_RATE_HZ)).astype(np.float32) * 0.1
    for at in quiet_at:
        samples[round((at - 0.06) * SAMPLE_RATE_HZ) : round((at + 0.06) * SAMPLE_RATE_HZ)] = 0
    return samples


def test_short_speech_is_one_piece_with_margins() -> None:
    assert pieces(noise(10), [(1.0, 2.0), (3.0, 8.0)]) == [Piece(1.0 - MARGIN_S, 8.0 + MARGIN_S)]
    assert pieces(noise(10), [(0.1, 9.95)]) == [Piece(0.0, 10.0)]
    assert pieces(noise(10), []) == []


def test_long_speech_is_cut_in_the_longest_pause() -> None:
    spoken = [(0.5, 9.0), (9.4, 15.0), (15.4, 20.0), (21.5, 26.0), (26.5, 40.0)]
    assert pieces(noise(41), spoken) == [Piece(0.3, 20.0 + MARGIN_S), Piece(21.5 - MARGIN_S, 40.0 + MARGIN_S)]


def test_speech_without_pauses_is_cut_where_it_is_quietest() -> None:
    found = pieces(noise(60, quiet_at=(5, 20, 41)), [(0.0, 60.0)])
    assert [round(one.end, 1) for one in found] == [20.0, 41.0, 60.0]
    assert all(before.end == after.start for before, after in zip(found, found[1:], strict=False))


@settings(max_examples=share(40))
@given(st.lists(st.tuples(st.floats(0.35, 6), st.floats(0.1, 50)), min_size=1, max_size=8))
def test_no_speech_is_lost_or_doubled(gaps_and_lengths: list[tuple[float, float]]) -> None:
    spoken, now = [], 0.0
    for gap, length in gaps_and_lengths:
        spoken.append((now + gap, now + gap + length))
        now += gap + length
    found = pieces(noise(420)[: round((now + 0.3) * SAMPLE_RATE_HZ)], spoken)
    assert all(0 <= one.start < one.end <= one.start + LONGEST_PIECE_S + 1e-6 for one in found)
    assert all(before.end <= after.start + 1e-6 for before, after in zip(found, found[1:], strict=False))
    for start, end in spoken:
        covered = sum(max(0.0, min(end, one.end) - max(start, one.start)) for one in found)
        assert abs(covered - (end - start)) < 1e-3


@settings(max_examples=share(20))
@given(st.floats(1.0, 25.0))
def test_a_sound_that_still_arrives_is_cut_in_the_same_place(later_s: float) -> None:
    samples = noise(60, quiet_at=(20, 41))
    first = pieces(samples, [(0.0, 60.0)])[0]
    arrived = LONGEST_PIECE_S + 1.0 + later_s
    assert pieces(samples[: round(arrived * SAMPLE_RATE_HZ)], [(0.0, arrived)])[0] == first
