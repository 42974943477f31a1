"""Sound files of every format, read as a clip or as the user's sound."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from agentaudio.errors import AudioError
from agentaudio.sound import decode
from agentaudio.sound.audio import Audio
from fuzzing import mutate
from fuzzing.near import run_near
from fuzzing.target import Case, Target
from fuzzing.watch import Broken

FORMATS = {
    "wav": (("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"),
            ("WAV", "ULAW"), ("WAVEX", "PCM_16")),
    "adpcm": (("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"), ("WAV", "G721_32"),
              ("WAV", "NMS_ADPCM_16")),
    "flac": (("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("FLAC", "PCM_S8")),
    "ogg": (("OGG", "VORBIS"), ("OGG", "OPUS"), ("OGG", "FLAC")),
    "mp3": (("MP3", "MPEG_LAYER_III"),),
    "aiff": (("AIFF", "PCM_16"), ("AIFF", "FLOAT"), ("AIFF", "IMA_ADPCM"), ("AIFF", "ULAW")),
    "other": (("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"), ("AU", "PCM_16"),
              ("AU", "G721_32"), ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("IRCAM", "PCM_16"), ("PAF", "PCM_24"),
              ("SVX", "PCM_16"), ("XI", "DPCM_16"), ("SDS", "PCM_16"), ("AVR", "PCM_16"), ("HTK", "PCM_16"),
              ("MAT4", "PCM_16"), ("PVF", "PCM_16"), ("WVE", "ALAW"), ("MPC2K", "PCM_16")),
}  # fmt: skip
CONTAINERS = (("mp4", "aac"), ("mp4", "libmp3lame"), ("mov", "pcm_s16le"), ("webm", "libopus"), ("matroska", "flac"),
              ("matroska", "pcm_s16le"), ("webm", "libvorbis"), ("mp4", "alac"), ("mp4", "flac"))  # fmt: skip


def _samples(frames: int, channels: int) -> np.ndarray[Any, Any]:
    time = np.arange(frames)[:, None] / 8_000
    return (0.3 * np.sin(2 * np.pi * 220 * time * np.arange(1, channels + 1))).astype(np.float32)


def _written(format: str, subtype: str, rate: int, channels: int) -> bytes | None:
    file = io.BytesIO()
    try:
        soundfile.write(file, _samples(400, channels), rate, subtype=subtype, format=format)
    except (soundfile.LibsndfileError, ValueError):
        return None  # this build does not write it
    return _without_time(file.getvalue())


def _without_time(content: bytes) -> bytes:
    """The file without the second in which it was written, and without the random number of an Ogg stream."""
    changed = bytearray(content)
    if (at := content.find(b"PEAK")) >= 0:
        changed[at + 12 : at + 16] = bytes(4)
    starts = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    for start, end in zip(starts, [*starts, len(content)][1:], strict=True):
        changed[start + 14 : start + 18] = b"fuzz"
        changed[start + 22 : start + 26] = bytes(4)
        changed[start + 22 : start + 26] = struct.pack("<I", _ogg_crc(bytes(changed[start:end])))
    return bytes(changed)


def _contained(format: str, codec: str) -> bytes | None:
    import av

    file = io.BytesIO()
    rate = 48_000 if codec == "libopus" else 16_000
    try:
        with av.open(file, "w", format=format, options={"fflags": "bitexact"}) as container:
            stream: Any = container.add_stream(codec, rate=rate)
            resampler = av.AudioResampler(format=stream.codec_context.format or "s16", layout="mono", rate=rate)
            frame = av.AudioFrame.from_ndarray(
                (_samples(1_600, 1).T * 30_000).astype(np.int16).copy(), format="s16", layout="mono"
            )
            frame.sample_rate = rate
            for plain in resampler.resample(frame):
                container.mux(stream.encode(plain))
            container.mux(stream.encode(None))
    except (av.FFmpegError, ValueError, TypeError):
        return None
    return file.getvalue()


class Sound(Target):
    name = "sound"
    refusals = (AudioError,)
    memory_mb = 150
    dictionary = (
        b"RIFF", b"WAVE", b"fmt ", b"data", b"fact", b"LIST", b"FORM", b"AIFF", b"AIFC", b"COMM", b"SSND", b"fLaC",
        b"OggS", b"OpusHead", b"OpusTags", b"\x01vorbis", b"\x03vorbis", b"\x05vorbis", b"ID3\x03", b"\xff\xfb\x90",
        b"ftypM4A ", b"moov", b"mdat", b"trak", b"stsz", b"stco", b"stsd", b"esds", b"mp4a", b"\x1aE\xdf\xa3",
        b"\x1fC\xb6u", b"\x18S\x80g", b"caff", b"desc", b".snd", b"riff", b"RF64", b"ds64",
    )  # fmt: skip

    def seeds(self) -> dict[str, list[bytes]]:
        found = {
            kind: [
                content
                for format, subtype in formats
                for rate, channels in ((8_000, 1), (48_000, 2))
                if (content := _written(format, subtype, rate, channels)) is not None
            ]
            for kind, formats in FORMATS.items()
        }
        found["container"] = [content for one in CONTAINERS if (content := _contained(*one)) is not None]
        return found

    def prepare(self, folder: Path) -> None:
        run_near(decode)

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        content = seed
        if kind == "flac" and chance.random() < 0.3:
            content = _claiming(chance, content)
        if kind == "ogg" and chance.random() < 0.7:
            content = _in_a_page(chance, content)
            if chance.random() < 0.8:
                return content
        if kind == "container" and chance.random() < 0.4:
            content = _in_a_header(chance, content)
        return mutate.changed(chance, content, others, self.dictionary) if chance.random() < 0.9 else content

    def read(self, case: Case) -> str:
        sound = Audio.load(case.content, max_duration_s=60)
        if sound.samples.ndim != 1 or not np.isfinite(sound.samples).all() or sound.sample_rate <= 0:
            raise Broken("invalid", f"samples of shape {sound.samples.shape} at {sound.sample_rate} Hz")
        if sound.duration > 60:
            raise Broken("invalid", f"{sound.duration} s of sound")
        sound.resample(16_000)
        return "read"


def _claiming(chance: random.Random, content: bytes) -> bytes:
    """A FLAC whose STREAMINFO claims other frames, rate, channels or width (RFC 9639, 8.2)."""
    changed = bytearray(content)
    (word,) = struct.unpack_from(">Q", changed, 18)
    frames = chance.choice((0, 1, 399, 401, 2**36 - 1, chance.randrange(2**36)))
    word = (word & ~(2**36 - 1)) | frames
    if chance.random() < 0.3:
        word ^= chance.getrandbits(28) << 36
    struct.pack_into(">Q", changed, 18, word)
    return bytes(changed)


def _in_a_page(chance: random.Random, content: bytes) -> bytes:
    """An Ogg file with bytes changed inside a page, whose checksum is made right again (RFC 3533, 6)."""
    starts = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    if not starts:
        return content
    number = chance.randrange(len(starts))
    start, end = starts[number], (*starts, len(content))[number + 1]
    page = bytearray(content[start:end])
    for _ in range(chance.choice((1, 1, 2, 8))):
        page[chance.randrange(4, len(page))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
    page[22:26] = bytes(4)
    page[22:26] = struct.pack("<I", _ogg_crc(bytes(page)))
    return content[:start] + bytes(page) + content[end:]


def _ogg_crc(page: bytes) -> int:
    # The polynomial of zlib's CRC-32 without its reflections and complements: reverse bits before and after it.
    mirrored = page.translate(_MIRROR)
    remainder = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{remainder:032b}"[::-1], 2)


_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _in_a_header(chance: random.Random, content: bytes) -> bytes:
    """A container with a field changed in its headers, where most of a small file's bytes are not."""
    changed = bytearray(content)
    marks = (b"stsd", b"stsz", b"stsc", b"stco", b"mdhd", b"mvhd", b"tkhd", b"mp4a", b"esds", b"elst", b"hdlr",
             b"\xb5", b"\x9f", b"\x86", b"\xae", b"\x63\xa2", b"\xe1", b"\xa3")  # fmt: skip
    places = [at for mark in marks if (at := changed.find(mark)) >= 0]
    if places:
        at = chance.choice(places) + chance.randrange(-4, 40)
        if 0 <= at < len(changed) - 4:
            struct.pack_into(">I", changed, at, chance.choice(mutate.INTERESTING) % 2**32)
    return bytes(changed)
