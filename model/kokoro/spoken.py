"""`Spoken`: the sound of one run of Kokoro, with the length of each symbol, and what is cut from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.levels import fade_edges, frame_powers, peak

Floats = NDArray[np.float32]

SAMPLE_RATE_HZ = 24_000
FRAME = 600
"""Samples of one frame of the durations: 25 ms."""

STEP = 120
"""Samples of 5 ms, in which silence is looked for."""
SILENT_BELOW_DB = 40.0
"""A step this far below the loudest one counts as silence."""
HEAD_S, TAIL_S = 0.015, 0.03
"""Silence that is kept before the first and after the last sound of a phrase."""
FADE_S = 0.01

PAUSE_AT_SENTENCE_S, PAUSE_AT_CLAUSE_S, PAUSE_IN_CLAUSE_S = 0.32, 0.14, 0.1
"""Most silence inside a phrase: at marks that end a sentence, at other marks, and elsewhere."""
SENTENCE_MARKS, CLAUSE_MARKS = frozenset(".!?…"), frozenset(",;:—")

AHEAD_STEPS = 12
"""Steps by which the sound runs ahead of the lengths of the symbols."""
QUIET_STEPS = 6
"""Steps of the stretch in whose middle sound is cut off."""
AS_QUIET = 2.0
"""Power of a stretch, over that of the quietest, which counts as quiet too."""

TONES = frozenset("→↗↓↘")
STOPS = frozenset("ptkbdɡʔɾ")
LONGEST_STOP_S = 0.075
"""Of a stop at the end of a phrase: the breath that some styles add is heard as another word."""

LONGEST_SYMBOL_S = 1.2


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the network made of a phrase.

    phonemes: the symbols, without the two ends
    samples: (n,) float32, 24 kHz
    frames: (symbols + 2,) frames of FRAME samples each, the two ends included
    """

    phonemes: str
    samples: Floats
    frames: NDArray[np.float64]

    def without(self, tail: str) -> Spoken:
        """What was spoken before the last symbols, cut in the last quiet place before them.

        tail: the last symbols, which begin with a letter, after a mark and a blank
        """
        edges = np.maximum(0, np.cumsum(self.frames) * FRAME / STEP - AHEAD_STEPS)
        first = len(self.phonemes) - len(tail)
        last = max(place for place, symbol in enumerate(self.phonemes[:first]) if symbol.isalpha())
        start, end = int(edges[last + 1]), int(edges[first])
        powers = frame_powers(self.samples, STEP)[start:end]
        size = min(QUIET_STEPS, len(powers))
        stretches = np.convolve(powers, np.ones(size), "valid") if size else np.zeros(1)
        # The last one, so that a long sound at the end, such as an s, is not cut short.
        quietest = int(np.flatnonzero(stretches <= AS_QUIET * stretches.min())[-1])
        phonemes = self.phonemes[:first].rstrip()
        frames = self.frames[: len(phonemes) + 2].copy()
        return Spoken(phonemes, self.samples[: (start + quietest + size // 2) * STEP], frames)

    def trimmed(self) -> Floats:
        """The samples without silence at both ends, and with pauses of at most the PAUSE_ lengths inside."""
        silent = self._silent()
        if silent.all():
            return self.samples[:0]
        sounding = np.flatnonzero(~silent)
        first = max(0, sounding[0] * STEP - round(HEAD_S * SAMPLE_RATE_HZ))
        last = min(self._end(), (sounding[-1] + 1) * STEP + round(TAIL_S * SAMPLE_RATE_HZ))
        kept = np.zeros(len(self.samples), np.bool_)
        kept[first:last] = True
        for start, end in _runs(silent):
            if first < start * STEP and end * STEP < last:
                most = round(self._longest_pause(start, end) * SAMPLE_RATE_HZ / STEP)
                # The middle goes: the sound before fades into its end, and the sound after begins at its own.
                cut = start + most // 2
                kept[cut * STEP : (end - (most - most // 2)) * STEP] = False
        return fade_edges(self.samples[kept], round(FADE_S * SAMPLE_RATE_HZ))

    def is_broken(self, speed: float = 1.0) -> bool:
        """Whether the sound is silence, holds one symbol for a second, or lasts too short or too long for its words.

        speed: at which it was spoken
        """
        sound = self.trimmed()
        words = max(1, len([word for word in self.phonemes.split(" ") if any(map(str.isalpha, word))]))
        letters = sum(map(str.isalpha, self.phonemes))
        seconds = len(sound) / SAMPLE_RATE_HZ * speed
        too_short = seconds < max(0.08 * words, 0.025 * letters)
        too_long = seconds > max(0.6 + 0.5 * words, 0.6 + 0.2 * letters)
        stuck = bool(self.frames[1:-1].max(initial=0) * FRAME * speed > LONGEST_SYMBOL_S * SAMPLE_RATE_HZ)
        return peak(sound) < 1e-3 or too_short or too_long or stuck

    def _end(self) -> int:
        """The sample after which nothing belongs to the phrase."""
        letters = [place for place, symbol in enumerate(self.phonemes) if symbol.isalpha() or symbol in TONES]
        if not letters or self.phonemes[letters[-1]] not in STOPS:
            return len(self.samples)
        start = float(self.frames[: letters[-1] + 1].sum()) * FRAME
        return min(len(self.samples), round(start + LONGEST_STOP_S * SAMPLE_RATE_HZ))

    def _silent(self) -> NDArray[np.bool_]:
        """(steps,) bool: the steps below the level of silence."""
        powers = frame_powers(self.samples, STEP)
        if not powers.size:
            return np.ones(0, np.bool_)
        return np.asarray(powers < max(powers.max() * 10 ** (-SILENT_BELOW_DB / 10), 1e-10))

    def _longest_pause(self, start: int, end: int) -> float:
        """Most seconds of the silence between two steps, by the marks that lie near it."""
        edges = np.cumsum(self.frames) * FRAME / STEP
        first = int(np.searchsorted(edges, start)) - 2
        last = int(np.searchsorted(edges, end)) + 1
        near = set(self.phonemes[max(0, first - 1) : max(0, last)])
        if near & SENTENCE_MARKS:
            return PAUSE_AT_SENTENCE_S
        return PAUSE_AT_CLAUSE_S if near & CLAUSE_MARKS else PAUSE_IN_CLAUSE_S


def _runs(silent: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of each run of silent steps that is longer than the shortest limit."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(np.int8)))
    shortest = PAUSE_IN_CLAUSE_S * SAMPLE_RATE_HZ / STEP
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a > shortest]
