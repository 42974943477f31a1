"""Ogg: the chained streams of a file, and how long they say they are."""

from __future__ import annotations

from dataclasses import dataclass

_BEGINS = 0x02
_OPUS_RATE = 48_000


@dataclass
class Chain:
    """A part of a file that could be a file by itself.

    start, end: bytes
    seconds: that its pages promise at least, as far as they tell
    """

    start: int
    end: int
    seconds: float = 0.0


def chains(content: bytes) -> tuple[list[Chain], bool]:
    """The chained streams of an Ogg file in order, and whether its last page is cut.

    Source: RFC 3533, sections 4 and 6; the positions of pages count samples as in RFC 7845 (Opus) and Vorbis I.
    """
    found: list[Chain] = []
    place, beginning, cut = content.find(b"OggS"), False, False
    rate, skipped, first, last = 0, 0, None, 0
    while place >= 0 and len(content) >= place + 27:
        head = place + 27 + content[place + 26]
        end = head + sum(content[place + 27 : head])
        if len(content) < end:
            cut = True
            break
        begins = bool(content[place + 5] & _BEGINS)
        if begins and not beginning:
            found.append(Chain(place, end))
            rate, skipped = _rate(content[head : head + 64])
            first = None
        beginning = begins
        position = int.from_bytes(content[place + 6 : place + 14], "little")
        if found:
            found[-1].end = end
            if rate and 0 < position < 2**48:
                # A stream that was cut out of a longer one does not begin at 0: count from its first page.
                first = position if first is None else first
                last = position
                found[-1].seconds = max(0.0, (last - first - skipped) / rate)
        place = content.find(b"OggS", end)
    return found, cut or (place >= 0 and len(content) < place + 27)


def _rate(packet: bytes) -> tuple[int, int]:
    """Positions a second, and those that are not played; 0 for a codec that is not known here."""
    if packet.startswith(b"OpusHead"):
        return _OPUS_RATE, int.from_bytes(packet[10:12], "little")
    if packet.startswith(b"\x01vorbis"):
        return int.from_bytes(packet[12:16], "little"), 0
    if packet.startswith(b"\x7fFLAC") and len(packet) >= 30:
        return int.from_bytes(packet[27:30], "big") >> 4, 0
    return 0, 0
