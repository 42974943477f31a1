"""Exact windowed-sinc resampling: the one the Step-Audio 2 front end was trained behind."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError

Float = NDArray[np.float32]

ZERO_CROSSINGS = 6
ROLLOFF = 0.99
BLOCK = 1 << 18
"""Outputs computed at once: bounds the memory that a ten-minute recording takes."""


def resample(samples: Float, from_hz: int, to_hz: int) -> Float:
    """Sound at another rate, by the sinc interpolation of the reference (Hann window, 6 zero crossings, rolloff 0.99).

    samples: (n,) or (channels, n) float; from_hz, to_hz: samples per second
    returns: as many channels of ceil(n * to_hz / from_hz) float32

    Raises AudioError for NaN, infinity or a rate that is not positive.
    Source: the formula of torchaudio.transforms.Resample with its defaults.
    `Audio.resample` (soxr) is better sound; this one is what the model heard in training.
    """
    samples = np.asarray(samples)
    if samples.ndim > 1:
        return np.stack([resample(lane, from_hz, to_hz) for lane in samples])
    stream = ResampleStream(from_hz, to_hz)
    return np.concatenate([stream.push(samples), stream.finish()])


class ResampleStream:
    """The same resampling while sound is still arriving; however it is cut, the outputs are those of `resample`.

    from_hz, to_hz: samples per second. An output leaves as soon as the input around it is there,
    that is 6 / (0.99 * min(from_hz, to_hz)) seconds late: 0.4 ms at 16 kHz.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz < 1 or to_hz < 1:
            raise AudioError(f"cannot resample from {from_hz} Hz to {to_hz} Hz; rates are positive")
        divisor = math.gcd(from_hz, to_hz)
        self._step, self._phases = from_hz // divisor, to_hz // divisor
        self._taps, self._reach = _taps(self._step, self._phases)
        self._next_output = 0
        self._received = 0
        # What later outputs still look at, beginning at input number _start; zeros stand before the sound.
        self._kept = np.zeros(self._reach, np.float64)
        self._start = -self._reach

    def push(self, samples: Float) -> Float:
        """Take (n,) samples more, give the outputs that are now certain: (m,) float32."""
        checked = _checked(samples)
        self._received += len(checked)
        if self._step == self._phases:
            return checked.astype(np.float32)
        self._kept = np.concatenate([self._kept, checked])
        # Output m looks at inputs up to floor(m * step / phases) + reach.
        certain = self._received - self._reach
        return self._outputs(max(0, -(-certain * self._phases // self._step)))

    def finish(self) -> Float:
        """The outputs at the end of the sound: (m,) float32. Nothing may be pushed afterwards."""
        if self._step == self._phases:
            return np.zeros(0, np.float32)
        self._kept = np.concatenate([self._kept, np.zeros(self._reach + 1)])
        return self._outputs(-(-self._received * self._phases // self._step))

    def _outputs(self, end: int) -> Float:
        parts = []
        while self._next_output < end:
            parts.append(self._block(self._next_output, min(end, self._next_output + BLOCK)))
            self._next_output += len(parts[-1])
        drop = self._next_output * self._step // self._phases - self._reach - self._start
        if drop > 0:
            self._kept, self._start = self._kept[drop:], self._start + drop
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _block(self, begin: int, end: int) -> Float:
        """Outputs begin..end-1. Those of one phase share their taps and lie `step` inputs apart."""
        out = np.empty(end - begin, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._kept, self._taps.shape[1])
        for offset in range(min(self._phases, end - begin)):
            whole, phase = divmod((begin + offset) * self._step, self._phases)
            first = whole - self._reach - self._start
            count = len(range(begin + offset, end, self._phases))
            rows = windows[first : first + (count - 1) * self._step + 1 : self._step]
            out[offset :: self._phases] = rows @ self._taps[phase]
        return out


def _taps(step: int, phases: int) -> tuple[NDArray[np.float64], int]:
    """The filter of every phase: (phases, 2 * reach + 1), and how many inputs it reaches back."""
    # Time in units of `step` inputs = `phases` outputs; cutoff in cycles per unit, below the lower Nyquist rate.
    cutoff = min(step, phases) * ROLLOFF
    reach = math.ceil(ZERO_CROSSINGS * step / cutoff)
    distance = np.arange(-reach, reach + 1)[None, :] - np.arange(phases)[:, None] / phases
    time = distance / step * cutoff
    window = np.where(np.abs(time) < ZERO_CROSSINGS, np.cos(time * np.pi / (2 * ZERO_CROSSINGS)) ** 2, 0.0)
    return np.sinc(time) * window * (cutoff / step), reach


def _checked(samples: Float) -> NDArray[np.float64]:
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise AudioError(f"an array of shape {samples.shape} is not one channel of sound; give (n,)")
    if samples.dtype.kind != "f":
        raise AudioError(f"samples of type {samples.dtype} are not sound in [-1, 1]; make them an Audio first")
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise AudioError(f"{bad} of {samples.size} samples are NaN or infinite; clean the signal first")
    return samples.astype(np.float64)
