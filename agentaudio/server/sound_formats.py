"""Sound on its way out: `SoundEncoder`, one file or stream from the pieces of an answer."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Literal, Protocol, cast, get_args

import numpy as np

from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[Format, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
RATE_HZ = 24_000
"""Of everything that is sent, as OpenAI's clients expect of PCM, which has no header."""
PIECE_S = 0.2
"""Seconds that are encoded at once: some milliseconds of work."""

_FFMPEG: dict[Format, tuple[str, str, dict[str, str]]] = {  # (container, codec, options of the container)
    "mp3": ("mp3", "libmp3lame", {"write_xing": "0", "id3v2_version": "0"}),
    "opus": ("ogg", "libopus", {"page_duration": "100000"}),
    "aac": ("adts", "aac", {}),
    "flac": ("flac", "flac", {}),
}
_BITS_PER_S: dict[Format, int] = {"mp3": 64_000, "opus": 32_000, "aac": 64_000}
_UNKNOWN = 0xFFFFFFFF


class SoundEncoder(Protocol):
    """Turns the pieces of one sound into one file or stream, a piece at a time. Not thread-safe."""

    def push(self, audio: Audio) -> bytes:
        """Take a piece of any rate; return the bytes that are complete now, maybe none."""

    def finish(self) -> bytes:
        """The rest. Nothing may be pushed afterwards."""


def encoder(format: Format) -> SoundEncoder:
    """An encoder whose bytes can be sent while they are made: no header is changed later.

    A WAV header says that the size is unknown, and nothing comes behind the samples.
    """
    if format == "pcm":
        return _Pcm()
    return _Wav() if format == "wav" else _Compressed(format)


def whole(audio: Audio, format: Format) -> bytes:
    """A complete file with true sizes. Blocks: some 10 ms for each second of a compressed sound."""
    pcm = audio.resample(RATE_HZ)
    if format == "pcm":
        return pcm.to_pcm16()
    if format == "wav":
        samples = pcm.to_pcm16()
        return wav_header(len(samples)) + samples
    made = _Compressed(format)
    return b"".join([*(made.push(piece) for piece in pcm.chunks(1_000)), made.finish()])


def pieces(audio: Audio) -> Iterable[Audio]:
    """A sound in pieces of PIECE_S, so that encoding one does not hold up the event loop."""
    return (audio,) if audio.duration <= PIECE_S else audio.chunks(1000 * PIECE_S)


def wav_header(size: int | None) -> bytes:
    """The 44 bytes before 16-bit mono samples. size: of the samples in bytes; None when it is not known yet"""
    riff, data = (_UNKNOWN, _UNKNOWN) if size is None else (36 + size, size)
    form = struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + form + b"data" + struct.pack("<I", data)


class _Pcm:
    """Little-endian 16-bit samples at RATE_HZ."""

    def __init__(self) -> None:
        self._stream = PcmStream(RATE_HZ)

    def push(self, audio: Audio) -> bytes:
        return self._stream.push(audio).to_pcm16()

    def finish(self) -> bytes:
        return self._stream.finish().to_pcm16()


class _Wav:
    """Samples behind one header."""

    def __init__(self) -> None:
        self._pcm = _Pcm()
        self._header = wav_header(None)

    def push(self, audio: Audio) -> bytes:
        header, self._header = self._header, b""
        return header + self._pcm.push(audio)

    def finish(self) -> bytes:
        header, self._header = self._header, b""
        return header + self._pcm.finish()


class _Sink(io.RawIOBase):
    """Where FFmpeg writes. It cannot seek, so FFmpeg writes nothing that it would have to change later."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, content: Any) -> int:
        self._written += content
        return len(content)

    def take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken


class _Compressed:
    """MP3, Opus in Ogg, AAC in ADTS, or FLAC, by FFmpeg's libraries."""

    def __init__(self, format: Format) -> None:
        import av

        container, codec, options = _FFMPEG[format]
        self._stream = PcmStream(RATE_HZ)
        self._sink = _Sink()
        opened = av.open(self._sink, "w", format=container, options={**options, "flush_packets": "1"})
        self._file = cast(Any, opened)
        self._track = self._file.add_stream(codec, rate=RATE_HZ, layout="mono")
        if format in _BITS_PER_S:
            self._track.bit_rate = _BITS_PER_S[format]
        self._resampler: Any = None
        self._samples = 0

    def push(self, audio: Audio) -> bytes:
        self._encode(self._stream.push(audio))
        return self._sink.take()

    def finish(self) -> bytes:
        self._encode(self._stream.finish())
        if not self._samples:  # FFmpeg does not write a file without a frame
            self._encode(Audio.silence(0.02, RATE_HZ))
        if self._resampler is not None:
            self._write(self._resampler.resample(None))
        self._write([None])
        self._file.close()
        return self._sink.take()

    def _encode(self, audio: Audio) -> None:
        if not len(audio):
            return
        import av

        if self._resampler is None:
            codec = self._track.codec_context
            codec.open(strict=False)
            self._resampler = av.AudioResampler(
                format=codec.format, layout="mono", rate=RATE_HZ, frame_size=codec.frame_size or None
            )
        frame = av.AudioFrame.from_ndarray(
            np.frombuffer(audio.to_pcm16(), "<i2")[None, :], format="s16", layout="mono"
        )  # fmt: skip
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._samples, Fraction(1, RATE_HZ)
        self._samples += len(audio)
        self._write(self._resampler.resample(frame))

    def _write(self, frames: Iterable[Any]) -> None:
        for frame in frames:
            for packet in self._track.encode(frame):
                self._file.mux(packet)
