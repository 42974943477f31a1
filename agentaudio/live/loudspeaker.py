"""`Loudspeaker`: what the listener's loudspeaker plays now, by the reports of the player."""

from __future__ import annotations

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
        self._samples: Samples = np.zeros(0, np.float32)
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
        start = self.length
        self._parts.append(ready)
        self.length += len(ready)
        audible = np.flatnonzero(np.abs(ready) > AUDIBLE)
        if len(audible):
            self._audible_end = start + int(audible[-1]) + 1

    def drop(self) -> None:
        """What has not been played will not be."""
        self._whole()
        self._samples = self._samples[: round(self._position)]
        self.length = len(self._samples)
        self._audible_end = min(self._audible_end, len(self._samples))

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

    def take(self, count: int) -> Samples:
        """What was played while the microphone sent `count` samples: (count,) float32; zeros where nothing was."""
        if self.held or not self.length or not (self._started or not self.reports):
            return np.zeros(count, np.float32)
        self._position = min(self._position + count, float(self.length))
        end = round(self._position)
        if abs(self._taken + count - end) < APART:
            end = min(self._taken + count, self.length)
        start = max(0, end - count)
        self._taken = end
        found = self._whole()[start:end]
        return np.concatenate([found, np.zeros(count - len(found), np.float32)])

    def _whole(self) -> Samples:
        if self._parts:
            self._samples = np.concatenate([self._samples, *self._parts])
            self._parts.clear()
        return self._samples
