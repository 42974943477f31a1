"""`EchoMatch`: what the loudspeaker played lately, and whether the microphone holds mostly that."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Spectra = NDArray[np.complex64]

BLOCK = 320
"""Samples at 16 kHz that are worked on together: 20 ms."""
DELAYS = 32
"""Blocks by which an echo may be late: 640 ms, reverberation included."""
COMPARED = 10
"""Blocks of the microphone that are compared with the loudspeaker: 200 ms."""
CORRELATION = 0.65
"""Above it, sound counts as echo. The voices of two people reach 0.5 in 200 ms."""
SILENT = 1e-9
"""Power below which there is nothing to find an echo of."""

_SPECTRA = DELAYS + COMPARED
_ROOM = 2 * _SPECTRA
_BINS = BLOCK + 1
_STEPS = 50
"""Blocks after which the sum is made anew, so that rounding errors do not add up."""
_LEAST = SILENT * COMPARED * BLOCK


class EchoMatch:
    """Spectra of what was played lately, and its correlation with the latest 200 ms of the microphone.

    The correlation for every delay below DELAYS blocks is a sum over the blocks of the microphone. It is kept as a sum
    of cross-spectra: each new block is added, and the one that is too old is taken away.
    """

    def __init__(self) -> None:
        # A new row is put before the older ones; where there is no room left, those go to the end again.
        self._spectra = np.zeros((_ROOM, _BINS), np.complex64)
        self._powers = np.zeros((_ROOM, _BINS), np.float32)
        self._energies = np.zeros((_ROOM, BLOCK), np.float32)  # of COMPARED blocks that end at each sample
        self._top = _ROOM - _SPECTRA
        self._energy = 0.0
        self._waiting: list[Samples] = []  # blocks of the loudspeaker that are not in the above yet
        self._last = np.zeros(BLOCK, np.float32)  # the one before them
        self._squares = np.zeros(COMPARED * BLOCK)
        self._mics = deque([np.zeros(BLOCK, np.float32)] * COMPARED, COMPARED)
        self._mic_spectra: deque[Spectra] = deque(maxlen=COMPARED)  # oldest first, conjugated
        self._cross = np.zeros((DELAYS, _BINS), np.complex64)
        self._missed = _STEPS  # blocks that the sum does not hold
        self._steps = 0
        self._work = np.empty((DELAYS, _BINS), np.complex64)
        self._is_empty = True

    @property
    def played(self) -> Spectra:
        """Spectra of the loudspeaker's latest pairs of blocks, newest first: (DELAYS, BLOCK + 1)."""
        self._advance()
        return self._spectra[self._top : self._top + DELAYS]

    @property
    def power(self) -> Samples:
        """Their power: (BLOCK + 1,)."""
        self._advance()
        return np.asarray(self._powers[self._top : self._top + DELAYS].sum(axis=0), np.float32)

    def push(self, mic: Samples, speaker: Samples) -> None:
        """Take a block of each: (BLOCK,) float32."""
        self._mics.append(mic)
        self._waiting.append(speaker)
        self._missed += 1
        self._is_empty = False
        if len(self._waiting) == _SPECTRA:
            self._advance()

    def push_silence(self, mic: Samples) -> None:
        """Take a block of the microphone: nothing was played for so long that no echo can be left."""
        self._mics.append(mic)
        if self._is_empty:
            return
        self._is_empty = True
        self._waiting.clear()
        for rows in (self._spectra, self._powers, self._energies, self._squares):
            rows[:] = 0
        self._last = np.zeros(BLOCK, np.float32)
        self._energy, self._missed = 0.0, _STEPS

    def _advance(self) -> None:
        """Put what is waiting before the older rows."""
        count = len(self._waiting)
        if not count:
            return
        if self._top < count:
            kept = slice(self._top, self._top + _SPECTRA)
            self._top = _ROOM - _SPECTRA
            for rows in (self._spectra, self._powers, self._energies):
                rows[self._top :] = rows[kept]
        self._top -= count
        new = slice(self._top, self._top + count)
        blocks = np.stack([self._last, *self._waiting])
        spectra = np.fft.rfft(np.concatenate([blocks[:-1], blocks[1:]], axis=1))[::-1]
        self._spectra[new] = spectra
        self._powers[new] = spectra.real**2 + spectra.imag**2
        squares = np.concatenate([self._squares, blocks[1:].reshape(-1).astype(np.float64) ** 2])
        energies = np.cumsum(squares[COMPARED * BLOCK :] - squares[: -COMPARED * BLOCK])
        energies += self._energy
        self._energies[new] = energies.reshape(count, BLOCK)[::-1]
        self._energy = float(energies[-1])
        self._squares = squares[-COMPARED * BLOCK :]
        self._last = self._waiting[-1]
        self._waiting = []

    def correlates(self) -> bool:
        """Whether the latest COMPARED blocks of the microphone are mostly the loudspeaker's, at some delay."""
        self._advance()
        if self._missed == 1 and self._steps < _STEPS:
            self._steps += 1
            oldest = self._mic_spectra[0]
            self._add(_spectrum(self._mics[-1]), 0)
            self._cross -= np.multiply(oldest, self._rows(COMPARED), out=self._work)
        elif self._missed:
            self._steps = 0
            self._cross[:] = 0
            for place, mic in enumerate(self._mics):
                self._add(_spectrum(mic), COMPARED - 1 - place)
        self._missed = 0
        found = np.fft.irfft(self._cross)[:, 1 : BLOCK + 1]
        found *= found
        heard = max(sum(float(mic @ mic) for mic in self._mics), _LEAST)
        least = np.maximum(self._energies[self._top : self._top + DELAYS], _LEAST)
        least *= CORRELATION**2 * heard
        return bool((found > least).any())

    def _add(self, mic: Spectra, age: int) -> None:
        """Add a block of the microphone that is so many blocks old."""
        self._mic_spectra.append(mic)
        self._cross += np.multiply(mic, self._rows(age), out=self._work)

    def _rows(self, age: int) -> Spectra:
        """Spectra of the loudspeaker, as `played` was so many blocks ago."""
        return self._spectra[self._top + age : self._top + age + DELAYS]


def _spectrum(mic: Samples) -> Spectra:
    return np.conj(np.fft.rfft(mic, 2 * BLOCK))
