"""`PlayedTrack`: the agent's sound, given out in real time as a WebRTC track."""

from __future__ import annotations

import asyncio
import fractions
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

RATE_HZ = 24_000
FRAME_S = 0.02
FRAME = round(FRAME_S * RATE_HZ)
LATEST_S = 1.0
"""Delay of the reader at which the track goes on from now instead of catching up."""


@dataclass(slots=True)
class _Piece:
    response_id: str
    samples: NDArray[np.int16]
    begun: Callable[[], None] | None


class PlayedTrack(MediaStreamTrack):
    """Mono, 24 kHz, frames of 20 ms; silence where there is nothing to play.

    started, stopped: called with a response's id when its first sample and when its last one is played
    played: called after each frame
    """

    kind = "audio"

    def __init__(
        self, *, started: Callable[[str], None], stopped: Callable[[str], None], played: Callable[[], None]
    ) -> None:
        super().__init__()
        self._started, self._stopped, self._played = started, stopped, played
        self._pieces: deque[_Piece] = deque()
        self._finished = set[str]()
        self._playing: str | None = None
        self._left = 0
        self._frames = 0
        self._begun_s: float | None = None

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that are not played yet."""
        return self._left / RATE_HZ

    def add(self, response_id: str, samples: NDArray[np.int16], begun: Callable[[], None] | None) -> None:
        """Play samples after those that wait. begun: called when the first of them is played"""
        self._pieces.append(_Piece(response_id, samples, begun))
        self._left += len(samples)

    def finish(self, response_id: str) -> None:
        """No more sound of a response is coming."""
        self._finished.add(response_id)
        self._look()

    def drop(self, response_id: str) -> bool:
        """Forget the sound of a response that was not played. Returns whether its sound had begun or waited."""
        kept = deque(piece for piece in self._pieces if piece.response_id != response_id)
        had = len(kept) < len(self._pieces) or self._playing == response_id
        self._pieces = kept
        self._left = sum(len(piece.samples) for piece in kept)
        if self._playing == response_id:
            self._playing = None
        return had

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due. Raises MediaStreamError once the track was stopped."""
        if self.readyState != "live":
            raise MediaStreamError
        now = time.monotonic()
        if self._begun_s is None or now - self._due_s() > LATEST_S:
            self._begun_s = now - self._frames * FRAME_S
        await asyncio.sleep(max(0.0, self._due_s() - now))
        frame = AudioFrame.from_ndarray(self._next()[None], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        frame.pts = self._frames * FRAME
        self._frames += 1
        self._played()
        return frame

    def _due_s(self) -> float:
        assert self._begun_s is not None
        return self._begun_s + self._frames * FRAME_S

    def _next(self) -> NDArray[np.int16]:
        samples, filled = np.zeros(FRAME, np.int16), 0
        while self._pieces and filled < FRAME:
            piece = self._pieces[0]
            if piece.response_id != self._playing:
                self._begin(piece.response_id)
            if piece.begun is not None:
                begun, piece.begun = piece.begun, None
                begun()
            taken = piece.samples[: FRAME - filled]
            samples[filled : filled + len(taken)] = taken
            piece.samples = piece.samples[len(taken) :]
            filled += len(taken)
            self._left -= len(taken)
            if not len(piece.samples):
                self._pieces.popleft()
        self._look()
        return samples

    def _begin(self, response_id: str) -> None:
        if self._playing is not None:
            self._stopped(self._playing)
        self._playing = response_id
        self._started(response_id)

    def _look(self) -> None:
        """Tell that a response has been played when all of it was."""
        playing = self._playing
        if playing in self._finished and not any(piece.response_id == playing for piece in self._pieces):
            self._playing = None
            self._finished.discard(playing)
            self._stopped(playing)
