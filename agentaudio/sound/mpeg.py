"""MPEG audio (MP3, MP2) and ADTS AAC: the frames of a stream, and the sounds that it was joined from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_BITRATES = {  # kbit/s by version 1 or 2, and layer
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_HEADER = re.compile(rb"\xff[\xe2-\xff][\x10-\xef]", re.DOTALL)
"""Where the header of a frame may begin: its bit rate is neither left open nor forbidden."""
_TAGS = (b"ID3", b"TAG", b"APETAGEX")


class Frame(NamedTuple):
    """size: bytes; samples: of each channel; rate: in Hz; form: what stays the same within one sound"""

    size: int
    samples: int
    rate: int
    form: tuple[int, ...]


@dataclass
class Sound:
    """One of the sounds that a stream was joined from.

    frames: number of its frames, without the one that only describes the others
    promised: number of frames that its description states; None without one
    gapless: samples that its description says are to be left out at both ends
    """

    form: tuple[int, ...]
    samples_of_frame: int
    rate: int
    description: bytes = b""
    pieces: list[bytes] = field(default_factory=list)
    frames: int = 0
    promised: int | None = None
    gapless: int = 0

    @property
    def content(self) -> bytes:
        """The frames, behind a description: without one, decoders guess the length from the size of the first frame."""
        return b"".join((self.description or self._made_description(), *self.pieces))

    def _made_description(self) -> bytes:
        if not self.pieces or self.form[1] != 3:
            return b""
        head = bytearray(self.pieces[0][:4])
        head[1] |= 1  # no checksum
        head[2] = head[2] & 0x0F | 0xA0  # a frame of this bit rate has room for the tag
        made = mpeg_frame(bytes(head), 0)
        assert made is not None
        side = _side_information(self.form)
        tag = b"Info" + (1).to_bytes(4, "big") + self.frames.to_bytes(4, "big")
        return (bytes(head) + bytes(side) + tag).ljust(made.size, b"\0")


def mpeg_frame(content: bytes, place: int) -> Frame | None:
    """The frame of MPEG audio whose header is here; None when there is none, or its size is not in the header.

    Source: ISO 11172-3 and 13818-3, section 2.4.2.3; version 2.5 as in LAME.
    """
    if len(content) < place + 4 or content[place] != 0xFF or content[place + 1] & 0xE0 != 0xE0:
        return None
    second, third = content[place + 1], content[place + 2]
    version, layer = (second >> 3) & 3, 4 - ((second >> 1) & 3)
    bitrate, rate = third >> 4, (third >> 2) & 3
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    hz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    bits = 1000 * _BITRATES[1 if version == 3 else 2, layer][bitrate]
    padding = (third >> 1) & 1
    size = (12 * bits // hz + padding) * 4 if layer == 1 else samples // 8 * bits // hz + padding
    return Frame(size, samples, hz, (version, layer, rate, int(content[place + 3] >> 6 == 3)))


def adts_frame(content: bytes, place: int) -> Frame | None:
    """The frame of ADTS AAC whose header is here. Source: ISO 13818-7, section 6.2."""
    if len(content) < place + 7 or content[place] != 0xFF or content[place + 1] & 0xF6 != 0xF0:
        return None
    rate = (content[place + 2] >> 2) & 15
    size = (content[place + 3] & 3) << 11 | content[place + 4] << 3 | content[place + 5] >> 5
    if rate >= len(_AAC_RATES) or size < 7:
        return None
    return Frame(size, 1024 * ((content[place + 6] & 3) + 1), _AAC_RATES[rate], (rate,))


def joined_sounds(content: bytes) -> list[Sound]:
    """The sounds that an MP3 stream was joined from, in order; empty when its frames cannot be followed.

    A new sound begins with a frame that describes the following ones (Xing, Info, VBRI), behind a tag, and where
    rate or number of channels change. Tags, padding and anything else between frames are left out.

    Source: the tags of Xing and LAME as in Gabriel Bouvigne, "Mp3 info tag revision 1 specification"; VBRI as in
    Konrad Windszus, "MPEG Audio Frame Header".
    """
    sounds: list[Sound] = []
    ended = 0
    for place, frame in _frames(content):
        described = _description(content[place : place + frame.size], frame)
        tagged = place > ended and any(content.startswith(tag, ended) for tag in _TAGS)
        if not sounds or described or tagged or frame.form != sounds[-1].form:
            sounds.append(Sound(frame.form, frame.samples, frame.rate))
        sound = sounds[-1]
        if described:
            sound.description = content[place : place + frame.size]
            sound.promised, sound.gapless = described
        else:
            sound.pieces.append(content[place : place + frame.size])
            sound.frames += 1
        ended = place + frame.size
    for sound in sounds:
        if sound.promised is not None and sound.frames > sound.promised:
            # More follows than is described, as when a sound without description was joined: decode all of it.
            sound.description, sound.promised, sound.gapless = b"", None, 0
    return sounds


def frame_runs(content: bytes) -> list[tuple[int, int]]:
    """Where frames of MPEG audio follow each other without a gap: start and end of each run."""
    runs: list[tuple[int, int]] = []
    for place, frame in _frames(content):
        if runs and runs[-1][1] == place:
            runs[-1] = (runs[-1][0], place + frame.size)
        else:
            runs.append((place, place + frame.size))
    return runs


def adts_seconds(content: bytes) -> float:
    """The duration that the frames of an ADTS stream promise."""
    place, seconds = 0, 0.0
    while frame := adts_frame(content, place):
        seconds += frame.samples / frame.rate
        place += frame.size
    return seconds


def _frames(content: bytes) -> Iterator[tuple[int, Frame]]:
    """Place and header of each complete frame."""
    place, form = 0, tuple[int, ...]()
    while place < len(content):
        frame = mpeg_frame(content, place)
        # Where another form begins, or out of step, a header counts only when another one of its form follows it.
        if frame and place + frame.size <= len(content) and (frame.form == form or _is_followed(content, place, frame)):
            yield place, frame
            place, form = place + frame.size, frame.form
            continue
        form = ()
        header = _HEADER.search(content, place + 1)
        place = _behind_tag(content, place) or (header.start() if header else len(content))


def _is_followed(content: bytes, place: int, frame: Frame) -> bool:
    end = place + frame.size
    after = mpeg_frame(content, end)
    return (after is not None and after.form == frame.form) or end == len(content) or content.startswith(_TAGS, end)


def _behind_tag(content: bytes, place: int) -> int:
    """Where a tag that begins here ends; 0 when none does, or its size is unknown."""
    if content.startswith(b"TAG", place):
        return place + 128
    if content.startswith(b"ID3", place) and len(content) >= place + 10:
        size = content[place + 6 : place + 10]
        return place + 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    if content.startswith(b"APETAGEX", place) and len(content) >= place + 32:
        return place + 32 + int.from_bytes(content[place + 12 : place + 16], "little")
    return 0


def _description(frame: bytes, header: Frame) -> tuple[int | None, int] | None:
    """Number of frames and of samples to leave out, as a describing frame states them; None for other frames."""
    if header.form[1] != 3:
        return None
    side = _side_information(header.form)
    tag = frame[4 + side : 8 + side]
    if tag in (b"Xing", b"Info"):
        flags, place = int.from_bytes(frame[8 + side : 12 + side], "big"), 12 + side
        count = int.from_bytes(frame[place : place + 4], "big") if flags & 1 else None
        place += 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
        cut = int.from_bytes(frame[place + 21 : place + 24], "big")
        return count, (cut >> 12) + (cut & 0xFFF)
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[50:54], "big"), 0
    return None


def _side_information(form: tuple[int, ...]) -> int:
    """Bytes between the header and the main data of a frame of layer 3."""
    version, _, _, mono = form
    return (17 if mono else 32) if version == 3 else (9 if mono else 17)
