"""`VoiceFrames`: what turn taking is decided by, 32 ms at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.silero import CONTEXT, FRAME, Look
from agentaudio.sound.vad import SAMPLE_RATE_HZ, VoiceActivityStream

Samples = NDArray[np.float32]

SILENCE_DBFS = -120.0
SILENCE = 1e-12
"""Powers below it have the level SILENCE_DBFS."""
NOTHING_DBFS = -85.0
"""Below it a microphone is muted, or its noise gate has closed."""
LOOKS_ON = 10
"""Quiet frames after which the network is not asked any more; by then it has settled at silence."""


class VoiceFrame(NamedTuple):
    """probability: that someone speaks; level_dbfs: of the mean power"""

    probability: float
    level_dbfs: float


class Glimpse(NamedTuple):
    """The latest 32 ms, before they are a frame of their own.

    new_s: seconds of it that belong to the next frame
    """

    probability: float
    level_dbfs: float
    new_s: float


class Seen(NamedTuple):
    """look: what the network is asked for; None where nobody can be heard; new_s: as in Glimpse"""

    look: Look | None
    level_dbfs: float
    new_s: float = 0.0


class VoiceFrames:
    """Finds voice and level in sound that arrives in chunks. Not thread-safe: one instance serves one stream."""

    def __init__(self) -> None:
        self._voice_activity = VoiceActivityStream()
        self._waiting: list[Samples] = []
        self._count = self._silent = 0
        self._latest = np.zeros(CONTEXT + FRAME, np.float32)  # of the whole frames

    def push(self, samples: Samples, *, nobody_below_dbfs: float = NOTHING_DBFS) -> list[VoiceFrame]:
        """Take more samples; return the frames that are complete now.

        samples: (n,) float32 at 16 kHz
        nobody_below_dbfs: level below which nobody is listened for; after LOOKS_ON such frames the network is not asked
        """
        seen = [self.seen(frame, nobody_below_dbfs=nobody_below_dbfs) for frame in self.take(samples)]
        return [VoiceFrame(0.0 if one.look is None else one.look.alone(), one.level_dbfs) for one in seen]

    def glimpse(self, *, nobody_below_dbfs: float = NOTHING_DBFS) -> Glimpse | None:
        """Look at the latest 32 ms when half of them or more are not part of a frame yet; None before, and where
        nobody is listened for. The frames that come are the same as without it.
        """
        seen = self.seen_again(nobody_below_dbfs=nobody_below_dbfs)
        if seen is None or seen.look is None:
            return None
        return Glimpse(seen.look.alone(), seen.level_dbfs, seen.new_s)

    def take(self, samples: Samples) -> Sequence[Samples]:
        """`push` in two steps, for those who ask the network for many streams at once: the whole frames, each of
        which goes to `seen`.
        """
        self._waiting.append(samples)
        self._count += len(samples)
        if self._count < FRAME:
            return ()
        sound = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        whole = len(sound) - len(sound) % FRAME
        self._latest = np.concatenate([self._latest, sound[:whole]])[-CONTEXT - FRAME :]
        self._waiting, self._count = [sound[whole:]], len(sound) - whole
        return list(sound[:whole].reshape(-1, FRAME))

    def seen(self, frame: Samples, *, nobody_below_dbfs: float = NOTHING_DBFS) -> Seen:
        """The next frame, and what the network is asked for. Its answer comes before the frame after it is seen."""
        level_dbfs = _level_dbfs(frame)
        self._silent = self._silent + 1 if level_dbfs < nobody_below_dbfs else 0
        if self._silent > LOOKS_ON:
            self._voice_activity.pass_over(frame)
            return Seen(None, level_dbfs)
        return Seen(Look(self._voice_activity.stream, self._voice_activity.window(frame)), level_dbfs)

    def seen_again(self, *, nobody_below_dbfs: float = NOTHING_DBFS) -> Seen | None:
        """`glimpse` in two steps, as `seen` is for `push`."""
        if self._count < FRAME // 2:
            return None
        latest = np.concatenate([self._latest, *self._waiting])[-CONTEXT - FRAME :]
        level_dbfs = _level_dbfs(latest[CONTEXT:])
        if level_dbfs < nobody_below_dbfs:
            return None
        look = Look(self._voice_activity.stream, latest, comes_again=True)
        return Seen(look, level_dbfs, self._count / SAMPLE_RATE_HZ)


def _level_dbfs(frame: Samples) -> float:
    power = float(frame @ frame) / FRAME
    return 10 * math.log10(power) if power > SILENCE else SILENCE_DBFS
