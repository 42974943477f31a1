"""English number words: from numbers to words and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_ONES = {
    word: value
    for value, word in enumerate(
        (
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen"
        ).split()
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ALIASES = {"oh": "zero", "fourty": "forty", "nought": "zero", "ninty": "ninety"}
_FRACTIONS = {"half": 0.5, "quarter": 0.25, "third": 1 / 3, "fifth": 0.2, "tenth": 0.1}
_LOTS = {"dozen": 12, "couple": 2, "pair": 2, "score": 20}
_NAMES = {value: word for word, value in {**_ONES, **_TENS}.items()}
LARGEST = 10**15 - 1
LONGEST_WRITTEN = 100
"""Characters of a number in digits; a longer run of digits is not read as a number."""


@dataclass(frozen=True, slots=True)
class FoundNumber:
    """A number in a list of words: `words[start:end]` say `value`."""

    value: int | float
    start: int
    end: int


def number_words(value: int | float) -> str:
    """A number in words: 391 is "three hundred ninety one", -2.5 "minus two point five".

    Numbers above LARGEST are spelt digit by digit.
    """
    if value < 0:
        return f"minus {number_words(-value)}"
    if isinstance(value, float) and not value.is_integer():
        front, _, digits = f"{value:.10f}".rstrip("0").partition(".")
        return f"{number_words(int(front))} point {_digit_words(digits)}" if digits else number_words(int(front))
    whole = int(value)
    if whole > LARGEST:
        return _digit_words(str(whole))
    if whole in _NAMES:
        return _NAMES[whole]
    said: list[str] = []
    for name, scale in reversed(_SCALES.items()):
        if whole >= scale:
            said += [number_words(whole // scale), name]
            whole %= scale
    if whole >= 100:
        said += [_NAMES[whole // 100], "hundred"]
        whole %= 100
    if whole >= 20:
        said.append(_NAMES[whole - whole % 10])
        whole %= 10
    if whole:
        said.append(_NAMES[whole])
    return " ".join(said)


def year_words(year: int) -> str:
    """A year in words: 1889 is "eighteen eighty nine", 1905 "nineteen oh five", 2004 "two thousand four"."""
    century, rest = divmod(year, 100)
    if not 1100 <= year <= 2099 or 2000 <= year <= 2009:
        return number_words(year)
    if rest == 0:
        return f"{number_words(century)} hundred"
    return f"{number_words(century)} {'oh ' if rest < 10 else ''}{number_words(rest)}"


def ordinal_words(number: int) -> str:
    """1 is "first", 23 "twenty third"."""
    irregular = {
        "one": "first", "two": "second", "three": "third", "five": "fifth",
        "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
    }  # fmt: skip
    *front, last = number_words(number).split()
    last = irregular.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*front, last])


def parse_number(text: str) -> int | float | None:
    """The number that the whole text says, or None: "two hundred and five", "-3.5", "seventeen"."""
    words = text.lower().replace("-", " ").split() if not text.strip().startswith("-") else [text.strip()]
    sign = 1
    if words and words[0] in ("minus", "negative"):
        sign, words = -1, words[1:]
    written = _written(words[0]) if len(words) == 1 else None
    if written is not None:
        return sign * written
    found = find_numbers(words)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(words)):
        return sign * found[0].value
    return None


def find_numbers(words: Sequence[str]) -> list[FoundNumber]:
    """All numbers in a list of lower-case words, from left to right.

    "nineteen and twenty three" are two numbers and so is "six thirty", but "two hundred and
    five" and "two and a half" are one each.
    """
    found: list[FoundNumber] = []
    position = 0
    while position < len(words):
        number = _number_at(words, position)
        if number is None:
            position += 1
        else:
            found.append(number)
            position = number.end
    return found


def _number_at(words: Sequence[str], start: int) -> FoundNumber | None:
    def word(place: int) -> str:
        return _ALIASES.get(words[place], words[place]) if 0 <= place < len(words) else ""

    written = _written(word(start))
    if written is not None:
        if isinstance(written, int) and word(start + 1) in _SCALES:
            return FoundNumber(written * _SCALES[word(start + 1)], start, start + 2)
        return _with_fraction(words, FoundNumber(written, start, start + 1))
    if word(start) in ("a", "an"):
        if word(start + 1) in _LOTS:
            end = start + 3 if word(start + 2) == "of" else start + 2
            return FoundNumber(_LOTS[word(start + 1)], start, end)
        if word(start + 1) in ("hundred", *_SCALES):
            return _spoken(words, start + 1, 1, start)
        return None
    if word(start) == "dozen":
        return FoundNumber(12, start, start + 1)
    if word(start) == "half":
        return FoundNumber(0.5, start, start + 1)
    return _spoken(words, start, None, start)


def _spoken(words: Sequence[str], place: int, lead: int | None, start: int) -> FoundNumber | None:
    """The number that starts at a word. lead: 1 when "a" came before it ("a hundred")."""

    def word(at: int) -> str:
        return _ALIASES.get(words[at], words[at]) if at < len(words) else ""

    total, floor, seen = 0, 10**18, False
    while place < len(words):
        part, after = (lead, place) if lead is not None else _below_hundred(words, place)
        lead = None
        if part is None:
            break
        if word(after) == "hundred" and part < 100:
            part, after = part * 100, after + 1
            joint = after + 1 if word(after) == "and" else after
            rest, end = _below_hundred(words, joint)
            if rest:
                part, after = part + rest, end
        scale = _SCALES.get(word(after), 1)
        if scale >= floor or (seen and scale == 1 and part >= floor):
            break
        total, floor, seen = total + part * scale, scale, True
        place = after + (scale > 1)
        if scale == 1:
            break
        if word(place) == "and" and _below_hundred(words, place + 1)[0] is not None:
            place += 1
    if not seen:
        return None
    if word(place) == "point":
        digits, end = "", place + 1
        while word(end) in _ONES and _ONES[word(end)] < 10:
            digits, end = digits + str(_ONES[word(end)]), end + 1
        if digits:
            return FoundNumber(float(f"{total}.{digits}"), start, end)
    return _with_fraction(words, FoundNumber(total, start, place))


def _with_fraction(words: Sequence[str], number: FoundNumber) -> FoundNumber:
    """ "two" followed by "and a half" is 2.5."""
    tail = list(words[number.end : number.end + 3])
    if tail[:1] == ["and"] and tail[1:2] in (["a"], ["one"]) and tail[2:3] and tail[2] in _FRACTIONS:
        return FoundNumber(number.value + _FRACTIONS[tail[2]], number.start, number.end + 3)
    return number


def _below_hundred(words: Sequence[str], place: int) -> tuple[int | None, int]:
    word = _ALIASES.get(words[place], words[place]) if place < len(words) else ""
    if word in _ONES:
        return _ONES[word], place + 1
    if word in _TENS:
        following = words[place + 1] if place + 1 < len(words) else ""
        ones = _ONES.get(following, 0)
        return (_TENS[word] + ones, place + 2) if 1 <= ones <= 9 else (_TENS[word], place + 1)
    front, dash, last = word.partition("-")
    if dash and front in _TENS and 1 <= _ONES.get(last, 0) <= 9:
        return _TENS[front] + _ONES[last], place + 1
    return None, place


def _written(word: str) -> int | float | None:
    if len(word) > LONGEST_WRITTEN:
        return None
    plain = word.replace(",", "").removesuffix(".")
    if not plain.lstrip("-").replace(".", "", 1).isdecimal() or not plain.isascii():
        return None
    try:
        return float(plain) if "." in plain else int(plain)
    except ValueError:
        return None


def _digit_words(digits: str) -> str:
    return " ".join(_NAMES[int(digit)] for digit in digits)
