"""`VoiceFrames`: what turn taking is decided by, 32 ms at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.vad import FRAME, VoiceActivityStream

Samples = NDArray[np.float32]

SILENCE_DBFS = -120.0


class VoiceFrame(NamedTuple):
    """probability: that someone speaks; level_dbfs: of the mean power"""

    probability: float
    level_dbfs: float


class VoiceFrames:
    """Finds voice and level in sound that arrives in chunks. Not thread-safe: one instance serves one stream."""

    def __init__(self) -> None:
        self._voice_activity = VoiceActivityStream()
        self._waiting = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> list[VoiceFrame]:
        """Take more samples, (n,) float32 at 16 kHz; return the frames that are complete now."""
        probabilities = self._voice_activity.push(samples)
        self._waiting = np.concatenate([self._waiting, samples])
        count = len(probabilities) * FRAME
        powers = np.mean(self._waiting[:count].reshape(-1, FRAME).astype(np.float64) ** 2, axis=1)
        self._waiting = self._waiting[count:]
        levels = 10 * np.log10(np.maximum(powers, 10 ** (SILENCE_DBFS / 10)))
        return [VoiceFrame(*pair) for pair in zip(probabilities.tolist(), levels.tolist(), strict=True)]
