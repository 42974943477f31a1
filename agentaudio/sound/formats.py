"""Formats of sound files: the suffixes that are read and written, and the first bytes that tell them."""

from __future__ import annotations

import os
from pathlib import Path

WRITABLE = {  # suffix: (container, subtype) in the names of libsndfile
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""What `Audio.save` and `Audio.to_bytes` write."""

CONTAINERS = (".m4a", ".mp4", ".webm")
"""What is read with the extra `containers` only."""

SOUND_SUFFIXES = (*WRITABLE, ".oga", ".aiff", ".aif", *CONTAINERS)
"""Every suffix, in lower case, of a file that `Audio.load` reads."""


def has_sound_suffix(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends like a sound file, in upper or lower case. The file is not opened."""
    return Path(path).suffix.lower() in SOUND_SUFFIXES


def is_container(content: bytes | bytearray) -> bool:
    """Whether bytes begin a Matroska (WebM) or ISO base media (MP4, M4A) file."""
    return content[:4] == b"\x1aE\xdf\xa3" or content[4:8] == b"ftyp"


def is_read_by_libsndfile(content: bytes | bytearray) -> bool:
    """Whether bytes begin a file that is read with libsndfile: WAV, RF64, W64, AIFF, FLAC, Ogg, MP3, CAF or AU.

    Its readers of other formats are little used and print to standard output.
    """
    if content[:4] == b"FORM":
        return content[8:12] in (b"AIFF", b"AIFC")
    sync = len(content) > 1 and content[0] == 0xFF and content[1] & 0xE0 == 0xE0  # of an MP3 frame without a tag
    known = (b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"caff", b".snd")
    return content[:4] in known or content[:3] == b"ID3" or sync


def starts_like_sound(content: bytes) -> bool:
    """Whether bytes begin as sound files do: WAV, AIFF, FLAC, Ogg, MP3 with an ID3 tag, or a container."""
    return content[:4] in (b"RIFF", b"FORM", b"fLaC", b"OggS") or content[:3] == b"ID3" or is_container(content)
