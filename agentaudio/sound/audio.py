"""`Audio`: mono sound in memory, an immutable value."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import AudioError
from agentaudio.files import write_atomically
from agentaudio.sound import levels
from agentaudio.sound.decode import MAX_DURATION_S, AudioSource, decode, decode_apart
from agentaudio.sound.encode import encode
from agentaudio.sound.formats import check_writable
from agentaudio.sound.mixing import check_channels, check_samples, mix
from agentaudio.sound.reading import Decoded
from agentaudio.sound.resample import check_rate, resample

Samples = NDArray[np.float32]

_PCM16, _PCM16_SCALE = np.dtype("<i2"), np.float32(2**-15)
_INTEGER_SCALE = {"i1": 2**7, "i2": 2**15, "i4": 2**31, "u1": 2**7}


class Audio:
    """Mono sound: float32 samples in [-1, 1] and their rate. Immutable.

    samples: array of shape (n,), (n, channels) or (channels, n); float, or integers which are
        scaled by their full range. The shorter axis is taken as the channels unless
        `channels_first` says which. Channels are averaged; where they cancel each other
        (opposite polarity) the loudest one is kept, so sound never becomes silence.
    sample_rate: samples per second, 1 kHz to 768 kHz

    Raises AudioError for NaN, infinity, unscaled floats, or a shape that is not sound.
    """

    __slots__ = ("_sample_rate", "_samples", "_sha256")

    def __init__(self, samples: ArrayLike, sample_rate: int, *, channels_first: bool | None = None) -> None:
        check_rate(sample_rate)
        mono = _mix_down(_as_float(np.asarray(samples)), channels_first)
        mono.flags.writeable = False
        self._samples = mono
        self._sample_rate = int(sample_rate)
        self._sha256: str | None = None

    @classmethod
    def load(
        cls,
        source: AudioSource | Audio,
        *,
        sample_rate: int | None = None,
        highest_rate: int | None = None,
        max_duration_s: float = MAX_DURATION_S,
        setting: str = "",
        channel: int | None = None,
    ) -> Audio:
        """Read a sound file of any rate and channel count, mixed to mono.

        source: path, bytes, or binary file object; WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF
            as they are; WebM, MP4, M4A, AAC, AMR and WMA with the extra `containers`
        sample_rate: resample to this rate; None keeps the file's own
        highest_rate: resample to this rate when the file's own is higher
        max_duration_s: longest sound that is read
        setting: where that limit is set, for error messages
        channel: read only this one of a file, from 0; None mixes all

        Raises AudioError when the file is missing, empty, truncated, longer than `max_duration_s`, has no such
        channel, or is not a sound. It reads large compressed files in a worker process, see `agentaudio.sound.decode`.
        """
        if isinstance(source, Audio):
            audio = source
        else:
            highest = min((rate for rate in (sample_rate, highest_rate) if rate is not None), default=None)
            audio = cls._of(
                decode(source, max_duration_s=max_duration_s, setting=setting, highest_rate=highest, channel=channel)
            )
        return audio if sample_rate is None else audio.resample(sample_rate)

    @classmethod
    async def aload(
        cls, source: AudioSource | Audio, *, max_duration_s: float, setting: str, highest_rate: int | None = None
    ) -> Audio:
        """`load` for coroutines: it does not block the event loop, and ends when it is cancelled."""
        if isinstance(source, Audio):
            return source
        found = await decode_apart(source, max_duration_s=max_duration_s, setting=setting, highest_rate=highest_rate)
        return cls._of(found)

    @classmethod
    def _of(cls, decoded: Decoded) -> Audio:
        """Without another copy: the samples of an hour may take hundreds of MB, and are checked already."""
        return cls.of_sound(decoded.samples, decoded.sample_rate)

    @classmethod
    def silence(cls, duration_s: float, sample_rate: int) -> Self:
        """Zeros for `duration_s` seconds."""
        return cls(np.zeros(round(duration_s * sample_rate), np.float32), sample_rate)

    @classmethod
    def from_pcm16(cls, pcm: bytes, sample_rate: int) -> Self:
        """From little-endian signed 16-bit mono samples, as telephony and realtime APIs send them.

        Raises AudioError for half a sample at the end; `stream.PcmStream` accepts chunks cut anywhere.
        """
        if len(pcm) % 2:
            raise AudioError(f"16-bit PCM of {len(pcm)} bytes ends in half a sample; send whole samples")
        check_rate(sample_rate)
        return cls.of_sound(np.frombuffer(pcm, _PCM16) * _PCM16_SCALE, sample_rate)

    @classmethod
    def of_sound(cls, samples: Samples, sample_rate: int) -> Self:
        """Without checks and without a copy, which small frames could not afford: for what other sound was made into.

        samples: (n,) float32, finite, at most `levels.LOUDEST_PEAK`; read-only from now on
        """
        samples.flags.writeable = False
        audio = object.__new__(cls)
        audio._samples, audio._sample_rate, audio._sha256 = samples, int(sample_rate), None
        return audio

    @classmethod
    def concat(cls, parts: Iterable[Audio]) -> Audio:
        """The parts one after another, at the highest rate among them.

        Empty parts do not count for the rate, unless all are empty. Neighbours of one rate are
        resampled as one sound, so chunks of a stream join without seams.

        Raises AudioError when there are no parts.
        """
        parts = list(parts)
        if not parts:
            raise AudioError("nothing to join; give at least one Audio")
        sounding = [part for part in parts if len(part)] or parts
        rate = max(part.sample_rate for part in sounding)
        if len(sounding) == 1:
            return sounding[0]
        joined = []
        for own_rate, run in itertools.groupby(sounding, key=lambda part: part.sample_rate):
            joined.append(resample(np.concatenate([part.samples for part in run]), own_rate, rate))
        if len(joined) == 1:
            return cls.of_sound(joined[0], rate)
        return cls(np.concatenate(joined), rate)

    @property
    def samples(self) -> Samples:
        """(n,) float32, read-only."""
        return self._samples

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self._sample_rate

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self._samples) / self._sample_rate

    @property
    def peak(self) -> float:
        """Largest absolute sample; 0 for empty audio."""
        return levels.peak(self._samples)

    @property
    def rms(self) -> float:
        """Root mean square of all samples; 0 for empty audio. `levels.dbfs` turns it into decibels."""
        return levels.rms(self._samples)

    @property
    def is_silent(self) -> bool:
        """True when no sample is louder than -80 dBFS."""
        return self.peak < levels.SILENCE_PEAK

    def resample(self, sample_rate: int) -> Audio:
        """The same sound at another rate (soxr, high quality). For chunks of a stream use `stream.PcmStream`.

        Raises AudioError for a rate out of range.
        """
        if sample_rate == self._sample_rate:
            return self
        check_rate(sample_rate)
        return Audio(resample(self._samples, self._sample_rate, sample_rate), sample_rate)

    def slice(self, start_s: float = 0.0, end_s: float | None = None) -> Audio:
        """The part between two instants in seconds; negative ones count from the end, as in Python.

        Instants outside the sound, also infinite ones, stand for its start or end. Raises AudioError for NaN.
        """
        start = self._position(start_s)
        end = None if end_s is None else self._position(end_s)
        return Audio.of_sound(self._samples[start:end].copy(), self._sample_rate)

    def _position(self, seconds: float) -> int:
        if math.isnan(seconds):
            raise AudioError(f"cannot cut a sound at {seconds} seconds; give a number")
        outside = self.duration + 1.0
        return round(min(max(seconds, -outside), outside) * self._sample_rate)

    def chunks(self, duration_ms: float) -> Iterator[Audio]:
        """Consecutive pieces of `duration_ms` each; the last may be shorter."""
        step = max(1, round(duration_ms * self._sample_rate / 1000))
        for start in range(0, len(self._samples), step):
            yield Audio.of_sound(self._samples[start : start + step].copy(), self._sample_rate)

    def to_pcm16(self) -> bytes:
        """Little-endian signed 16-bit samples, clipped at full scale."""
        scaled = np.clip(np.round(self._samples * 32768.0), -32768, 32767)
        return scaled.astype("<i2").tobytes()

    def to_bytes(self, format: str = "wav") -> bytes:
        """The sound as a file in memory; format: wav, flac, ogg, opus or mp3.

        Raises AudioError for another format, or a rate that the format does not support.
        """
        return encode(self._samples, self._sample_rate, "." + format.lower().lstrip("."))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file in one step; its suffix names the format. When this raises, an older file stays.

        Raises AudioError when the suffix is unknown or the place cannot be written.
        """
        path = Path(path)
        check_writable(path.suffix)
        write_atomically(path, self.to_bytes(path.suffix), error=AudioError)
        return path

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._samples)

    def __add__(self, other: Audio) -> Audio:
        return Audio.concat([self, other])

    @property
    def sha256(self) -> str:
        """Digest of samples and rate, equal for equal sounds from any file: 64 hexadecimal digits, computed once."""
        if self._sha256 is None:
            digest = hashlib.sha256(f"{self._sample_rate} Hz".encode())
            digest.update(self._samples.astype("<f4", copy=False).tobytes())
            self._sha256 = digest.hexdigest()
        return self._sha256

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Audio):
            return NotImplemented
        return self._sample_rate == other._sample_rate and np.array_equal(self._samples, other._samples)

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"Audio({self.duration:.2f} s, {self._sample_rate} Hz)"

    def __reduce__(self) -> tuple[Any, ...]:
        return Audio, (np.array(self._samples), self._sample_rate)


def _as_float(samples: NDArray[Any]) -> Samples:
    kind = samples.dtype.str[1:]
    if kind in _INTEGER_SCALE:
        offset = 128 if kind == "u1" else 0
        return ((samples.astype(np.float64) - offset) / _INTEGER_SCALE[kind]).astype(np.float32)
    if samples.dtype.kind != "f":
        raise AudioError(f"samples of type {samples.dtype} are not sound; give float32 or int16")
    # Always a copy: a later change of the caller's array must not change an immutable value.
    floats = samples.astype(np.float32)
    check_samples(floats)
    return floats


def _mix_down(samples: Samples, channels_first: bool | None) -> Samples:
    if samples.ndim == 1:
        return samples
    if samples.ndim != 2:
        raise AudioError(f"an array of shape {samples.shape} is not sound; give (n,) or (n, channels)")
    if channels_first is None:
        channels_first = samples.shape[0] < samples.shape[1]
    frames = samples.T if channels_first else samples
    check_channels(frames.shape[1], f"an array of shape {samples.shape}")
    return mix(frames)
