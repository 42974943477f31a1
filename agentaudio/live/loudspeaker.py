"""`Loudspeaker`: what the listener's loudspeaker plays now, by the reports of the player."""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream

Samples = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
AUDIBLE = 10 ** (-60 / 20)
"""Peak of a sound that can be heard."""
APART = round(0.06 * SAMPLE_RATE_HZ)
"""Positions that differ by less are taken for the same, so that coarse reports do not tear the echo's reference."""
UNHEARD_TAIL_S = 0.02
STEP = SAMPLE_RATE_HZ // 50


class Loudspeaker:
    """The sound of one answer at 16 kHz, and how far it was played.

    turn: number of its turn
    reports: whether the player reports its position; a report sets it, too

    Between two reports the position advances with the microphone's clock. Without any report the sound counts as
    played from when it was made.
    """

    def __init__(self, turn: int = 0, *, reports: bool = False) -> None:
        self.turn, self.reports = turn, reports
        self.held = False
        self._stream = PcmStream(SAMPLE_RATE_HZ)
        self._parts: list[Samples] = []
        self._starts: list[int] = []  # of each part, in samples
        self.length = 0  # samples of the turn's sound so far
        self._audible_end = 0
        self._made_s = self._protected_s = self._reported_s = 0.0
        self._notices: list[tuple[float, float]] = []
        self._position = 0.0
        self._taken = 0
        self._started = False

    def add(self, audio: Audio, *, is_notice: bool = False, is_protected: bool = False) -> None:
        """More sound of the turn.

        is_notice: it is not part of the answer
        is_protected: nobody may interrupt it
        """
        start_s, self._made_s = self._made_s, self._made_s + audio.duration
        if is_protected:
            self._protected_s = self._made_s
        if is_notice:
            self._notices.append((start_s, self._made_s))
        ready = self._stream.push(audio).samples
        if not len(ready):
            return
        audible = np.flatnonzero(np.abs(ready) > AUDIBLE)
        if len(audible):
            self._audible_end = self.length + int(audible[-1]) + 1
        self._starts.append(self.length)
        self._parts.append(ready)
        self.length += len(ready)

    def drop(self) -> None:
        """What has not been played will not be."""
        self.length = min(self.length, round(self._position))
        while self._starts and self._starts[-1] >= self.length:
            self._starts.pop()
            self._parts.pop()
        if self._parts:
            self._parts[-1] = self._parts[-1][: self.length - self._starts[-1]]
        self._audible_end = min(self._audible_end, self.length)

    def report(self, seconds: float) -> None:
        """The player has played so much of the turn's sound. A report that says less than one before is late."""
        if seconds < self._reported_s:
            return
        self._reported_s = seconds
        self.reports = self._started = True
        self._position = max(0.0, seconds * SAMPLE_RATE_HZ)

    def answer_s(self, seconds: float) -> float:
        """Of the first seconds of the turn's sound, those that are part of the answer."""
        return seconds - sum(max(0.0, min(end, seconds) - start) for start, end in self._notices)

    @property
    def played_s(self) -> float:
        """Seconds of the answer that were played."""
        return self.answer_s(min(self._position, self.length) / SAMPLE_RATE_HZ)

    @property
    def left_s(self) -> float:
        """Seconds until the last audible sample is played. Silence at the end of an answer does not count."""
        return max(0.0, self._audible_end - self._position) / SAMPLE_RATE_HZ

    @property
    def is_protected(self) -> bool:
        """Whether sound is played, or waits, that nobody may interrupt."""
        return self._position / SAMPLE_RATE_HZ < self._protected_s - UNHEARD_TAIL_S

    @property
    def has_ended(self) -> bool:
        """Whether all sound so far was played, but for what a player rounds off."""
        return self._position >= self.length - STEP

    def take(self, count: int) -> Samples | None:
        """What was played while the microphone sent `count` samples: (count,) float32; None where nothing was."""
        if self.held or not self.length or not (self._started or not self.reports):
            return None
        start = round(self._position)
        if abs(self._taken - start) < APART:
            start = self._taken
        self._position = min(self._position + count, float(self.length))
        self._taken = end = min(start + count, self.length)
        return self._between(start, end, count) if end > start else None

    def _between(self, start: int, end: int, count: int) -> Samples:
        """The sound from start to end, and zeros after it: (count,) float32."""
        place = bisect.bisect_right(self._starts, start) - 1
        found = self._parts[place][start - self._starts[place] : end - self._starts[place]]
        if len(found) == count:
            return found
        sound, have = np.zeros(count, np.float32), len(found)
        sound[:have] = found
        while start + have < end:
            place += 1
            found = self._parts[place][: end - self._starts[place]]
            sound[have : have + len(found)] = found
            have += len(found)
        return sound
