"""Windowed-sinc resampling as in the training of Step-Audio 2, for whole sound and for streams."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError

Float = NDArray[np.float32]

ZERO_CROSSINGS = 6
ROLLOFF = 0.99
BLOCK = 1 << 18
"""Outputs computed at once; it bounds the memory for long sound."""


def resample(samples: Float, from_hz: int, to_hz: int) -> Float:
    """Resample by sinc interpolation with a Hann window of 6 zero crossings and rolloff 0.99.

    samples: (n,) or (channels, n) float
    from_hz, to_hz: samples per second
    returns: (ceil(n * to_hz / from_hz),) float32, for each channel

    `Audio.resample` has the better filter; this one gives the model what it was trained on.
    Source: the formula of torchaudio.transforms.Resample with its defaults.
    Raises AudioError for NaN, infinity or a rate that is not positive.
    """
    samples = np.asarray(samples)
    if samples.ndim > 1:
        return np.stack([resample(lane, from_hz, to_hz) for lane in samples])
    stream = ResampleStream(from_hz, to_hz)
    return np.concatenate([stream.push(samples), stream.finish()])


class ResampleStream:
    """Resamples sound that arrives in chunks; the outputs equal those of `resample`, however it is cut.

    from_hz, to_hz: samples per second

    An output is ready once the input around it has arrived, which is a delay of
    6 / (0.99 * min(from_hz, to_hz)) seconds: 0.4 ms at 16 kHz.
    Raises AudioError for a rate that is not positive.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz < 1 or to_hz < 1:
            raise AudioError(f"cannot resample from {from_hz} Hz to {to_hz} Hz; rates are positive")
        divisor = math.gcd(from_hz, to_hz)
        self._step, self._phases = from_hz // divisor, to_hz // divisor
        self._taps, self._reach = _taps(self._step, self._phases)
        self._next_output = 0
        self._received = 0
        self._finished = False
        # The inputs that later outputs need, from input number _start on; before the sound, they are zeros.
        self._kept = np.zeros(self._reach, np.float64)
        self._start = -self._reach

    def push(self, samples: Float) -> Float:
        """Take the next (n,) samples. Returns the outputs that are now ready: (m,) float32.

        Raises AudioError for NaN, infinity or more than one channel, and after `finish`.
        """
        self._refuse_finished()
        checked = _checked(samples)
        self._received += len(checked)
        if self._step == self._phases:
            return checked.astype(np.float32)
        self._kept = np.concatenate([self._kept, checked])
        # Output m needs inputs up to floor(m * step / phases) + reach.
        complete = self._received - self._reach
        return self._outputs(max(0, -(-complete * self._phases // self._step)))

    def finish(self) -> Float:
        """The last outputs: (m,) float32. Raises AudioError when called twice."""
        self._refuse_finished()
        self._finished = True
        if self._step == self._phases:
            return np.zeros(0, np.float32)
        self._kept = np.concatenate([self._kept, np.zeros(self._reach + 1)])
        return self._outputs(-(-self._received * self._phases // self._step))

    def _refuse_finished(self) -> None:
        if self._finished:
            raise AudioError("this stream of sound is finished; begin another")

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
        """Outputs begin to end - 1. Those of one phase use the same taps, at inputs that are `step` apart."""
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
    """The filter of each phase, (phases, 2 * reach + 1), and its reach: inputs on either side of the centre."""
    # The unit of time is `step` inputs, which is `phases` outputs; the cutoff is in half-cycles per unit.
    cutoff = min(step, phases) * ROLLOFF
    reach = math.ceil(ZERO_CROSSINGS * step / cutoff)
    distance = np.arange(-reach, reach + 1)[None, :] - np.arange(phases)[:, None] / phases
    time = distance / step * cutoff
    window = np.where(np.abs(time) < ZERO_CROSSINGS, np.cos(time * np.pi / (2 * ZERO_CROSSINGS)) ** 2, 0.0)
    return np.sinc(time) * window * (cutoff / step), reach


def _checked(samples: Float) -> NDArray[np.float64]:
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise AudioError(f"an array of shape {samples.shape} is not one channel of sound; its shape must be (n,)")
    if samples.dtype.kind != "f":
        raise AudioError(f"samples of type {samples.dtype} are not floats in [-1, 1]; convert them with Audio")
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise AudioError(f"{bad} of {samples.size} samples are NaN or infinite; remove them first")
    return samples.astype(np.float64)
