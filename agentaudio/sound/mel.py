"""Mel filterbanks and mel energies as speech models use them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

FLOOR = 1e-10
"""Least mel energy; quieter bands are raised to it before the logarithm."""


def mel_decades(frames: NDArray[np.floating], bands: int, sample_rate: int) -> NDArray[np.float64]:
    """log10 of the energy in each mel band: (t, bands) float64, at least -10.

    frames: (t, window) samples, float; a periodic Hann window is applied
    bands: as in `mel_filters`
    """
    window = frames.shape[1]
    spectrum = np.fft.rfft(frames * _hann(window), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    energy = power @ mel_filters(bands, window, sample_rate).T.astype(np.float64)
    return np.log10(np.maximum(energy, FLOOR))


@cache
def mel_filters(bands: int, window: int, sample_rate: int) -> NDArray[np.float32]:
    """A mel filterbank from 0 to 8000 Hz: (bands, window // 2 + 1) float32, read-only.

    bands: number of triangles, of equal area in Hz and evenly spaced on Slaney's mel scale: linear up
        to 1 kHz in steps of 200/3 Hz, then 27 steps per factor of 6.4
    window: length of the Fourier transform in samples
    sample_rate: of the sound, in Hz

    Source: Slaney, Auditory Toolbox (1998); librosa.filters.mel with its defaults is the same.
    """
    top = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    mel = np.linspace(0.0, top, bands + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    bins = np.arange(window // 2 + 1) * sample_rate / window
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: NDArray[np.float32] = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    filters.flags.writeable = False
    return filters


@cache
def _hann(window: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    values.flags.writeable = False
    return values
