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


def is_container(content: bytes) -> bool:
    """Whether bytes begin a Matroska (WebM) or ISO base media (MP4, M4A) file."""
    return content[:4] == b"\x1aE\xdf\xa3" or content[4:8] == b"ftyp"


def starts_like_sound(content: bytes) -> bool:
    """Whether bytes begin as sound files do: WAV, AIFF, FLAC, Ogg, MP3 with an ID3 tag, or a container."""
    return content[:4] in (b"RIFF", b"FORM", b"fLaC", b"OggS") or content[:3] == b"ID3" or is_container(content)
