"""Loudness of speech as listeners perceive it, in LUFS."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BLOCK_S, STEP_S = 0.4, 0.1
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0

# K-weighting of ITU-R BS.1770-5, annex 1, as the analogue filters behind its two tables of coefficients:
# a shelf for the head and a high pass. Source: the values that libebur128 derives for any sample rate.
_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773


def loudness(samples: NDArray[np.floating], rate: int) -> float:
    """Gated loudness of mono sound in LUFS, after ITU-R BS.1770; minus infinity for silence.

    samples: (n,) float; sound shorter than 0.4 s counts as one block
    """
    if not len(samples):
        return -math.inf
    block, step = round(BLOCK_S * rate), round(STEP_S * rate)
    weighted = np.square(_weighted(np.asarray(samples, np.float64), rate))
    sums = np.concatenate([[0.0], np.cumsum(weighted)])
    starts = np.arange(0, max(1, len(samples) - block + 1), step)
    ends = np.minimum(starts + block, len(samples))
    powers = np.maximum((sums[ends] - sums[starts]) / (ends - starts), 1e-20)
    levels = -0.691 + 10 * np.log10(powers)
    loud = levels > ABSOLUTE_GATE_LUFS
    if not loud.any():
        return -math.inf
    gate = -0.691 + 10 * math.log10(powers[loud].mean()) + RELATIVE_GATE_LU
    return float(-0.691 + 10 * math.log10(powers[loud & (levels > gate)].mean()))


def _weighted(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """The samples after K-weighting; only magnitudes count, so the filter has no phase."""
    size = len(samples)
    spectrum = np.fft.rfft(samples, 2 * size)
    s = 1j * np.fft.rfftfreq(2 * size, 1 / rate)
    head, base = 10 ** (_SHELF_DB / 20), 10 ** (_SHELF_DB / 40)
    shelf = s / _SHELF_HZ
    gain = (head * shelf**2 + base * shelf / _SHELF_Q + 1) / (shelf**2 + shelf / _SHELF_Q + 1)
    low = s / _HIGH_PASS_HZ
    gain = gain * low**2 / (low**2 + low / _HIGH_PASS_Q + 1)
    return np.fft.irfft(spectrum * np.abs(gain), 2 * size)[:size]
