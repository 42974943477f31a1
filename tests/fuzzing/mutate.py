"""Changes of bytes, of text, and of plain data."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import Any

INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
               2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
TEXTS = (
    "", "\x00", "\x1b[2J", "\x1b]8;;http://a\x07", "\r\n", "\n", "\ud800", "\udfff", "\u202e", "\u200b", "\ufeff",
    "e\u0301", "\u00e9", "{0}", "{a} {b}", "%s%n", "../../etc/passwd", "/dev/zero", "/proc/self/environ", "..", "~",
    "<b>", "[/bold]", "</tool_call>", "-1", "1e999", "NaN", "9" * 400, "\U0010ffff", "\ufdfa" * 9, "a" * 300,
)  # fmt: skip
"""Texts that readers stumble over: terminal escapes, half characters, other normal forms, templates, paths."""


def changed(
    chance: random.Random, seed: bytes, others: Sequence[bytes] = (), dictionary: Sequence[bytes] = ()
) -> bytes:
    """A mutant of a few changes."""
    content = bytearray(seed)
    for _ in range(1 + min(int(chance.expovariate(0.5)), 12)):
        content = _change(chance, content, others, dictionary)
    return bytes(content[: 4 * len(seed) + 4_096])


def _change(
    chance: random.Random, content: bytearray, others: Sequence[bytes], dictionary: Sequence[bytes]
) -> bytearray:
    size = len(content)
    if not size:
        return bytearray(chance.choice(others) if others else b"\0")
    at = chance.randrange(size)
    end = min(size, at + 1 + int(chance.expovariate(1 / (1 + size / 16))))
    match chance.randrange(12):
        case 0 | 1:
            content[at] ^= 1 << chance.randrange(8)
        case 2:
            content[at] = chance.randrange(256)
        case 3 | 4:  # a length that lies
            form = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q", "B"))
            room = struct.calcsize(form)
            if at + room <= size:
                (held,) = struct.unpack_from(form, content, at)
                values = (*INTERESTING, held + 1, held - 1, held * 2, held // 2, size, size - at)
                struct.pack_into(form, content, at, chance.choice(values) % 2 ** (8 * room))
        case 5:
            return content[:at]
        case 6:
            del content[at:end]
        case 7:
            content[at:at] = content[at:end] * chance.choice((1, 1, 2, 16))
        case 8 if others:  # a splice
            other = chance.choice(others)
            if other:
                start = chance.randrange(len(other))
                return content[:at] + other[start:]
        case 9 if dictionary:
            content[at : end if chance.random() < 0.5 else at] = chance.choice(dictionary)
        case 10:
            content[at:end] = chance.randbytes(end - at)
        case 11:
            to = chance.randrange(size)
            piece = content[at:end]
            del content[at:end]
            content[to:to] = piece
    return content


def changed_text(chance: random.Random, text: str, words: Sequence[str] = ()) -> str:
    """A text with a few changes."""
    for _ in range(1 + min(int(chance.expovariate(0.7)), 8)):
        at = chance.randrange(len(text) + 1)
        end = min(len(text), at + int(chance.expovariate(0.2)))
        match chance.randrange(6):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:at] + text[at:end] * chance.choice((2, 3, 20)) + text[end:]
            case 2:
                text = text[:at] + chance.choice(TEXTS) + text[end:]
            case 3 if words:
                text = text[:at] + chance.choice(words) + text[at if chance.random() < 0.5 else end :]
            case 4:
                text = text[:at] + chr(chance.choice((chance.randrange(128), chance.randrange(0x110000)))) + text[at:]
            case 5:
                text = text[:at]
    return text


def value(chance: random.Random, depth: int = 3) -> Any:
    """Any JSON value, with extremes."""
    match chance.randrange(9 if depth else 7):
        case 0:
            return None
        case 1:
            return chance.random() < 0.5
        case 2:
            return chance.choice((-1, 1)) * chance.choice((*INTERESTING, 10**30, chance.randrange(1000)))
        case 3:
            return chance.choice((0.0, -0.0, 1e-320, 1e308, float("nan"), float("inf"), -1.5, chance.random()))
        case 4 | 5:
            return chance.choice(TEXTS)
        case 6:
            return "".join(chr(chance.randrange(32, 127)) for _ in range(chance.randrange(12)))
        case 7:
            return [value(chance, depth - 1) for _ in range(chance.choice((0, 1, 2, 5)))]
    return {
        chance.choice(("a", "name", "type", "items", *TEXTS)): value(chance, depth - 1)
        for _ in range(chance.choice((0, 1, 3)))
    }


def changed_data(chance: random.Random, data: Any, words: Sequence[str] = ()) -> Any:
    """Plain data with one value somewhere changed, replaced, left out or added."""
    if isinstance(data, dict) and data and chance.random() < 0.85:
        key = chance.choice(list(data))
        match chance.randrange(8):
            case 0:
                return {name: item for name, item in data.items() if name != key}
            case 1:
                return {**data, chance.choice((*words, *TEXTS, "a")): value(chance)}
            case 2:
                return {(chance.choice(TEXTS) + name if name == key else name): item for name, item in data.items()}
        return {**data, key: changed_data(chance, data[key], words)}
    if isinstance(data, list) and data and chance.random() < 0.85:
        at = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                return data[:at] + data[at + 1 :]
            case 1:
                return data[:at] + [value(chance)] + data[at:]
            case 2:
                return data[: at + 1] * chance.choice((2, 2, 50))
        return [*data[:at], changed_data(chance, data[at], words), *data[at + 1 :]]
    if isinstance(data, str) and chance.random() < 0.5:
        return changed_text(chance, data, words)
    if isinstance(data, int | float) and chance.random() < 0.5:
        return chance.choice((-data, data + 1, data * 2**40, data / 3))
    return value(chance)
