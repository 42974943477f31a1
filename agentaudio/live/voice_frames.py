"""`VoiceFrames`: what turn taking is decided by, 32 ms at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.silero import CONTEXT, FRAME, Look, SileroStream
from agentaudio.sound.vad import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

SILENCE_DBFS = -120.0
SILENCE = 1e-12
"""Powers below it have the level SILENCE_DBFS."""
NOTHING_DBFS = -85.0
"""Below it a microphone is muted, or its noise gate has closed."""
LOOKS_ON = 10
"""Quiet frames after which the network is not asked any more; by then it has settled at silence."""
WINDOW = CONTEXT + FRAME
ROOM = 4_096
"""Samples for which there is room before those that are needed are moved."""


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
        self._stream = SileroStream()
        self._silent = 0
        self._sound = np.zeros(WINDOW + ROOM, np.float32)
        self._next = self._end = WINDOW  # in _sound: where the next frame begins, and where the sound ends

    def push(self, samples: Samples, *, nobody_below_dbfs: float = NOTHING_DBFS) -> list[VoiceFrame]:
        """Take more samples; return the frames that are complete now.

        samples: (n,) float32 at 16 kHz
        nobody_below_dbfs: level below which nobody is listened for; after LOOKS_ON such frames the network is not asked
        """
        seen = [self.seen(window, nobody_below_dbfs=nobody_below_dbfs) for window in self.take(samples)]
        return [VoiceFrame(0.0 if one.look is None else one.look.alone(), one.level_dbfs) for one in seen]

    def glimpse(self, *, nobody_below_dbfs: float = NOTHING_DBFS) -> Glimpse | None:
        """Look at the latest 32 ms when half of them or more are not part of a frame yet; None before, and where
        nobody is listened for. The frames that come are the same as without it.
        """
        seen = self.seen_again(nobody_below_dbfs=nobody_below_dbfs)
        if seen is None or seen.look is None:
            return None
        return Glimpse(seen.look.alone(), seen.level_dbfs, seen.new_s)

    def take(self, samples: Samples) -> list[Samples]:
        """`push` in two steps, for those who ask the network for many streams at once: the whole frames, each with
        what comes before it, (576,), and each of which goes to `seen`.
        """
        start, end = self._next, self._end + len(samples)
        if end > len(self._sound):
            # In a new array: the network may not have looked yet at what is a part of the old one.
            kept = self._sound[start - WINDOW : self._end]
            self._sound = np.empty(len(kept) + len(samples) + ROOM, np.float32)
            self._sound[: len(kept)] = kept
            start, self._end, end = WINDOW, len(kept), len(kept) + len(samples)
        self._sound[self._end : end] = samples
        self._end = end
        self._next = end - (end - start) % FRAME
        return [self._sound[at - CONTEXT : at + FRAME] for at in range(start, self._next, FRAME)]

    def seen(self, window: Samples, *, nobody_below_dbfs: float = NOTHING_DBFS) -> Seen:
        """The next frame, and what the network is asked for. Its answer comes before the frame after it is seen."""
        level_dbfs = _level_dbfs(window[CONTEXT:])
        self._silent = self._silent + 1 if level_dbfs < nobody_below_dbfs else 0
        return Seen(Look(self._stream, window) if self._silent <= LOOKS_ON else None, level_dbfs)

    def seen_again(self, *, nobody_below_dbfs: float = NOTHING_DBFS) -> Seen | None:
        """`glimpse` in two steps, as `seen` is for `push`; None until half a frame is new."""
        new = self._end - self._next
        if new < FRAME // 2:
            return None
        latest = self._sound[self._end - WINDOW : self._end]
        level_dbfs = _level_dbfs(latest[CONTEXT:])
        look = Look(self._stream, latest, comes_again=True) if level_dbfs >= nobody_below_dbfs else None
        return Seen(look, level_dbfs, new / SAMPLE_RATE_HZ)


def _level_dbfs(frame: Samples) -> float:
    power = float(frame @ frame) / FRAME
    return 10 * math.log10(power) if power > SILENCE else SILENCE_DBFS
