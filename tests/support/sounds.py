"""Sounds for tests."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio


def tone(frequency_hz: float = 220.0, duration_s: float = 1.0, sample_rate: int = 16_000) -> Audio:
    """A sine with a peak of a third of full scale."""
    time = np.arange(round(duration_s * sample_rate)) / sample_rate
    return Audio(0.3 * np.sin(2 * np.pi * frequency_hz * time), sample_rate)


def wav(samples: NDArray[np.floating], rate: int, subtype: str = "PCM_16", format: str = "WAV") -> bytes:
    """A sound file written by libsndfile, not by the code under test."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, subtype=subtype, format=format)
    return buffer.getvalue()
