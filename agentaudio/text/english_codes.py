"""Numbers of books, of things and of calls, hashes, colours and addresses of devices in English text as words."""

from __future__ import annotations

import re

from agentaudio.text.english_numbers import digit_by_digit, say

_ALONE = r"(?<![\w./@-])"
_ENDS = r"(?![\w@]|[./-]\w)"
_BOOK = re.compile(
    r"(?<![\w.-])(?:97[89][- ])?\d{1,5}[- ]\d{1,7}[- ]\d{1,7}[- ][\dX](?![\w-])|(?<![\w.-])97[89]\d{10}(?![\w.-])"
)
_LABELLED = re.compile(
    r"\b((?:ISBN(?:-?1[03])?|ISSN|EAN|UPC|IMEI|VIN|IBAN|barcode)\b(?:\s(?:number|code|is))*:?\s?#?\s?)"
    r"(\d(?:[- ]?[\dX]){3,33})(?![\w])"
    r"|\b((?:account|order|invoice|ticket|tracking|reference|ref|confirmation|booking|serial|routing|card|passport|"
    r"licen[cs]e|policy|case|customer|member|employee|student|ID|id|file)(?:\.? (?:number|no\.?|ID|id|code))?"
    r"(?: is)?:? ?#? ?)(\d{4,30})(?![\w,.]\w|\w)",
    re.I,
)
_NUMBERED = re.compile(r"number|no\b|\bid\b|code|#|:|\bis\b|tracking|serial|routing", re.I)
_UNIQUE = re.compile(rf"{_ALONE}[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}{_ENDS}")
_DEVICE = re.compile(rf"{_ALONE}[0-9a-fA-F]{{2}}(?:[:-][0-9a-fA-F]{{2}}){{5}}{_ENDS}")
_NETWORK = re.compile(
    rf"(?<![\w.:/@-])(?=[0-9a-fA-F:]*[a-fA-F:]:)(?:[0-9a-fA-F]{{0,4}}:){{2,7}}[0-9a-fA-F]{{1,4}}{_ENDS}"
)
_HASH = re.compile(rf"{_ALONE}(?:[0-9a-f]{{7,128}}|[0-9A-F]{{7,128}}){_ENDS}")
_BASED = re.compile(rf"{_ALONE}0([xXbBoO])([0-9a-fA-F]{{1,32}}){_ENDS}")
_COLOUR = re.compile(r"(?<![\w&])#(?=[0-9]*[a-fA-F])([0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3})(?![\w-])")
_CALLED_WORD = re.compile(
    r"(?<![\w-])(?:(1)[- .])?\(?(8(?:00|33|44|55|66|77|88)|900)\)?[- .]"
    r"((?:\d{1,4}[- ])?(?=[A-Z0-9-]*[A-Z]{2})[A-Z0-9]{1,10}(?:-[A-Z0-9]{1,10}){0,3})(?![\w-])"
)
_SHORT_WORDS = frozenset("GO MY FOR THE ALL CAR LAW NEW NOW GET WAY TAX EAT BUY PET ART FUN TOY BIG ONE CALL".split())
_SHIFTS = 2
"""Changes between letters and digits in a hash, at least; "1234567a" is none."""


def with_codes(text: str) -> str:
    """The text with codes spelt, digits one by one and letters as capitals with spaces."""
    text = _CALLED_WORD.sub(_called_word, text)
    text = _LABELLED.sub(_labelled, text)
    text = _BOOK.sub(_book, text)
    text = _UNIQUE.sub(lambda m: ", ".join(map(spelt, m[0].split("-"))), text)
    text = _DEVICE.sub(lambda m: ", ".join(map(spelt, re.split("[:-]", m[0]))), text)
    text = _NETWORK.sub(_network, text)
    text = _BASED.sub(lambda m: f"zero {m[1].upper()} {spelt(m[2])}", text)
    text = _COLOUR.sub(_colour, text)
    return _HASH.sub(_hash, text)


def spelt(code: str) -> str:
    """The letters and digits of a code, one by one: "3f2a" is "three F two A"."""
    return " ".join(say(sign) if sign.isdecimal() else sign.upper() for sign in code if sign.isalnum())


def _hash(match: re.Match[str]) -> str:
    shifts = len(re.findall(r"\d(?=[a-fA-F])|[a-fA-F](?=\d)", match[0]))
    return spelt(match[0]) if shifts >= _SHIFTS else match[0]


def _colour(match: re.Match[str]) -> str:
    letters_only = match[1].isalpha() and len(set(match[1])) > 1  # a hashtag, such as "#decade"
    near = match.string[max(0, match.start() - 30) : match.end() + 20]
    if letters_only and not re.search(r"\b(?:colou?r|background|hex|shade|css)", near, re.I):
        return match[0]
    return f"hash {spelt(match[1])}"


def _network(match: re.Match[str]) -> str:
    if not re.search("::|[a-fA-F]", match[0]) or match[0].count(":") < 3 and "::" not in match[0]:
        return match[0]
    return " ".join("colon" if part == ":" else spelt(part) for part in re.split("(:)", match[0]) if part)


def _labelled(match: re.Match[str]) -> str:
    if match[1]:
        groups = re.split("[- ]", match[2].strip())
        return match[1] + ", ".join(map(spelt, groups))
    if len(match[4]) < 6 and not _NUMBERED.search(match[3]):
        return match[0]  # "order 1500 pizzas"
    return match[3].replace("#", "") + digit_by_digit(match[4])


def _book(match: re.Match[str]) -> str:
    digits = re.sub("[- ]", "", match[0])
    if not (_is_book_13(digits) if len(digits) == 13 else len(digits) == 10 and _is_book_10(digits)):
        return match[0]
    return ", ".join(map(spelt, re.split("[- ]", match[0])))


def _is_book_13(digits: str) -> bool:
    """Check digit of ISO 2108: weights 1 and 3, modulo 10."""
    return digits.isdecimal() and sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits)) % 10 == 0


def _is_book_10(digits: str) -> bool:
    """Check digit of the older form: weights 10 to 1, modulo 11, X is ten."""
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum(value * (10 - place) for place, value in enumerate(values)) % 11 == 0


def _called_word(match: re.Match[str]) -> str:
    """A telephone number with a word in it: "1-800-FLOWERS"."""
    area = say(match[2]) if match[2].endswith("00") else digit_by_digit(match[2])
    rest = []
    for group in re.split("[- ]", match[3]):
        for part in re.findall(r"[A-Z]+|\d+", group):
            if part.isdecimal():
                rest.append(digit_by_digit(part))
            elif part in _SHORT_WORDS or (len(part) > 3 and re.search("[AEIOUY]", part)):
                rest.append(part.lower())
            else:
                rest.append(part)
    return ", ".join(filter(None, (say(match[1]) if match[1] else "", area, " ".join(rest))))
