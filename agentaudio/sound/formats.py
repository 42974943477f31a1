"""Formats of sound files: the suffixes that are read and written, and the content that tells them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from agentaudio.errors import AudioError

log = logging.getLogger(__name__)

WRITABLE = {  # suffix: (container, subtype) in the names of libsndfile
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""What `Audio.save` and `Audio.to_bytes` write."""

CONTAINERS = (".m4a", ".mp4", ".webm", ".mka", ".3gp", ".aac", ".amr", ".wma")
"""What is read with the extra `containers` only."""

SOUND_SUFFIXES = (*WRITABLE, ".oga", ".aiff", ".aif", ".caf", ".au", ".w64", ".mp2", *CONTAINERS)
"""Every suffix, in lower case, of a file that `Audio.load` reads."""

_STARTS = {
    b"fLaC": "flac", b"OggS": "ogg", b"caff": "caf", b".snd": "au", b"riff": "w64", b"RF64": "rf64",
    b"\x1aE\xdf\xa3": "matroska", b"#!AM": "amr", b"0&\xb2u": "asf",
}  # fmt: skip
_BY_FFMPEG = {"matroska": "matroska", "mp4": "mov", "aac": "aac", "amr": "amr", "asf": "asf"}
"""Formats that libsndfile does not read, and FFmpeg's name of their reader."""
_HEADER = 200
_MOST_TAGS, _MOST_PADDING = 100, 2**20
_MPEG_LAYERS = (0x50, 0x55)
_IN_WAV = {0x160: "wav", 0x161: "wav", 0x2000: "wav"}
"""WMA and AC-3 in WAV."""


def has_sound_suffix(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends like a sound file, in upper or lower case. The file is not opened."""
    return Path(path).suffix.lower() in SOUND_SUFFIXES


def check_writable(suffix: str) -> None:
    """Raise AudioError for a suffix, such as ".wav", that is not one of WRITABLE in lower case."""
    if suffix.lower() not in WRITABLE:
        named = f"{suffix!r} files" if suffix else "a file without a suffix"
        raise AudioError(f"cannot write {named}; use one of: {', '.join(sorted(WRITABLE))}")


def sound_files(paths: Iterable[Path]) -> list[Path]:
    """The paths that have a sound suffix, sorted.

    Files such as `._song.mp3`, in which macOS keeps attributes of the file beside it, are left out; a warning
    names them.
    """
    found = sorted(path for path in paths if has_sound_suffix(path))
    for path in found:
        if path.name.startswith("._"):
            log.warning("left out %s: macOS keeps attributes of another file in it, and no sound", path)
    return [path for path in found if not path.name.startswith("._")]


def sound_start(content: bytes | bytearray) -> int:
    """Where a file begins behind ID3 tags and their padding; they may stand before any format."""
    place = 0
    for _ in range(_MOST_TAGS):
        if content[place : place + 3] != b"ID3" or len(content) < place + 10:
            break
        size = content[place + 6 : place + 10]
        if any(byte & 0x80 for byte in size):
            return place
        footer = 10 if content[place + 5] & 0x10 else 0
        place += 10 + footer + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    if kind_of(content[place : place + _HEADER]) is not None:
        return place
    window = bytes(content[place : place + _MOST_PADDING])
    padded = place + len(window) - len(window.lstrip(b"\0"))
    # The first box of an MP4 file begins with zeros of its own.
    starts = [
        start for start in range(padded, max(place, padded - 3) - 1, -1) if kind_of(content[start : start + _HEADER])
    ]
    return starts[0] if starts else place


def kind_of(content: bytes | bytearray) -> str | None:
    """The format of a file without tags before it, known by its first bytes; None for an unknown one.

    One of wav, mp3-in-wav, aiff, flac, ogg, caf, au, w64, rf64, mp3, aac, amr, asf, matroska and mp4.
    """
    start = bytes(content[:16])
    if start[:4] in (b"RIFF", b"RIFX") and start[8:12] == b"WAVE":
        return "mp3-in-wav" if wav_tag(content) in _MPEG_LAYERS else "wav"
    if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if start[:4] in _STARTS:
        return _STARTS[start[:4]]
    if start[4:8] in (b"ftyp", b"moov", b"wide", b"mdat"):
        return "mp4"
    if len(start) > 2 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0 and start[2] & 0x3C < 0x34:
        return "aac"
    return "mp3" if len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0 else None


def wav_tag(content: bytes | bytearray) -> int:
    """The number of the codec of a WAV file; 0 when it is not among the first chunks."""
    place = 12
    for _ in range(8):
        name, size = bytes(content[place : place + 4]), int.from_bytes(content[place + 4 : place + 8], "little")
        if name == b"fmt ":
            return int.from_bytes(content[place + 8 : place + 10], "little")
        place += 8 + size + size % 2
    return 0


def ffmpeg_reader(content: bytes | bytearray) -> str | None:
    """FFmpeg's name of the reader of a file, without tags before it, that libsndfile does not read; otherwise None."""
    kind = kind_of(content)
    if kind == "wav":
        return _IN_WAV.get(wav_tag(content))
    if kind == "ogg" and len(content) > 27:
        packet = bytes(content[27 + content[26] : 27 + content[26] + 8])
        return None if packet.startswith((b"\x01vorbis", b"OpusHead", b"\x7fFLAC")) else "ogg"
    return _BY_FFMPEG.get(kind or "")


def is_container(content: bytes | bytearray) -> bool:
    """Whether a file is read with the extra `containers`: WebM, MP4, M4A, AAC, AMR, WMA and others."""
    start = sound_start(content)
    return ffmpeg_reader(content[start : start + 65_536]) is not None


def starts_like_sound(content: bytes) -> bool:
    """Whether bytes begin as sound files do, with marks that no text begins with."""
    kind = kind_of(content)
    return content[:3] == b"ID3" or (kind is not None and kind not in ("mp3", "aac"))
