"""`Mixer`: frames of several channels, block by block, to one channel at a rate of choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound import levels
from agentaudio.sound.resample import Resampler, check_rate

Samples = NDArray[np.float32]

MAX_CHANNELS = 32


def mix(frames: Samples) -> Samples:
    """The mean of the channels; where they cancel each other (opposite polarity), the loudest one.

    frames: (n, channels) float32
    returns: (n,) float32
    """
    if frames.shape[1] == 1 or not len(frames):
        return np.ascontiguousarray(frames[:, 0])
    mean = frames.mean(axis=1, dtype=np.float32)
    channel = channel_instead(_energy(mean), np.square(frames, dtype=np.float64).sum(axis=0))
    return mean if channel is None else np.ascontiguousarray(frames[:, channel])


def channel_instead(of_mean: float, of_channels: NDArray[np.float64]) -> int | None:
    """The loudest channel, when the channels cancel each other in their mean; otherwise None.

    of_mean, of_channels: the energy of the mean, and of each channel
    """
    loudest = int(of_channels.argmax())
    # One active channel of N keeps 1/N^2 of its power in the mean; far less means that they cancel.
    return loudest if of_mean < 0.1 * of_channels[loudest] / len(of_channels) ** 2 else None


def check_samples(samples: Samples) -> None:
    """Raise AudioError for NaN, infinity, and samples far over full scale."""
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise AudioError(f"{bad} of {samples.size} samples are NaN or infinite; clean the signal first")
    peak = levels.peak(samples)
    if peak > levels.LOUDEST_PEAK:
        raise AudioError(f"float samples reach {peak:g}, but full scale is 1.0; divide them, or pass int16")


def check_channels(channels: int, where: str) -> None:
    """Raise AudioError unless there are 1 to MAX_CHANNELS."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{channels} channels in {where}; give 1 to {MAX_CHANNELS}")


class Mixer:
    """`mix` and `resample` for sound that arrives in blocks. It holds one channel, at the final rate.

    rate: of the blocks, in Hz
    highest_rate: a higher rate than this becomes this one; None keeps any
    channel: keep this one instead of the mean

    Raises AudioError for a rate, a number of channels or a channel out of range.
    """

    def __init__(
        self, rate: int, channels: int, *, highest_rate: int | None = None, channel: int | None = None
    ) -> None:
        check_rate(rate)
        check_channels(channels, "the file")
        if channel is not None and not 0 <= channel < channels:
            raise AudioError(f"there is no channel {channel + 1}; the file has {channels}")
        self.sample_rate = rate if highest_rate is None else min(rate, highest_rate)
        self.frames = 0
        self._channels, self._channel = channels, channel
        self._resampler = Resampler(rate, self.sample_rate)
        self._of_mean, self._of_channels = 0.0, np.zeros(channels)
        self._pieces: list[Samples] = []

    def push(self, frames: Samples) -> None:
        """Take (n, channels) float32 more. Raises AudioError for samples that are not sound."""
        if frames.shape[1] != self._channels:
            raise AudioError(f"the number of channels changes from {self._channels} to {frames.shape[1]}; convert it")
        check_samples(frames)
        self.frames += len(frames)
        if self._channel is not None or self._channels == 1:
            mono = np.ascontiguousarray(frames[:, self._channel or 0])
        else:
            mono = frames.mean(axis=1, dtype=np.float32)
            self._of_mean += _energy(mono)
            self._of_channels += np.square(frames, dtype=np.float64).sum(axis=0)
        self._keep(self._resampler.push(mono))

    def end(self) -> Samples:
        """All samples, (n,) float32."""
        self._keep(self._resampler.push(np.zeros(0, np.float32), last=True))
        return np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)

    @property
    def channel_instead(self) -> int | None:
        """The channel to read the sound with again, because the channels cancel each other; otherwise None."""
        return channel_instead(self._of_mean, self._of_channels) if self._of_channels.any() else None

    def _keep(self, samples: Samples) -> None:
        if len(samples):
            self._pieces.append(samples)


def _energy(samples: Samples) -> float:
    return float(np.square(samples, dtype=np.float64).sum())
