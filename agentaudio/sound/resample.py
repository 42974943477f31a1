"""Samples at another rate, whole or chunk by chunk, with equal results."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound.levels import LOUDEST_PEAK, peak

Samples = NDArray[np.float32]

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000

QUALITY = "HQ"
"""soxr's name for linear phase, a pass band to 91 % of the lower Nyquist rate and 20 bits of precision."""


def check_rate(sample_rate: int) -> None:
    """Raise AudioError unless a sample rate is a whole number from MIN_SAMPLE_RATE to MAX_SAMPLE_RATE."""
    if type(sample_rate) is int and MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        return
    valid = isinstance(sample_rate, numbers.Real) and MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE
    if not valid or int(sample_rate) != sample_rate:
        raise AudioError(
            f"sample rate {sample_rate!r} Hz is out of range; "
            f"give a whole number from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """The same sound at another rate: n * to_hz / from_hz samples, rounded to a nearest number.

    samples: (n,) float32. Filtering may raise peaks; they are limited to `levels.LOUDEST_PEAK`.
    Source: soxr (the SoX resampler library).
    """
    if from_hz == to_hz:
        return samples
    import soxr

    return _limited(soxr.resample(samples, from_hz, to_hz, quality=QUALITY))


class Resampler:
    """`resample` for sound that arrives in chunks: all outputs together equal, bit by bit, those of `resample`.

    Not thread-safe: one instance serves one stream.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream: Any = None
        if from_hz != to_hz:
            import soxr

            self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=QUALITY)

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        """Take (n,) float32 samples more; return the (m,) float32 that are final now.

        last: nothing follows; the return value holds all that is left
        """
        if self._stream is None:
            return samples
        return _limited(self._stream.resample_chunk(samples, last=last))


def _limited(samples: Samples) -> Samples:
    if peak(samples) <= LOUDEST_PEAK:
        return samples
    return np.asarray(np.clip(samples, -LOUDEST_PEAK, LOUDEST_PEAK), np.float32)
