"""Digits in English text as words: whole numbers, decimals, ordinals, years, digit by digit."""

from __future__ import annotations

import re
import unicodedata

from agentaudio.text.numbers import number_words, ordinal_words, year_words

_NEAR = 60
LONGEST_SAID = 15
"""Digits of a whole number; a longer one is spelt digit by digit."""

NUMBER = r"(?<![\d.,])(?:\d{1,3}(?:,\d{3}){1,9}(?:\.\d{1,30})?|\d{1,30}(?:\.\d{1,30})?|\.\d{1,30})(?![\d])"
"""A number before or after a sign or a unit; bounded, so that long runs of digits take little time."""
BARE = r"(?:\d{1,3}(?:,\d{3}){1,9}(?:\.\d{1,30})?|\d{1,30}(?:\.\d{1,30})?|\.\d{1,30})"
"""The same without regard to what stands around it."""
ANY_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"


def say(number: str) -> str:
    """The words of a number in digits: "1,250.5" is "one thousand two hundred fifty point five"."""
    whole, point, digits = number.replace(",", "").partition(".")
    if point:
        return f"{say(whole) if whole else ''} point {digit_by_digit(digits)}".strip()
    # Digits one by one for what is not a quantity. Python does not convert thousands of digits.
    if len(whole) > LONGEST_SAID or (len(whole) > 1 and whole.startswith("0")):
        return digit_by_digit(whole)
    return number_words(int(whole))


def digit_by_digit(digits: str) -> str:
    """The digits of a text as words, and nothing else of it."""
    return " ".join(number_words(int(digit)) for digit in digits if digit in "0123456789")


def ascii_digits(text: str) -> str:
    """The text with the digits of all scripts as 0 to 9, and with longer runs of them than a number has as words."""
    if not text.isascii():
        text = re.sub(r"\d", lambda match: str(unicodedata.decimal(match[0])), text)
    return re.sub(r"\d{31,}", lambda match: f" {digit_by_digit(match[0])} ", text)


def ordinal(digits: str) -> str:
    """The ordinal of a whole number in digits: "1,000" is "one thousandth"."""
    plain = digits.replace(",", "")
    return ordinal_words(int(plain)) if len(plain) <= LONGEST_SAID else f"{digit_by_digit(plain)}th"


def year(digits: str) -> str:
    """A year in digits: "1889" is "eighteen eighty nine", "1066" "ten sixty six"."""
    value = int(digits)
    if 1010 <= value <= 1099:
        return f"ten {number_words(value - 1000)}"
    return year_words(value)


def decade(value: int) -> str:
    """1990 is "nineteen nineties", 80 "eighties"."""
    words = year_words(value) if value >= 1000 else number_words(value)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def is_one(number: str) -> bool:
    return number in ("1", "1.0")


def before(match: re.Match[str]) -> str:
    """The text before a match, as far as it says something about it."""
    return match.string[max(0, match.start() - _NEAR) : match.start()]


def after(match: re.Match[str]) -> str:
    """The text after a match, as far as it says something about it."""
    return match.string[match.end() : match.end() + _NEAR]
