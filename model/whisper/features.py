"""Log-mel spectrograms as Whisper was trained on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound.mel import mel_decades

SAMPLE_RATE_HZ = 16_000
HOP = 160
WINDOW = 400
DYNAMIC_RANGE = 8.0
"""Decades below the loudest value; quieter values are raised to this floor."""

LONGEST_S = 30
"""The encoder has positions for 3000 frames, on which it was trained."""


def log_mel(samples: NDArray[np.float32], bands: int, window_s: int) -> NDArray[np.float32]:
    """Log-mel spectrogram of a sound that is padded with zeros to `window_s` seconds.

    samples: (n,) float32 in [-1, 1], 16 kHz mono, n <= 16,000 * window_s
    bands: 80, or 128 for large-v3 and its descendants
    window_s: 1 to 30
    returns: (bands, 100 * window_s) float32; hop 10 ms

    Raises AudioError for more samples than the window holds.
    Source: OpenAI Whisper, audio.py, log_mel_spectrogram; computed in float64.
    """
    length = window_s * SAMPLE_RATE_HZ
    if not 1 <= window_s <= LONGEST_S or len(samples) > length:
        raise AudioError(
            f"{len(samples)} samples do not fit into a window of {window_s} s; a window has 1 to {LONGEST_S} s"
        )
    padded = np.zeros(length, np.float64)
    padded[: len(samples)] = samples
    padded = np.pad(padded, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][: length // HOP]
    decades = mel_decades(frames, bands, SAMPLE_RATE_HZ)
    scaled = (np.maximum(decades, decades.max() - DYNAMIC_RANGE) + 4.0) / 4.0
    return np.ascontiguousarray(scaled.T, np.float32)
