"""Written text as the words a person says: numbers, times, units and signs spelled out."""

from __future__ import annotations

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_SIGNS = {
    "%": " percent ",
    "&": " and ",
    "+": " plus ",
    "=": " equals ",
    "°c": " degrees celsius ",
    "°f": " degrees fahrenheit ",
    "°": " degrees ",
    "€": " euros ",
    "@": " at ",
}
_UNITS = {
    "km": "kilometers",
    "m": "meters",
    "cm": "centimeters",
    "mm": "millimeters",
    "kg": "kilograms",
    "kmh": "kilometers per hour",
    "mph": "miles per hour",
    "ft": "feet",
    "dr": "doctor",
    "mr": "mister",
    "mrs": "missus",
    "st": "saint",
    "vs": "versus",
    "etc": "et cetera",
}
_TOKEN = re.compile(r"\d{1,2}:\d\d|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[^\W\d_]+(?:['.][^\W\d_]+)*\.?")
_ORDINAL_SUFFIX = re.compile(r"(st|nd|rd|th)\b")


def spoken_words(text: str) -> list[str]:
    """Lower-case words of a text as they are said: "In 1889, 3.5 km" is "in eighteen eighty nine three
    point five kilometers"."""
    text = re.sub(r"\$\s?([\d,.]*\d)", r"\1 dollars ", text.lower().replace("’", "'"))
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    words: list[str] = []
    position = 0
    while match := _TOKEN.search(text, position):
        token, position = match.group(), match.end()
        if token[0].isdigit():
            suffix = _ORDINAL_SUFFIX.match(text, position)
            if suffix and token.isdigit():
                position = suffix.end()
                words += ordinal(int(token))
            else:
                words += _number(token)
        elif token.rstrip(".") in _UNITS and (token[-1] == "." or _follows_number(text, match.start())):
            words += _UNITS[token.rstrip(".")].split()
        else:
            words.append(token.rstrip(".") if token.count(".") == 1 else token)
    return words


def _follows_number(text: str, start: int) -> bool:
    return bool(re.search(r"\d\s?$", text[:start]))


def _number(token: str) -> list[str]:
    if ":" in token:
        hours, minutes = token.split(":")
        if minutes == "00":
            return [*cardinal(int(hours)), "o'clock"]
        return [*cardinal(int(hours)), *(["oh"] if minutes[0] == "0" else []), *cardinal(int(minutes))]
    grouped = "," in token
    whole, _, decimals = token.replace(",", "").partition(".")
    if decimals:
        return [*cardinal(int(whole)), "point", *(_ONES[int(digit)] for digit in decimals)]
    value = int(whole)
    if not grouped and len(whole) == 4 and 1100 <= value <= 2099 and not 2000 <= value <= 2009:
        return year(value)
    return cardinal(value)


def cardinal(value: int) -> list[str]:
    """21000 is ["twenty", "one", "thousand"]; beyond a trillion, digit by digit."""
    if value < 20:
        return [_ONES[value]]
    if value >= 10**12:
        return [_ONES[int(digit)] for digit in str(value)]
    for scale, name in _SCALES:
        if value >= scale:
            rest = cardinal(value % scale) if value % scale else []
            return [*cardinal(value // scale), name, *rest]
    rest = [_ONES[value % 10]] if value % 10 else []
    return [_TENS[value // 10], *rest]


def ordinal(value: int) -> list[str]:
    """19 is ["nineteenth"]."""
    *head, last = cardinal(value)
    if last in _ORDINALS:
        return [*head, _ORDINALS[last]]
    return [*head, last[:-1] + "ieth" if last.endswith("y") else last + "th"]


def year(value: int) -> list[str]:
    """1889 is ["eighteen", "eighty", "nine"]."""
    century, rest = divmod(value, 100)
    if rest == 0:
        return [*cardinal(century), "hundred"]
    return [*cardinal(century), *(["oh"] if rest < 10 else []), *cardinal(rest)]
