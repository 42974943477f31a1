"""Where a sound in a file ends by its own sizes, and whether another sound file was joined to it."""

from __future__ import annotations

from agentaudio.sound.formats import kind_of, sound_start
from agentaudio.sound.mpeg import frame_runs, mpeg_frame
from agentaudio.sound.ogg import chains

_HEADER = 200
_SMALLEST = 100
"""Bytes of a file with sound."""
_MPEG_FRAMES = 3
"""Frames of MPEG audio in a row by which it is known; one alone may be chance."""
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


def sound_end(content: bytes, kind: str) -> int:
    """Where a file of this kind ends by its own sizes; the end of the content where they do not tell."""
    match kind:
        case "wav":
            end = _chunks_end(content, 12)
        case "aiff":
            end = _padded(8 + int.from_bytes(content[4:8], "big"))
        case "ogg":
            end = _before_other(content, [(one.start, one.end) for one in chains(content)[0]])
        case "au":
            size = int.from_bytes(content[8:12], "big")
            end = len(content) if size == 0xFFFFFFFF else int.from_bytes(content[4:8], "big") + size
        case "caf":
            end = _caf_end(content)
        case "w64" if content.startswith(_W64_RIFF):
            end = -(-int.from_bytes(content[16:24], "little") // 8) * 8
        case "rf64" if content[12:16] == b"ds64":
            end = _padded(8 + int.from_bytes(content[20:28], "little"))
        case "mp3":
            end = _before_other(content, frame_runs(content))
        case "mp4":
            end = _boxes_end(content)
        case _:
            end = len(content)
    return min(end, len(content)) if end > _SMALLEST else len(content)  # 0 stands for a size that was not known


def following_sound(content: bytes, end: int) -> int | None:
    """Where another sound file begins behind the end of one, after tags and padding; None without one."""
    rest = content[end:]
    start = sound_start(rest)
    kind = kind_of(rest[start : start + _HEADER])
    if kind is None or kind == "aac" or (kind == "mp3" and not _is_mpeg(rest, start)):
        return None
    return end + start


def _before_other(content: bytes, runs: list[tuple[int, int]]) -> int:
    """The end of the last run of frames or pages before a sound file of another kind."""
    end = len(content)
    for start, stop in runs:
        if start > end and following_sound(content[end:start], 0) is not None:
            break
        end = stop
    return end


def _is_mpeg(content: bytes, place: int) -> bool:
    for _ in range(_MPEG_FRAMES):
        frame = mpeg_frame(content, place)
        if frame is None:
            return False
        place += frame.size
    return place <= len(content)


def _chunks_end(content: bytes, place: int) -> int:
    """Where the chunks of a WAV file end: at its end, at another file, or where no chunk begins."""
    while place + 8 <= len(content):
        name = content[place : place + 4]
        if not all(32 <= byte < 127 for byte in name) or kind_of(content[place : place + _HEADER]) is not None:
            return place
        place = _padded(place + 8 + int.from_bytes(content[place + 4 : place + 8], "little"), place)
    return place


def _boxes_end(content: bytes) -> int:
    """Source: ISO 14496-12, section 4.2. A box of size 0 reaches the end, and another file begins with `ftyp`."""
    place = 0
    while place + 8 <= len(content):
        size, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if size == 1:
            size = int.from_bytes(content[place + 8 : place + 16], "big")
        if (place and name == b"ftyp") or not all(32 <= byte < 127 for byte in name):
            return place
        if size < 8:
            return len(content)
        place += size
    return place


def _caf_end(content: bytes) -> int:
    """Source: Apple Core Audio Format Specification 1.0. A size of -1 is that of data that reach the end."""
    place = 8
    while place + 12 <= len(content):
        name = content[place : place + 4]
        if not all(32 <= byte < 127 for byte in name) or kind_of(content[place : place + _HEADER]) is not None:
            return place
        size = int.from_bytes(content[place + 4 : place + 12], "big", signed=True)
        if size < 0:
            return len(content)
        place += 12 + size
    return place


def _padded(place: int, start: int = 0) -> int:
    """The next even number of bytes from a start."""
    return place + (place - start) % 2
