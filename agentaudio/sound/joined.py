"""`sounds_in`: the sounds that were joined in one file, each as a file by itself, with what it promises to hold.

Decoders read the first of several joined sounds and end without an error, so that words would go missing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from agentaudio.errors import AudioError
from agentaudio.sound.following import following_sound, sound_end
from agentaudio.sound.formats import ffmpeg_reader, kind_of, sound_start
from agentaudio.sound.mpeg import adts_seconds, joined_sounds
from agentaudio.sound.ogg import chains
from agentaudio.sound.riff import aiff_files, wav_data, wav_files

MOST = 1_000
"""Sounds in one file."""
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_AMR = re.compile(rb"#!AMR(?:-WB)?\n")
_ENDED = ("w64", "rf64")
"""Formats of which libsndfile reads beyond the end."""
_SPARE_FRAMES = 4
"""Frames of MPEG audio that a decoder may leave out at the ends of a sound."""
_SPARE_S = 0.15


class Sound(NamedTuple):
    """A file with one sound.

    reader: FFmpeg's name of its format when libsndfile does not read it; otherwise None
    least_s: seconds that it must have when it is decoded
    """

    content: bytes
    reader: str | None = None
    least_s: float = 0.0


def sounds_in(content: bytes | bytearray, name: str) -> list[Sound]:
    """The sounds in a file, in order; tags before them are left out. Decided by content alone.

    Raises AudioError for an unknown format, for a file that holds less than it promises, and for more than MOST.
    """
    whole = bytes(content)
    if start := sound_start(whole):
        whole = whole[start:]
    found: list[Sound] = []
    while len(found) <= MOST:
        kind = kind_of(whole)
        end = sound_end(whole, kind) if kind else len(whole)
        following = following_sound(whole, end)
        found += _sounds(whole if following is None and kind not in _ENDED else whole[:end], kind, name)
        if following is None:
            break
        whole = whole[following:]
    if not found:
        raise AudioError(f"{name} holds no sound; record it again")
    if len(found) > MOST:
        raise AudioError(f"{name} is joined from {len(found):,} sounds, more than {MOST:,}; join them as samples")
    return found


def _sounds(content: bytes, kind: str | None, name: str) -> list[Sound]:
    reader = ffmpeg_reader(content)
    if kind == "mp3":
        return _mpeg(content, name)
    if kind is None:
        if content.startswith(b"\x00\x05\x16\x07"):
            raise AudioError(f"{name} holds attributes that macOS keeps of another file, and no sound; leave it out")
        raise AudioError(f"{name} is not a sound file that can be read (unknown format); use WAV or FLAC")
    if kind == "mp3-in-wav":
        return [sound for file in wav_files(content, name) for sound in _mpeg(wav_data(file), name)]
    if kind == "wav" and content.startswith(b"RIFF"):
        return [Sound(file, reader) for file in wav_files(content, name)]
    if kind == "aac":
        return [Sound(content, reader, adts_seconds(content) - _SPARE_S)]
    if kind == "ogg":
        return _ogg(content, reader, name)
    if kind == "aiff":
        return [Sound(file) for file in aiff_files(content)]
    if kind in ("flac", "amr"):
        marks = (_FLAC if kind == "flac" else _AMR).finditer(content)
        starts = [0, *(mark.start() for mark in marks if mark.start())]
        return [Sound(content[a:b], reader) for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]
    return [Sound(content, reader)]


def _mpeg(content: bytes, name: str) -> list[Sound]:
    found = []
    for sound in joined_sounds(content):
        if sound.promised is not None and sound.frames < sound.promised - 2:
            raise AudioError(f"{name} is truncated: it holds {sound.frames} of {sound.promised} frames; copy it again")
        if sound.frames:
            whole = (sound.frames - _SPARE_FRAMES) * sound.samples_of_frame - sound.gapless
            found.append(Sound(sound.content, None, whole / sound.rate))
    return found or [Sound(content)]  # free format: the frames do not tell their sizes


def _ogg(content: bytes, reader: str | None, name: str) -> list[Sound]:
    found, cut = chains(content)
    if cut:
        raise AudioError(f"{name} is truncated: its last page is not complete; copy it again")
    if len(found) < 2:
        return [Sound(content, reader, found[0].seconds - _SPARE_S if found else 0.0)]
    return [Sound(part := content[one.start : one.end], ffmpeg_reader(part), one.seconds - _SPARE_S) for one in found]
