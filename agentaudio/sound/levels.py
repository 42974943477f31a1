"""How loud samples are, how to change that, and fades. A level of 1.0 is full scale, 0 dBFS."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

SILENCE_PEAK = 1e-4
"""-80 dBFS: below the last bit of most microphones."""

LOUDEST_PEAK = 8.0
"""18 dB over full scale. Float samples above it are most likely unscaled integers."""


def peak(samples: Floats) -> float:
    """Largest magnitude; 0 for no samples."""
    # Without np.abs, which copies all samples.
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def rms(samples: Floats) -> float:
    """Root mean square, computed in float64; 0 for no samples."""
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean())) if samples.size else 0.0


def dbfs(level: float) -> float:
    """A peak or RMS level in decibels relative to full scale; minus infinity for 0."""
    return 20 * math.log10(level) if level > 0 else -math.inf


def from_dbfs(decibels: float) -> float:
    """The linear level at `decibels` dBFS; the inverse of `dbfs`."""
    return float(10 ** (decibels / 20))


def gain_to(target_rms: float, measured: Floats, *, highest_peak: float = math.inf) -> float:
    """The factor that brings `measured` to an RMS level, less where its peak would exceed `highest_peak`.

    Returns 1.0 for silence and for no samples.
    """
    level = rms(measured)
    return min(target_rms / level, highest_peak / peak(measured)) if level > 0 else 1.0


def frame_powers(samples: Floats, size: int) -> NDArray[np.float64]:
    """Mean square of consecutive frames of `size` samples: (n // size,) float64. The rest is left out."""
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    return np.asarray(np.square(frames, dtype=np.float64).mean(axis=1))


def fade_edges(samples: Floats, count: int) -> NDArray[np.float32]:
    """Ramp the first and the last `count` samples linearly from and to 0, so that cut sound does not click.

    samples: (n,) float; where n < 2 * count the ramps meet in the middle below 1
    returns: (n,) float32
    """
    distance = np.arange(len(samples))
    gain = np.minimum(distance, distance[::-1]).clip(max=count) / count if count else 1.0
    return np.asarray(samples * gain, np.float32)
