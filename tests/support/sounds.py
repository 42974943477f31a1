"""Small real things that tests build on."""

from __future__ import annotations

import numpy as np

from agentaudio.sound.audio import Audio


def tone(frequency_hz: float = 220.0, duration_s: float = 1.0, sample_rate: int = 16_000) -> Audio:
    """A sine of a third of full scale."""
    time = np.arange(round(duration_s * sample_rate)) / sample_rate
    return Audio(0.3 * np.sin(2 * np.pi * frequency_hz * time), sample_rate)
