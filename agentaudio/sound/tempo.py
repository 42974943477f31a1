"""`TempoStream`: speech that arrives in chunks, faster or slower at the same pitch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio

SLOWEST, FASTEST = 0.25, 4.0

STEP_S = 0.015
"""Sound that is taken from the source in one piece; two pieces are cross-faded."""
SEARCH_S = 0.01
"""How far from its place the most similar piece is looked for, to both sides: one period of a voice of 50 Hz."""

Samples = NDArray[np.float32]


class TempoStream:
    """Changes the speed of mono sound; however the input is cut into chunks, the samples that come out are the same.

    rate: 2 is twice as fast; SLOWEST to FASTEST. At 1 the sound passes through unchanged.
    sample_rate: of the sound, in and out

    n samples in give round(n / rate) out. Sound leaves within 2 * SEARCH_S + STEP_S * max(1, rate) of its arrival.

    Not thread-safe: one instance serves one stream.
    Raises AudioError for a rate out of range.

    Source: waveform similarity overlap-add, Verhelst and Roelands 1993, with half-overlapping pieces.
    """

    def __init__(self, rate: float, sample_rate: int) -> None:
        if not SLOWEST <= rate <= FASTEST:
            raise AudioError(f"a speed of {rate:g} is out of range; give {SLOWEST:g} to {FASTEST:g}")
        self._rate, self._sample_rate = rate, sample_rate
        self._step, self._search = round(STEP_S * sample_rate), round(SEARCH_S * sample_rate)
        self._fade = (np.hanning(2 * self._step + 1)[: self._step]).astype(np.float32)
        self._source = np.zeros(0, np.float32)
        self._begin = 0  # position of the first sample of `_source` in the whole sound
        self._next = 0  # position of the sound that follows the last piece that was taken
        self._pieces = 0
        self._taken = self._given = 0

    def push(self, sound: Audio) -> Audio:
        """Take the next chunk; return the sound that is ready, which may be empty.

        Raises AudioError for a chunk of another sample rate.
        """
        if sound.sample_rate != self._sample_rate:
            raise AudioError(f"a chunk of {sound.sample_rate} Hz in a stream of {self._sample_rate} Hz; resample it")
        if self._rate == 1:
            return sound
        self._taken += len(sound)
        self._source = np.concatenate([self._source, sound.samples])
        return self._out(self._ready())

    def finish(self) -> Audio:
        """End the stream and return the rest of the sound. Nothing may be pushed afterwards."""
        wanted = round(self._taken / self._rate) - self._given
        if self._rate == 1 or wanted <= 0:
            return Audio(np.zeros(0, np.float32), self._sample_rate)
        needed = int((self._pieces + wanted // self._step + 2) * self._step * self._rate) + 4 * self._step
        self._source = np.concatenate([self._source, np.zeros(needed, np.float32)])
        return self._out(self._ready()[:wanted])

    def _ready(self) -> Samples:
        made = []
        while (place := self._place()) is not None:
            best = self._most_similar(place)
            following = self._between(self._next, self._next + self._step)
            piece = self._between(best, best + self._step)
            made.append(following * (1 - self._fade) + piece * self._fade if self._pieces else piece)
            self._next, self._pieces = best + self._step, self._pieces + 1
            unused = min(self._next, self._worth(self._pieces) - self._search) - self._begin
            if unused > 0:
                self._source, self._begin = self._source[unused:], self._begin + unused
        return np.concatenate(made) if made else np.zeros(0, np.float32)

    def _place(self) -> int | None:
        """Where the next piece would be taken without a search; None when too little sound has arrived."""
        place = self._worth(self._pieces)
        # Not more sound may leave than the sound that has arrived is worth.
        last = max(place + self._search + self._step, self._next + self._step, self._worth(self._pieces + 1))
        return place if last <= self._begin + len(self._source) else None

    def _worth(self, pieces: int) -> int:
        """Samples of the source that so many pieces stand for."""
        return round(pieces * self._step * self._rate)

    def _most_similar(self, place: int) -> int:
        """The start of the piece near `place` that is most like what follows the last piece."""
        if not self._pieces:
            return place
        first = max(place - self._search, self._begin)
        near = self._between(first, place + self._search + self._step)
        wanted = self._between(self._next, self._next + self._step)
        energy = np.concatenate([[0.0], np.cumsum(np.square(near, dtype=np.float64))])
        power = np.sqrt(np.maximum(energy[self._step :] - energy[: -self._step], 1e-12))
        return first + int(np.argmax(np.correlate(near, wanted, "valid") / power))

    def _between(self, start: int, end: int) -> Samples:
        return self._source[start - self._begin : end - self._begin]

    def _out(self, samples: Samples) -> Audio:
        self._given += len(samples)
        return Audio(samples, self._sample_rate)
