"""`PromptResampler`: sound at another rate within milliseconds, for those who cannot wait for soxr."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

MOST_PHASES = 4
"""Rates whose ratio needs more of them are left to soxr."""
ZERO_CROSSINGS = 32
"""Of the filter, on each side: it passes 90 % of the lower Nyquist rate, and takes 80 dB away from 110 % on."""
BLOCK = 16
"""Shifts of the filter that are worked on together, as one matrix: 1 to 2 ms of sound."""
BETA = 8.0
"""Of the Kaiser window."""
CUT = 0.97
"""Where the filter halves the level, as a share of the lower Nyquist rate."""


def is_simple(from_hz: int, to_hz: int) -> bool:
    """Whether a PromptStream takes these rates."""
    common = math.gcd(from_hz, to_hz)
    return to_hz // common <= MOST_PHASES and from_hz // common <= 2 * MOST_PHASES


class PromptResampler:
    """A polyphase filter of linear phase, in the place of a Resampler. However the sound is cut, the same samples come
    out, within 1e-6.

    What comes out stands where it stood in the sound; its last 4 ms (6 ms from 8 kHz) wait for what follows. soxr holds
    back 6 to 36 ms, and 12 to 115 ms from 8 kHz.

    from_hz, to_hz: rates for which `is_simple`; otherwise ValueError

    Not thread-safe. Source: windowed-sinc interpolation, J. F. Kaiser, "Nonrecursive digital filter design using the
    I0-sinh window function", Proc. IEEE ISCAS, 1974.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if not is_simple(from_hz, to_hz):
            raise ValueError(f"no simple ratio: {from_hz} to {to_hz} Hz")
        common = math.gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        self._filter = _blocks(self._up, self._down)
        self._waiting = np.zeros(_reach(self._up, self._down), np.float32)
        self._taken = self._given = 0

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        """Take (n,) float32 samples more; return the (m,) float32 that are final now.

        last: nothing follows; the return value holds all that is left
        """
        self._taken += len(samples)
        span, hop = len(self._filter), BLOCK * self._down
        sound = np.concatenate([self._waiting, samples, np.zeros(span + hop if last else 0, np.float32)])
        blocks = max(0, (len(sound) - span) // hop + 1)
        self._waiting = sound[blocks * hop :]
        windows = np.ndarray((blocks, span), np.float32, sound, 0, (4 * hop, 4))
        found = (windows @ self._filter).reshape(-1)
        if last:
            found = found[: (2 * self._taken * self._up + self._down) // (2 * self._down) - self._given]
        self._given += len(found)
        return np.asarray(found, np.float32)


def _reach(up: int, down: int) -> int:
    """Samples of the input that the filter needs on each side."""
    return math.ceil(ZERO_CROSSINGS * max(1.0, down / up))


@functools.cache
def _phases(up: int, down: int) -> Samples:
    """The weights of a window of the input for `up` samples of the output: (span, up) float32."""
    reach, cut = _reach(up, down), CUT * min(1.0, up / down)
    span = 2 * reach + math.ceil((up - 1) * down / up) + 1
    at = np.arange(span)[:, None] - reach - np.arange(up)[None, :] * down / up
    inside = np.clip(1 - (at / reach) ** 2, 0, None)
    weights = cut * np.sinc(cut * at) * np.i0(BETA * np.sqrt(inside)) / np.i0(BETA) * (np.abs(at) <= reach)
    weights /= weights.sum(axis=0)  # silence stays silence, and a constant what it is
    return np.ascontiguousarray(weights, np.float32)


@functools.cache
def _blocks(up: int, down: int) -> Samples:
    """The weights of a window of the input for BLOCK shifts of the filter: (span, BLOCK * up) float32."""
    phases = _phases(up, down)
    weights = np.zeros(((BLOCK - 1) * down + len(phases), BLOCK * up), np.float32)
    for shift in range(BLOCK):
        weights[shift * down : shift * down + len(phases), shift * up : (shift + 1) * up] = phases
    return weights
