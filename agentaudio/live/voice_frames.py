"""`VoiceFrames`: what turn taking is decided by, 32 ms at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.vad import FRAME, VoiceActivityStream

Samples = NDArray[np.float32]

SILENCE_DBFS = -120.0
SILENCE = 1e-12
"""Powers below it have the level SILENCE_DBFS."""
SWITCHED_OFF_DBFS = -85.0
"""Below it there is no microphone that hears anything: it is muted, or a noise gate has closed."""
LOOKS_ON = 10
"""Frames below it after which the network is not asked any more; by then it has settled at silence."""


class VoiceFrame(NamedTuple):
    """probability: that someone speaks; level_dbfs: of the mean power"""

    probability: float
    level_dbfs: float


class VoiceFrames:
    """Finds voice and level in sound that arrives in chunks. Not thread-safe: one instance serves one stream."""

    def __init__(self) -> None:
        self._voice_activity = VoiceActivityStream()
        self._waiting: list[Samples] = []
        self._count = self._silent = 0

    def push(self, samples: Samples) -> list[VoiceFrame]:
        """Take more samples, (n,) float32 at 16 kHz; return the frames that are complete now."""
        self._waiting.append(samples)
        self._count += len(samples)
        if self._count < FRAME:
            return []
        sound = np.concatenate(self._waiting)
        whole = len(sound) - len(sound) % FRAME
        self._waiting, self._count = [sound[whole:]], len(sound) - whole
        return [self._heard(frame) for frame in sound[:whole].reshape(-1, FRAME)]

    def _heard(self, frame: Samples) -> VoiceFrame:
        power = float(frame @ frame) / FRAME
        level_dbfs = 10 * math.log10(power) if power > SILENCE else SILENCE_DBFS
        self._silent = self._silent + 1 if level_dbfs < SWITCHED_OFF_DBFS else 0
        if self._silent > LOOKS_ON:
            self._voice_activity.pass_over(frame)
            return VoiceFrame(0.0, level_dbfs)
        return VoiceFrame(float(self._voice_activity.push(frame)[0]), level_dbfs)
