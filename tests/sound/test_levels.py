"""Levels, gains and fades."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from support.sounds import tone

from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import dbfs, fade_edges, frame_powers, from_dbfs, gain_to, peak, rms

EMPTY = np.zeros(0, np.float32)


def test_levels_of_known_sounds() -> None:
    square = np.array([0.5, -0.5, 0.5, -0.5], np.float32)
    assert peak(square) == rms(square) == 0.5
    sine = tone(200, 1.0)
    assert sine.rms == pytest.approx(0.3 / math.sqrt(2), rel=1e-4) and sine.peak == pytest.approx(0.3, rel=1e-4)
    assert peak(EMPTY) == rms(EMPTY) == Audio(EMPTY, 16_000).rms == 0.0


def test_decibels_and_levels_are_inverse() -> None:
    assert dbfs(1.0) == 0 and dbfs(0.5) == pytest.approx(-6.02, abs=0.01) and dbfs(0.0) == -math.inf
    for decibels in (-80.0, -23.0, 0.0, 6.0):
        assert dbfs(from_dbfs(decibels)) == pytest.approx(decibels)


@given(arrays(np.float32, st.integers(1, 200), elements=st.floats(-1, 1, width=32)), st.floats(0.01, 0.5))
def test_gain_reaches_the_level_or_stops_at_the_highest_peak(samples: NDArray[np.float32], target: float) -> None:
    raised = samples.astype(np.float64) * gain_to(target, samples, highest_peak=0.9)
    if rms(samples) > 1e-20:
        assert rms(raised) == pytest.approx(target, rel=1e-5) or peak(raised) == pytest.approx(0.9, rel=1e-5)
        assert peak(raised) < 0.9001 and rms(raised) < target * 1.0001


def test_frame_powers_are_those_of_whole_frames() -> None:
    samples = np.array([1, -1, 0.5, 0.5, 0.25], np.float32)
    assert frame_powers(samples, 2).tolist() == [1.0, 0.25]
    assert len(frame_powers(samples, 6)) == len(frame_powers(EMPTY, 2)) == 0


def test_silence_is_not_raised() -> None:
    assert gain_to(0.1, np.zeros(100, np.float32)) == gain_to(0.1, EMPTY) == 1.0


def test_fades_begin_and_end_at_zero_and_leave_the_middle() -> None:
    faded = fade_edges(np.ones(100, np.float32), 10)
    assert faded[0] == faded[-1] == 0 and faded[5] == faded[-6] == pytest.approx(0.5)
    assert (faded[10:-10] == 1).all() and faded.dtype == np.float32
    assert np.abs(np.diff(faded)).max() <= 0.1001


def test_the_shortest_fades() -> None:
    assert fade_edges(np.ones(4, np.float32), 1).tolist() == [0, 1, 1, 0]
    assert fade_edges(np.ones(4, np.float32), 0).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 50])
def test_sound_shorter_than_its_fades_stays_below_them(count: int) -> None:
    faded = fade_edges(np.ones(6, np.float32), count)
    assert len(faded) == 6 and (faded >= 0).all() and (faded <= 1).all()
    assert len(fade_edges(EMPTY, count)) == 0
