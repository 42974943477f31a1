"""Text in which a decoder repeats itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby


def repeats(text: str) -> bool:
    """Whether a group of three or more words stands twice in a row, or one or two words four times.

    People say so too, at times: it is a reason to listen again.

    In text without spaces each character counts as a word.
    """
    return next(_runs(_units(text)), None) is not None


def without_repeats(text: str) -> str:
    """The text with each such run reduced to its first group."""
    units = _units(text)
    while (run := next(_runs(units), None)) is not None:
        start, size, count = run
        del units[start + size : start + size * count]
    spaced = " " in text.strip()
    return (" " if spaced else "").join(units)


def _units(text: str) -> list[str]:
    words = text.split()
    return words if len(words) > 1 else list(text.strip())


def _runs(units: list[str]) -> Iterator[tuple[int, int, int]]:
    """(start, words of the group, times) of each run, the shortest groups first."""
    plain = ["".join(c for c in unit.lower() if c.isalnum()) or unit for unit in units]
    for size in range(1, len(plain) // 2 + 1):
        same = [plain[place] == plain[place + size] for place in range(len(plain) - size)]
        place = 0
        for equal, group in groupby(same):
            length = len(list(group))
            times = length // size + 1
            if equal and times >= (2 if size >= 3 else 4):
                yield place, size, times
            place += length
