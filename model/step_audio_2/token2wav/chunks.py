"""How an utterance is cut into chunks, each of which becomes sound in one pass. It needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import BackendError
from agentaudio.model.step_audio_2.token2wav.config import FRAME_SAMPLES, TOKEN_SAMPLES

CHUNK = 25
"""Tokens of a chunk once a stream is under way: 1 s."""
FIRST_CHUNK = 8
_GROWTH = 5
"""Each chunk is as long as the next multiple of this."""

OVERLAP_FRAMES = 8
"""Frames that two windows of the vocoder share. Their 3840 samples are held back until the next window arrives."""


def next_chunk(chunk: int) -> int:
    """Tokens of the chunk after one of `chunk` tokens: 8, 10, 15, 20, 25, 25 by default."""
    return min(CHUNK, (chunk // _GROWTH + 1) * _GROWTH)


def speech_tokens(tokens: ArrayLike, vocabulary: int) -> tuple[NDArray[np.int64], int]:
    """The tokens that have a sound, and the number of others.

    tokens: one integer, or a flat sequence of them. Those below 0 or from `vocabulary` on are left out:
        the language model pads its speech with such tokens.
    returns: (n,) int64, and how many were left out

    Raises BackendError for anything but a flat sequence of integers.
    """
    try:
        ids = np.atleast_1d(np.asarray(tokens))
    except (ValueError, TypeError, OverflowError):
        ids = np.empty((1, 1))
    if ids.ndim != 1 or (len(ids) and ids.dtype.kind not in "iu"):
        raise BackendError(f"{str(tokens)[:60]!r} are not speech tokens; give integers from 0 to {vocabulary - 1}")
    kept = ids[(ids >= 0) & (ids < vocabulary)].astype(np.int64)
    return kept, len(ids) - len(kept)


class Schedule:
    """How much sound a stream has returned after so many tokens.

    first_chunk: tokens of the first chunk
    ahead: tokens after a chunk that must have arrived before it is computed
    """

    def __init__(self, first_chunk: int = FIRST_CHUNK, *, ahead: int) -> None:
        self._chunk, self._ahead = first_chunk, ahead
        self._waiting = self._made = 0

    def feed(self, count: int) -> int:
        """Samples at 24 kHz that are ready in all, once `count` more tokens have arrived."""
        self._waiting += count
        while self._waiting >= self._chunk + self._ahead:
            self._waiting -= self._chunk
            self._made += self._chunk
            self._chunk = next_chunk(self._chunk)
        return max(0, self._made * TOKEN_SAMPLES - OVERLAP_FRAMES * FRAME_SAMPLES)

    def finish(self) -> int:
        """Samples of the whole utterance."""
        self._made, self._waiting = self._made + self._waiting, 0
        return self._made * TOKEN_SAMPLES
