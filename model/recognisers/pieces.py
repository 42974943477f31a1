"""Cutting sound into pieces of speech that a recogniser takes: as long as a window of Whisper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.levels import frame_powers
from agentaudio.sound.silero import FRAME
from agentaudio.sound.vad import SAMPLE_RATE_HZ

LONGEST_PIECE_S = 28.0
"""The window of 30 s, less the silence that the decoder needs after the speech."""
EARLIEST_CUT_S = 12.0
"""Cuts are sought after this much of a piece, so that no piece is left without context."""
MARGIN_S = 0.2
"""Sound kept before and after speech: the voice detector misses the soft beginnings and ends of words."""

_SMOOTHED_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """start, end: seconds in the sound"""

    start: float
    end: float


def pieces(samples: NDArray[np.float32], stretches: Sequence[tuple[float, float]]) -> list[Piece]:
    """The speech of a sound in pieces of up to LONGEST_PIECE_S, in order, without overlap.

    samples: (n,) float32, 16 kHz
    stretches: of speech, (start, end) in seconds, from `vad.stretches`

    A piece ends in the longest pause between EARLIEST_CUT_S and LONGEST_PIECE_S after its start, or, when
    nobody pauses, in the quietest 96 ms. What lies before a cut does not depend on what follows LONGEST_PIECE_S
    after the start of the piece, so a sound that still arrives is cut in the same places.
    """
    duration = len(samples) / SAMPLE_RATE_HZ
    left, found = list(stretches), list[Piece]()
    floor = 0.0  # where the sound has been used up
    while left:
        start = max(floor, left[0][0] - MARGIN_S)
        reach = start + LONGEST_PIECE_S
        if left[-1][1] + MARGIN_S <= reach:
            found.append(Piece(start, min(duration, left[-1][1] + MARGIN_S)))
            break
        pauses = [
            (after[0] - before[1], before[1], after[0])
            for before, after in zip(left, left[1:], strict=False)
            if start + EARLIEST_CUT_S <= before[1] <= reach - MARGIN_S
        ]
        if pauses:
            length, begins, ends = max(pauses)
            margin = min(MARGIN_S, length / 2)
            found.append(Piece(start, begins + margin))
            floor = ends - margin
            left = [one for one in left if one[0] >= ends]
        else:
            cut = _quietest(samples, start + EARLIEST_CUT_S, min(duration, reach))
            found.append(Piece(start, cut))
            floor = cut
            left = [(max(begin, cut), end) for begin, end in left if end > cut]
    return found


def _quietest(samples: NDArray[np.float32], start_s: float, end_s: float) -> float:
    """The middle of the quietest 96 ms between two instants, in seconds."""
    first = round(start_s * SAMPLE_RATE_HZ)
    powers = frame_powers(samples[first : round(end_s * SAMPLE_RATE_HZ)], FRAME)
    smooth = np.convolve(powers, np.ones(_SMOOTHED_FRAMES), mode="valid")
    return (first + (int(smooth.argmin()) + _SMOOTHED_FRAMES / 2) * FRAME) / SAMPLE_RATE_HZ
