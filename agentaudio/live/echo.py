"""`EchoGuard`: takes the agent's own sound, as it comes back through the microphone, out of the user's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
BLOCK = 320
"""Samples that are worked on together: 20 ms."""
BLOCKS = 32
"""Length of the filter: an echo that is at most 640 ms late, reverberation included."""

STEP = 0.6
BETTER = 0.9
"""The adapted filter replaces the one in use when it leaves less than this share of what that leaves."""
WORSE = 4.0
"""An adapted filter that leaves this many times more than the microphone holds is thrown away."""
LEAK = 0.25
"""Where no more than this share of the estimated echo is left, what is left counts as echo, not as the user."""
SETTLED = 0.2
"""Share of the echo's power that is left by a filter that has settled."""
SMOOTHING = 0.05
CORRELATION = 0.45
"""Above it, sound counts as echo while the filter has not settled."""
COMPARED = 10 * BLOCK
SILENT = 1e-9
"""Power below which there is nothing to find an echo of."""


class EchoGuard:
    """An adaptive filter learns how the loudspeaker sounds in the microphone, and its estimate is subtracted.

    Two filters: one adapts all the time, and is copied to the one in use whenever it does better, so that a user who
    talks over the agent spoils only the first. What little echo is left is silenced. Until the filter has settled, in
    the first second of the agent's sound, the microphone is silenced where it correlates with the loudspeaker.

    It needs the loudspeaker's sound within 20 ms of when it is played, and an echo path that is linear: loudspeakers
    that distort, and microphones whose gain follows the level, leave more than it takes out.

    Source: the block frequency-domain filter of J.-S. Soo and K. K. Pang, "Multidelay block frequency domain adaptive
    filter", IEEE Trans. ASSP 38(2), 1990; two filters after K. Ochiai et al., "Echo canceler with two echo path
    models", IEEE Trans. Communications 25(6), 1977.
    """

    def __init__(self) -> None:
        bins = BLOCK + 1
        self._mic = np.zeros(0, np.float32)
        self._speaker = np.zeros(0, np.float32)
        self._last = np.zeros(BLOCK, np.float32)  # the loudspeaker's block before
        self._played = np.zeros((BLOCKS, bins), np.complex128)  # spectra of the latest blocks, newest first
        self._power = np.zeros(bins)
        self._adapted = np.zeros((BLOCKS, bins), np.complex128)
        self._used = np.zeros((BLOCKS, bins), np.complex128)
        self._constrained = 0  # the partition whose gradient is constrained next
        self._echo_power = self._left_power = 0.0  # smoothed: of the estimated echo, and of what is left there
        self._better = 0
        self._recent_mic = np.zeros(COMPARED, np.float32)
        self._recent_speaker = np.zeros(COMPARED + BLOCK * BLOCKS, np.float32)
        self._quiet_blocks = BLOCKS

    @property
    def is_settled(self) -> bool:
        """Whether the filter has learnt the path of the echo."""
        return self._left_power < SETTLED * self._echo_power

    def push(self, mic: Samples, speaker: Samples) -> Samples:
        """Take sound of the microphone and what the loudspeaker played in the same time; returns the user's sound.

        mic, speaker: (n,) float32 at 16 kHz
        returns: (m,) float32, in whole blocks: as many samples have come out as went in, but for less than BLOCK
        """
        self._mic = np.concatenate([self._mic, mic])
        self._speaker = np.concatenate([self._speaker, speaker])
        count = len(self._mic) // BLOCK
        out = [
            self._block(self._mic[i * BLOCK : (i + 1) * BLOCK], self._speaker[i * BLOCK : (i + 1) * BLOCK])
            for i in range(count)
        ]
        self._mic, self._speaker = self._mic[count * BLOCK :], self._speaker[count * BLOCK :]
        return np.concatenate(out) if out else np.zeros(0, np.float32)

    def _block(self, mic: Samples, speaker: Samples) -> Samples:
        self._quiet_blocks = 0 if float(np.mean(speaker**2)) > SILENT else self._quiet_blocks + 1
        if self._quiet_blocks >= BLOCKS:  # no echo can be left: nothing to do, and nothing to learn
            if self._quiet_blocks == BLOCKS:
                self._played[:] = 0
            self._remember(mic, speaker)
            return mic
        spectrum = np.fft.rfft(np.concatenate([self._last, speaker]))
        self._played = np.roll(self._played, 1, axis=0)
        self._played[0] = spectrum
        self._power = np.sum(np.abs(self._played) ** 2, axis=0)
        self._remember(mic, speaker)
        echo, left = self._estimate(self._used, mic)
        _, other = self._estimate(self._adapted, mic)
        heard, kept, tried = (float(np.mean(x**2)) + SILENT for x in (mic, left, other))
        self._adapt(other)
        self._choose(heard, kept, tried)
        expected = float(np.mean(echo**2))
        if expected > SILENT:
            if kept < expected:  # otherwise it is the user's sound that is left
                self._echo_power += SMOOTHING * (expected - self._echo_power)
                self._left_power += SMOOTHING * (kept - self._left_power)
        if kept < LEAK * expected:
            return left * np.float32(0.05)
        if not self.is_settled and self._correlates():
            return left * np.float32(0.05)
        return left

    def _remember(self, mic: Samples, speaker: Samples) -> None:
        self._recent_mic = np.concatenate([self._recent_mic[BLOCK:], mic])
        self._recent_speaker = np.concatenate([self._recent_speaker[BLOCK:], speaker])
        self._last = speaker

    def _estimate(self, filters: NDArray[np.complex128], mic: Samples) -> tuple[Samples, Samples]:
        """The echo by these filters, and what they leave of the microphone's block."""
        echo = np.fft.irfft(np.sum(filters * self._played, axis=0))[BLOCK:].astype(np.float32)
        return echo, mic - echo

    def _adapt(self, left: Samples) -> None:
        error = np.fft.rfft(np.concatenate([np.zeros(BLOCK, np.float32), left]))
        floor = 1e-3 * float(self._power.mean()) + 1e-6
        self._adapted += STEP * np.conj(self._played) * (error / (self._power + floor))
        # A partition's filter is BLOCK samples long. One of them at a time is cut to that, which is enough.
        for place in (self._constrained, (self._constrained + BLOCKS // 2) % BLOCKS):
            response = np.fft.irfft(self._adapted[place])
            response[BLOCK:] = 0
            self._adapted[place] = np.fft.rfft(response)
        self._constrained = (self._constrained + 1) % BLOCKS

    def _choose(self, heard: float, kept: float, tried: float) -> None:
        if tried > WORSE * heard:
            self._adapted[:] = self._used
            self._better = 0
            return
        self._better = self._better + 1 if tried < BETTER * kept and tried < 0.7 * heard else 0
        if self._better >= 2:
            self._used[:] = self._adapted

    def _correlates(self) -> bool:
        """Whether the last 200 ms of the microphone are mostly the loudspeaker's, at some delay."""
        mic, played = self._recent_mic.astype(np.float64), self._recent_speaker.astype(np.float64)
        size = 1 << (len(played) - 1).bit_length()
        whole = np.fft.irfft(np.fft.rfft(played, size) * np.conj(np.fft.rfft(mic, size)), size)[: BLOCKS * BLOCK + 1]
        sums = np.cumsum(np.concatenate([[0.0], played**2]))
        energies = sums[COMPARED:] - sums[:-COMPARED]
        scale = np.sqrt(np.maximum(energies, SILENT * COMPARED) * max(float(mic @ mic), SILENT * COMPARED))
        return bool(np.max(np.abs(whole[: len(energies)]) / scale) > CORRELATION)
