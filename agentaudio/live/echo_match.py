"""`EchoMatch`: what the loudspeaker played lately, and whether the microphone holds mostly that."""

from __future__ import annotations

import threading
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


class _Scratch(threading.local):
    """Room for results that are used at once, for all sessions of a thread: less memory stays in the processor's cache.

    products: (2, DELAYS, BLOCK + 1) complex64; product: the first of them
    """

    def __init__(self) -> None:
        self.products = np.empty((2, DELAYS, _BINS), np.complex64)
        self.product = self.products[0]


SCRATCH = _Scratch()


class EchoMatch:
    """Spectra of what was played lately, and its correlation with the latest 200 ms of the microphone.

    The correlation for every delay below DELAYS blocks is a sum over the blocks of the microphone. It is kept as a sum
    of cross-spectra: each new block is added, and the one that is too old is taken away.
    """

    def __init__(self) -> None:
        # A new row is put before the older ones; where there is no room left, those go to the end again.
        self._spectra = np.zeros((_ROOM, _BINS), np.complex64)
        self._energies = np.zeros((_ROOM, BLOCK), np.float32)  # of COMPARED blocks that end at each sample
        self._least_energies = np.zeros((_ROOM, 1), np.float32)  # the least of each row
        self._top = _ROOM - _SPECTRA
        self._energy = 0.0
        self._waiting: list[Samples] = []  # blocks of the loudspeaker that are not in the above yet
        self._last = np.zeros(BLOCK, np.float32)  # the one before them
        self._squares = np.zeros(COMPARED * BLOCK)
        self._mics = deque([np.zeros(BLOCK, np.float32)] * COMPARED, COMPARED)
        self._mic_spectra: deque[Spectra] = deque(maxlen=COMPARED)  # oldest first, conjugated
        self._mic_energies: deque[float] = deque(maxlen=COMPARED)
        self._cross = np.zeros((DELAYS, _BINS), np.complex64)
        self._missed = _STEPS  # blocks that the sum does not hold
        self._steps = 0
        self._power = np.zeros(_BINS)
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
        return self._power.astype(np.float32)

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
        for rows in (self._spectra, self._power, self._energies, self._least_energies, self._squares):
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
            for rows in (self._spectra, self._energies, self._least_energies):
                rows[self._top :] = rows[kept]
        self._top -= count
        new = slice(self._top, self._top + count)
        sound = np.concatenate([self._last, *self._waiting])
        # The newest first; each row is a block and the one before it.
        size = sound.itemsize
        pairs = np.ndarray((count, 2 * BLOCK), np.float32, sound, size * (count - 1) * BLOCK, (-size * BLOCK, size))
        spectra: Spectra = np.asarray(np.fft.rfft(pairs), np.complex64)
        self._spectra[new] = spectra
        if count <= COMPARED:
            older = slice(self._top + DELAYS, self._top + DELAYS + count)
            self._power += _powers(spectra) - _powers(self._spectra[older])
        else:
            self._power = _powers(self._spectra[self._top : self._top + DELAYS])
        squares = np.concatenate([self._squares, np.square(sound[BLOCK:], dtype=np.float64)])
        energies = np.cumsum(squares[COMPARED * BLOCK :] - squares[: -COMPARED * BLOCK])
        energies += self._energy
        self._energies[new] = energies.reshape(count, BLOCK)[::-1]
        self._least_energies[new] = self._energies[new].min(axis=1, keepdims=True)
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
            self._add(self._mics[-1], 0)
            self._cross -= np.multiply(oldest, self._rows(COMPARED), out=SCRATCH.product)
        elif self._missed:
            self._steps = 0
            self._cross[:] = 0
            for place, mic in enumerate(self._mics):
                self._add(mic, COMPARED - 1 - place)
        self._missed = 0
        now = slice(self._top, self._top + DELAYS)
        heard = CORRELATION**2 * max(sum(self._mic_energies), _LEAST)
        # No correlation is above the sum of the magnitudes of its spectrum, nor these above the sum of their two parts.
        bounds = np.abs(self._cross.view(np.float32)).sum(axis=1) / BLOCK
        places = np.flatnonzero(bounds * bounds > heard * np.maximum(self._least_energies[now, 0], _LEAST))
        if not len(places):
            return False
        found = np.fft.irfft(self._cross[places])[:, 1 : BLOCK + 1]
        found *= found
        least = np.maximum(self._energies[now][places], _LEAST)
        least *= heard
        return bool((found > least).any())

    def _add(self, mic: Samples, age: int) -> None:
        """Add a block of the microphone that is so many blocks old."""
        spectrum: Spectra = np.conj(np.fft.rfft(mic, 2 * BLOCK))
        self._mic_spectra.append(spectrum)
        self._mic_energies.append(float(mic @ mic))
        self._cross += np.multiply(spectrum, self._rows(age), out=SCRATCH.product)

    def _rows(self, age: int) -> Spectra:
        """Spectra of the loudspeaker, as `played` was so many blocks ago."""
        return self._spectra[self._top + age : self._top + age + DELAYS]


def _powers(spectra: Spectra) -> NDArray[np.float64]:
    """The sum of the powers of spectra, the same for the same rows."""
    squares = np.square(spectra.view(np.float32), dtype=np.float64)
    both = squares[:, ::2] + squares[:, 1::2]
    return np.asarray(both[0] if len(both) == 1 else both.sum(axis=0))
