"""`whole_words`: a text cut at a place, less the word that the cut would split."""

from __future__ import annotations

import unicodedata

_NO_BLANKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts that are written without blanks between words, and may be cut between any two characters."""

_JOINER = "\u200d"
_APOSTROPHES = "'’-"
_IN_NUMBERS = ".,:"


def whole_words(text: str, end: int) -> str:
    """The first `end` characters of a text; a word or character that continues after them is left out."""
    while 0 < end < len(text) and _continues(text, end):
        end -= 1
    return text[:end]


def _continues(text: str, at: int) -> bool:
    """Whether what stands before `at` goes on after it."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after)[0] == "M" or _JOINER in (before, after) or _is_modifier(after):
        return True
    if _is_flag(before) and _is_flag(after):
        run = 0
        while run < at and _is_flag(text[at - 1 - run]):
            run += 1
        return run % 2 == 1  # a flag is a pair
    if before in _IN_NUMBERS and after.isdigit():
        return at > 1 and text[at - 2].isdigit()
    if before.isdigit() and after in _IN_NUMBERS:
        return at + 1 < len(text) and text[at + 1].isdigit()
    return _in_word(before) and _in_word(after)


def _in_word(character: str) -> bool:
    if any(first <= ord(character) <= last for first, last in _NO_BLANKS):
        return False
    return character in _APOSTROPHES or unicodedata.category(character)[0] in "LMN"


def _is_flag(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF  # regional indicators


def _is_modifier(character: str) -> bool:
    return 0xFE00 <= ord(character) <= 0xFE0F or 0x1F3FB <= ord(character) <= 0x1F3FF  # variations, skin tones
