"""WAV and AIFF: the chunks of a file, files joined end to end, and sizes that were not known when they were written."""

from __future__ import annotations

import struct

from agentaudio.errors import AudioError

_UNKNOWN_FROM = 0x7FFFF000
"""Programs that stream a WAV file write a size from here on, or 0, because they do not know it yet."""


def wav_files(content: bytes, name: str) -> list[bytes]:
    """The WAV files that were joined in this content, in order, each with true sizes.

    Raises AudioError when one is truncated: libsndfile would read what is left of it without an error.
    """
    files: list[bytes] = []
    start = 0
    while content.startswith(b"RIFF", start) and content[start + 8 : start + 12] == b"WAVE":
        data = _find(content, start + 12, b"data")
        if data < 0:
            if files:
                break
            raise AudioError(f"{name} is truncated: it ends before the sound that its header announces; copy it again")
        size, begin = _size(content, data), data + 8
        if size >= _UNKNOWN_FROM or (size == 0 and not _is_chunks(content, begin)):
            end = _next_header(content, begin)
            riff = struct.pack("<I", min(end - start - 8, 0xFFFFFFFF))
            held = struct.pack("<I", min(end - begin, 0xFFFFFFFF))
            files.append(b"".join((b"RIFF", riff, content[start + 8 : data + 4], held, content[begin:end])))
            start = end
            continue
        end = begin + size
        if len(content) < end:
            raise AudioError(f"{name} is truncated: it holds {len(content) - begin} of {size} bytes; copy it again")
        following = _find(content, end + size % 2, b"RIFF")
        if following < 0:
            files.append(content[start:] if start else content)
            break
        files.append(content[start:following])
        start = following
    return files


def aiff_files(content: bytes) -> list[bytes]:
    """The AIFF files that were joined in this content, in order."""
    files: list[bytes] = []
    while content[:4] == b"FORM":
        size = int.from_bytes(content[4:8], "big")
        end = 8 + size + size % 2
        if not content.startswith(b"FORM", end):
            break
        files.append(content[:end])
        content = content[end:]
    return [*files, content]


def wav_data(content: bytes) -> bytes:
    """The content of the data chunk of a WAV file with true sizes; empty when there is none."""
    data = _find(content, 12, b"data")
    return content[data + 8 : data + 8 + _size(content, data)] if data >= 0 else b""


def _find(content: bytes, place: int, name: bytes) -> int:
    """Where the first chunk of this name begins, from a chunk on; -1 when the chunks end before it."""
    while place + 8 <= len(content):
        if content.startswith(name, place):
            return place
        size = _size(content, place)
        place += 8 + size + size % 2
    return -1


def _size(content: bytes, place: int) -> int:
    return int.from_bytes(content[place + 4 : place + 8], "little")


def _is_chunks(content: bytes, place: int) -> bool:
    """Whether chunks fill the content from here to its end, or to another file."""
    while place + 8 <= len(content) and content[place : place + 4].isascii() and not content.startswith(b"RIFF", place):
        size = _size(content, place)
        place += 8 + size + size % 2
    return content.startswith(b"RIFF", place) or place in (len(content), len(content) + 1)


def _next_header(content: bytes, place: int) -> int:
    """Where the next file begins whose header stands between the samples; the end when there is none."""
    found = content.find(b"WAVEfmt ", place)
    while found >= 0:
        if found - 8 >= place and content.startswith(b"RIFF", found - 8):
            return found - 8
        found = content.find(b"WAVEfmt ", found + 1)
    return len(content)
