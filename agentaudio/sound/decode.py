"""Sound files in memory to samples of every channel."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError, MissingExtra
from agentaudio.sound.formats import is_container

AudioSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

MAX_DURATION_S = 3600
"""Longest sound that is read: a file of a few kilobytes may claim ten hours."""

_LOSSLESS = ("WAV", "FLAC", "AIFF", "W64", "CAF")  # as libsndfile names them


class Decoded(NamedTuple):
    """What a file holds.

    samples: (n, channels) float32; nominally in [-1, 1], but a float file may exceed it or hold NaN
    sample_rate: samples per second
    name: of the file, for error messages
    """

    samples: NDArray[np.float32]
    sample_rate: int
    name: str


def decode(source: AudioSource) -> Decoded:
    """Read a sound file of any rate and channel count.

    source: path, bytes, or binary file object; WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF; WebM, MP4
        and M4A with the extra `containers`

    Raises AudioError when the file is missing, empty, truncated, longer than MAX_DURATION_S, or
    not a sound file, and MissingExtra for a container without the extra.
    """
    content, name = _read(source)
    import soundfile

    if not content:
        raise AudioError(f"{name} is empty; record it again")
    _refuse_truncated_wav(content, name)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            claimed, rate = file.frames, file.samplerate
            # Streamed Opus and MP3 may not know their length; the read below stops at the limit.
            if MAX_DURATION_S * rate < claimed < 2**62:
                raise AudioError(
                    f"{name} is {claimed / rate / 60:.0f} minutes long; the limit is "
                    f"{MAX_DURATION_S // 60}, so cut it first"
                )
            samples = file.read(min(claimed, MAX_DURATION_S * rate), dtype="float32", always_2d=True)
            lossless = file.format in _LOSSLESS
    except soundfile.LibsndfileError as error:
        if is_container(content):
            return _decode_container(content, name)
        reason = error.error_string.rstrip(".").lower()
        raise AudioError(f"{name} is not a sound file that can be read ({reason}); use WAV or FLAC") from None
    if lossless and len(samples) < claimed:
        raise AudioError(f"{name} is truncated: it holds {len(samples)} of {claimed} frames; copy it again")
    return Decoded(samples, rate, name)


def _read(source: AudioSource) -> tuple[bytes, str]:
    """The bytes of a source, and its name for error messages."""
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


def _refuse_truncated_wav(content: bytes, name: str) -> None:
    # libsndfile reads what is left of a truncated WAV without an error, and words would go missing.
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return
    position = 12
    while position + 8 <= len(content):
        chunk, size = content[position : position + 4], struct.unpack_from("<I", content, position + 4)[0]
        if chunk == b"data":
            held = len(content) - position - 8
            streamed = size in (0, 0xFFFFFFFF) or size >= 0x7FFFF000  # written before the length was known
            if held < size and not streamed:
                raise AudioError(f"{name} is truncated: it holds {held} of {size} bytes; copy it again")
            return
        position += 8 + size + size % 2
    raise AudioError(f"{name} is truncated: it ends before the sound that its header announces; copy it again")


def _decode_container(content: bytes, name: str) -> Decoded:
    try:
        import av
    except ImportError:
        raise MissingExtra(f"reading {name} (WebM, MP4 or M4A)", "containers") from None
    blocks: list[NDArray[np.float32]] = []
    total = 0
    try:
        with av.open(io.BytesIO(content), "r") as container:
            if not container.streams.audio:
                raise AudioError(f"{name} has no audio track")
            rate = container.streams.audio[0].rate
            to_float = av.AudioResampler(format="fltp", rate=rate)
            for frame in container.decode(audio=0):
                for plain in to_float.resample(frame):
                    blocks.append(plain.to_ndarray().astype(np.float32))
                    total += blocks[-1].shape[1]
                if total > MAX_DURATION_S * rate:
                    raise AudioError(f"{name} is longer than {MAX_DURATION_S // 60} minutes; cut it first")
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(f"{name} is not a sound file that can be read ({error}); use WAV or FLAC") from None
    if not blocks:
        raise AudioError(f"{name} holds no sound; record it again")
    return Decoded(np.concatenate(blocks, axis=1).T, rate, name)
