"""`Manner`: how fast and how loud an answer is spoken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import from_dbfs, peak
from agentaudio.sound.tempo import TempoStream

LOUDEST_PEAK = 0.97


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is spoken, compared with the synthesiser's own way.

    rate: 2 is twice as fast; 0.25 to 4
    gain_db: added to the level; peaks stay below LOUDEST_PEAK
    """

    rate: float = 1.0
    gain_db: float = 0.0

    def applied(self, sound: Audio) -> Audio:
        """A phrase in this manner, at its own pitch. Raises AudioError for a rate out of range."""
        if self.rate != 1 and len(sound):
            stream = TempoStream(self.rate, sound.sample_rate)
            sound = Audio.concat([stream.push(sound), stream.finish()])
        if self.gain_db and len(sound):
            louder = sound.samples * np.float32(from_dbfs(self.gain_db))
            highest = peak(louder)
            if highest > LOUDEST_PEAK:
                # Soft limit: the loudest samples are rounded off, the others keep their gain.
                louder = (LOUDEST_PEAK * np.tanh(louder / LOUDEST_PEAK)).astype(np.float32)
            sound = Audio(louder.astype(np.float32), sound.sample_rate)
        return sound
