"""`Audio`: mono sound in memory, and every way in and out of it."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import AudioError, MissingExtra
from agentaudio.files import write_atomically

Samples = NDArray[np.float32]
AudioSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

MAX_DURATION_S = 3600
"""Longest sound that `Audio.load` accepts: a file may claim ten hours in a few kilobytes."""

MAX_CHANNELS = 32
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000
SILENCE_PEAK = 1e-4  # -80 dBFS: below the last bit of most microphones
LOUDEST_SANE_PEAK = 8.0  # 18 dB over full scale: above it the values are surely unscaled integers

_FORMATS = {  # suffix: (libsndfile format, subtype)
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
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
        if int(sample_rate) != sample_rate or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
            raise AudioError(
                f"sample rate {sample_rate!r} Hz is out of range; "
                f"give a whole number from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
            )
        mono = _mix_down(_as_float(np.asarray(samples)), channels_first)
        mono.flags.writeable = False
        self._samples = mono
        self._sample_rate = int(sample_rate)
        self._sha256: str | None = None

    @classmethod
    def load(cls, source: AudioSource | Audio, *, sample_rate: int | None = None) -> Audio:
        """Read a sound file of any rate and channel count, mixed to mono.

        source: path, bytes, or binary file object; WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF
            as they are; WebM, MP4 and M4A with the extra `containers`
        sample_rate: resample to this rate; None keeps the file's own

        Raises AudioError when the file is missing, empty, truncated, longer than
        MAX_DURATION_S, or not a sound.
        """
        audio = source if isinstance(source, Audio) else _decode(*_read(source))
        return audio if sample_rate is None else audio.resample(sample_rate)

    @classmethod
    def silence(cls, duration_s: float, sample_rate: int) -> Self:
        return cls(np.zeros(round(duration_s * sample_rate), np.float32), sample_rate)

    @classmethod
    def from_pcm16(cls, pcm: bytes, sample_rate: int) -> Self:
        """From little-endian signed 16-bit mono samples, as telephony and realtime APIs send them."""
        if len(pcm) % 2:
            raise AudioError(f"16-bit PCM of {len(pcm)} bytes ends in half a sample; send whole samples")
        return cls(np.frombuffer(pcm, "<i2"), sample_rate)

    @classmethod
    def concat(cls, parts: Iterable[Audio]) -> Audio:
        """The parts one after another, at the rate of the first."""
        parts = list(parts)
        if not parts:
            raise AudioError("nothing to join; give at least one Audio")
        rate = parts[0].sample_rate
        return cls(np.concatenate([part.resample(rate).samples for part in parts]), rate)

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
        return float(np.abs(self._samples).max(initial=0.0))

    @property
    def is_silent(self) -> bool:
        """True when nothing in it is louder than -80 dBFS."""
        return self.peak < SILENCE_PEAK

    def resample(self, sample_rate: int) -> Audio:
        """The same sound at another rate (soxr, high quality)."""
        if sample_rate == self._sample_rate:
            return self
        if not len(self._samples):
            return Audio(self._samples, sample_rate)
        import soxr

        return Audio(soxr.resample(self._samples, self._sample_rate, sample_rate, quality="HQ"), sample_rate)

    def slice(self, start_s: float = 0.0, end_s: float | None = None) -> Audio:
        """The part between two instants in seconds; negative ones count from the end, as in Python."""
        start = round(start_s * self._sample_rate)
        end = None if end_s is None else round(end_s * self._sample_rate)
        return Audio(self._samples[start:end], self._sample_rate)

    def chunks(self, duration_ms: float) -> Iterator[Audio]:
        """Consecutive pieces of `duration_ms` each; the last may be shorter."""
        step = max(1, round(duration_ms * self._sample_rate / 1000))
        for start in range(0, len(self._samples), step):
            yield Audio(self._samples[start : start + step], self._sample_rate)

    def to_pcm16(self) -> bytes:
        """Little-endian signed 16-bit samples, clipped at full scale."""
        scaled = np.clip(np.round(self._samples * 32768.0), -32768, 32767)
        return scaled.astype("<i2").tobytes()

    def to_bytes(self, format: str = "wav") -> bytes:
        """The sound as a file in memory; format: wav, flac, ogg, opus or mp3."""
        buffer = io.BytesIO()
        self._encode(buffer, "." + format.lower().lstrip("."))
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file, its format told by the suffix; never leaves half a file behind.

        Raises AudioError when the suffix is unknown or the place cannot be written.
        """
        path = Path(path)
        content = self.to_bytes(path.suffix or "(none)")
        write_atomically(path, content, error=AudioError)
        return path

    def _encode(self, file: BinaryIO, suffix: str) -> None:
        import soundfile

        if suffix not in _FORMATS:
            raise AudioError(f"cannot write {suffix!r} files; use one of: {', '.join(sorted(_FORMATS))}")
        container, subtype = _FORMATS[suffix]
        audio = self
        if subtype == "OPUS" and self._sample_rate not in _OPUS_RATES:
            audio = self.resample(48_000)
        try:
            with soundfile.SoundFile(file, "w", audio.sample_rate, 1, format=container, subtype=subtype) as out:
                # libvorbis crashes on one long write, so every format is written in blocks of a second.
                for block in audio.chunks(1000):
                    out.write(np.clip(block.samples, -1.0, 1.0))
        except soundfile.LibsndfileError as error:
            raise AudioError(f"cannot write {suffix} at {audio.sample_rate} Hz: {error.error_string}") from None

    def __len__(self) -> int:
        return len(self._samples)

    def __add__(self, other: Audio) -> Audio:
        return Audio.concat([self, other])

    @property
    def sha256(self) -> str:
        """What tells this sound from every other, whatever file it came from: 64 hexadecimal digits, computed once."""
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
    # A copy, always: the caller's array must not change under an immutable value.
    floats = samples.astype(np.float32)
    if not np.isfinite(floats).all():
        bad = int(np.count_nonzero(~np.isfinite(floats)))
        raise AudioError(f"{bad} of {floats.size} samples are NaN or infinite; clean the signal first")
    peak = float(np.abs(floats).max(initial=0.0))
    if peak > LOUDEST_SANE_PEAK:
        raise AudioError(f"float samples reach {peak:g}, but full scale is 1.0; divide them, or pass int16")
    return floats


def _mix_down(samples: Samples, channels_first: bool | None) -> Samples:
    if samples.ndim == 1:
        return samples
    if samples.ndim != 2:
        raise AudioError(f"an array of shape {samples.shape} is not sound; give (n,) or (n, channels)")
    if channels_first is None:
        channels_first = samples.shape[0] < samples.shape[1]
    frames = samples.T if channels_first else samples
    channels = frames.shape[1]
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{channels} channels in an array of shape {samples.shape}; give 1 to {MAX_CHANNELS}")
    if channels == 1 or not len(frames):
        return np.ascontiguousarray(frames[:, 0])
    mean = frames.mean(axis=1, dtype=np.float32)
    power = np.square(frames, dtype=np.float64).mean(axis=0)
    loudest = int(power.argmax())
    # The mean of N channels of which one speaks keeps 1/N^2 of its power; far less means they cancel.
    if np.square(mean, dtype=np.float64).mean() < 0.1 * power[loudest] / channels**2:
        return np.ascontiguousarray(frames[:, loudest])
    return np.asarray(mean, np.float32)


def _read(source: AudioSource) -> tuple[bytes, str]:
    """The bytes of a source, and what to call it in an error."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), f"{len(source)} bytes"
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            return path.read_bytes(), str(path)
        except FileNotFoundError:
            raise AudioError(f"no such file: {path}") from None
        except IsADirectoryError:
            raise AudioError(f"{path} is a folder; give a sound file") from None
        except (OSError, ValueError) as error:
            raise AudioError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if hasattr(source, "read"):
        content = source.read()
        if not isinstance(content, bytes):
            raise AudioError(f"{source!r} was opened as text; open it in binary mode ('rb')")
        return content, str(getattr(source, "name", "the file object"))
    raise AudioError(
        f"cannot load sound from {type(source).__name__}; give a path, bytes or a binary file, "
        "or build Audio(samples, sample_rate) from an array"
    )


def _decode(content: bytes, name: str) -> Audio:
    import soundfile

    if not content:
        raise AudioError(f"{name} is empty; record it again")
    _refuse_truncated_wav(content, name)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            claimed, rate = file.frames, file.samplerate
            # Streamed Opus and MP3 may not know their length; those are cut off by the read below.
            if MAX_DURATION_S * rate < claimed < 2**62:
                raise AudioError(
                    f"{name} is {claimed / rate / 60:.0f} minutes long; the limit is "
                    f"{MAX_DURATION_S // 60}, so cut it first"
                )
            frames = file.read(min(claimed, MAX_DURATION_S * rate), dtype="float32", always_2d=True)
            lossless = file.format in ("WAV", "FLAC", "AIFF", "W64", "CAF")
    except soundfile.LibsndfileError as error:
        if _needs_containers(content):
            return _decode_container(content, name)
        reason = error.error_string.rstrip(".").lower()
        raise AudioError(f"{name} is not a sound file that can be read ({reason}); use WAV or FLAC") from None
    if lossless and len(frames) < claimed:
        raise AudioError(f"{name} is truncated: {len(frames)} of {claimed} frames are there; copy it again")
    try:
        return Audio(frames, rate, channels_first=False)
    except AudioError as error:
        raise AudioError(f"{name}: {error}") from None


def _refuse_truncated_wav(content: bytes, name: str) -> None:
    # libsndfile silently reads what is left of a cut WAV; the words that are missing would go unnoticed.
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return
    position = 12
    while position + 8 <= len(content):
        chunk, size = content[position : position + 4], struct.unpack_from("<I", content, position + 4)[0]
        if chunk == b"data":
            there = len(content) - position - 8
            streamed = size in (0, 0xFFFFFFFF) or size >= 0x7FFFF000  # written before the length was known
            if there < size and not streamed:
                raise AudioError(f"{name} is truncated: {there} of {size} bytes are there; copy it again")
            return
        position += 8 + size + size % 2
    raise AudioError(f"{name} is truncated: its header announces sound that is not there; copy it again")


def _needs_containers(content: bytes) -> bool:
    return content[:4] == b"\x1aE\xdf\xa3" or content[4:8] == b"ftyp"  # Matroska/WebM, MP4/M4A


def _decode_container(content: bytes, name: str) -> Audio:
    try:
        import av
    except ImportError:
        raise MissingExtra(f"reading {name} (WebM, MP4 or M4A)", "containers") from None
    blocks: list[Samples] = []
    total = 0
    try:
        with av.open(io.BytesIO(content), "r") as container:
            if not container.streams.audio:
                raise AudioError(f"{name} holds no sound track")
            rate = container.streams.audio[0].rate
            to_float = av.AudioResampler(format="fltp", rate=rate)
            for frame in container.decode(audio=0):
                for plain in to_float.resample(frame):
                    blocks.append(plain.to_ndarray().astype(np.float32))
                    total += blocks[-1].shape[1]
                if total > MAX_DURATION_S * rate:
                    raise AudioError(f"{name} is longer than {MAX_DURATION_S // 60} minutes; cut it first")
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(f"{name} is not a sound file that can be read ({error}); use WAV or FLAC") from None
    if not blocks:
        raise AudioError(f"{name} holds no sound; record it again")
    return Audio(np.concatenate(blocks, axis=1), rate, channels_first=True)
