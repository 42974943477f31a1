"""`Microphone`: the user's sound at 16 kHz, kept as long as a turn may need it."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import Chunk, PcmStream

Samples = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
KEPT_S = 2.0
"""Sound that is kept while nobody speaks: the beginning of a turn is found after it was said."""


class Microphone:
    """Converts the microphone's sound, and keeps what was said lately. Its clock counts samples.

    sample_rate: of raw chunks

    Raises AudioError for a rate out of range.
    """

    def __init__(self, sample_rate: int) -> None:
        self._stream = PcmStream(SAMPLE_RATE_HZ, from_hz=sample_rate, prompt=True)
        self._kept: deque[Samples] = deque()
        self._start = self._end = 0  # in samples, of what is kept

    @property
    def now_s(self) -> float:
        """Seconds of sound so far."""
        return self._end / SAMPLE_RATE_HZ

    @property
    def end(self) -> int:
        """Samples of sound so far."""
        return self._end

    def convert(self, chunk: Chunk) -> Samples:
        """The sound that is ready now: (n,) float32 at 16 kHz. Raises AudioError, as PcmStream.push does."""
        return self._stream.push(chunk).samples

    def keep(self, sound: Samples) -> None:
        """Add sound."""
        if len(sound):
            self._kept.append(sound)
            self._end += len(sound)

    def cut(self, start_s: float, end_s: float) -> Audio:
        """The sound between two times, as far as it is kept."""
        start, end = (max(0, round(s * SAMPLE_RATE_HZ) - self._start) for s in (start_s, end_s))
        parts, place = [np.zeros(0, np.float32)], 0
        for part in self._kept:
            if place < end and place + len(part) > start:
                parts.append(part[max(0, start - place) : end - place])
            place += len(part)
        return Audio.of_sound(np.concatenate(parts), SAMPLE_RATE_HZ)

    def forget(self, needed_s: float | None) -> None:
        """Drop sound that is older than KEPT_S, and not needed. needed_s: where the sound begins that is."""
        before = self._end - round(KEPT_S * SAMPLE_RATE_HZ)
        if needed_s is not None:
            before = min(before, round(needed_s * SAMPLE_RATE_HZ))
        while self._kept and self._start + len(self._kept[0]) <= before:
            self._start += len(self._kept.popleft())
