"""English text as it is read aloud, for synthesisers and for the language models of recognisers."""

from __future__ import annotations

import re

from agentaudio.text.numbers import number_words, ordinal_words, year_words

_MONTHS = ("January February March April May June July August September October November December").split()
_UNITS = {
    "km/h": "kilometers per hour", "mph": "miles per hour", "km2": "square kilometers", "km": "kilometers",
    "m": "meters", "cm": "centimeters", "mm": "millimeters", "kg": "kilograms", "g": "grams", "ft": "feet",
    "lb": "pounds", "hz": "hertz", "khz": "kilohertz", "ms": "milliseconds", "mb": "megabytes", "gb": "gigabytes",
    "min": "minutes", "h": "hours",
}  # fmt: skip
_SINGULAR = {
    "kilometers": "kilometer", "meters": "meter", "centimeters": "centimeter", "millimeters": "millimeter",
    "kilograms": "kilogram", "grams": "gram", "feet": "foot", "pounds": "pound", "minutes": "minute",
    "hours": "hour", "kilometers per hour": "kilometer per hour", "miles per hour": "mile per hour",
}  # fmt: skip
_SIGNS = {
    "=": "equals", "+": "plus", "*": "times", "×": "times", "÷": "divided by", "±": "plus or minus",
    "&": "and", "≈": "about", "<": "less than", ">": "more than", "@": "at",
}  # fmt: skip
_SHORT = {
    "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "St.": "Saint", "e.g.": "for example", "i.e.": "that is",
    "etc.": "and so on", "approx.": "about", "vs.": "versus",
}  # fmt: skip
LONGEST_SAID = 15
"""Digits of a whole number; a longer one is spelt digit by digit."""

_YEAR_BEFORE = r"(?:in|since|by|until|till|from|to|before|after|around|of|year|between|and|during|late|early)"
_NUMBER = r"(?<!\d)(?:\d{1,3}(?:,\d{3}){1,9}(?:\.\d{1,30})?|\d{1,30}(?:\.\d{1,30})?)"
"""A number before or after a sign or a unit; bounded, so that long runs of digits take little time."""
_ANY_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"


def spoken_form(text: str) -> str:
    """The text with numbers, dates, times, units and signs written as words, without markup and URLs.

    "21,000 km" becomes "twenty one thousand kilometers", "in 1889" becomes "in eighteen eighty nine", and
    "17 * 23 = 391" becomes "seventeen times twenty three equals three hundred ninety one". Sentence punctuation
    stays, because synthesisers pause at it.
    """
    text = without_markup(text)
    for short, full in _SHORT.items():
        text = re.sub(rf"(?<![\w.]){re.escape(short)}", full, text)
    text = re.sub(r"(?:\bNo\. ?|(?<!\w)#)(?=\d)", "number ", text)
    text = re.sub(r"\b(\d{4})-(\d\d)-(\d\d)(?:T[\d:.]+Z?)?\b", _date, text)
    text = re.sub(r"\b([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?\b(?: ?([ap])\.?m\b\.?)?", _time, text, flags=re.I)
    text = re.sub(rf"([$€£]) ?({_NUMBER})( (?:million|billion|thousand))?", _money, text)
    text = re.sub(rf"(?<![\w.])[-−]({_NUMBER})", r"minus \1", text)
    text = re.sub(rf"({_NUMBER}) ?[-–—] ?(?={_NUMBER})", _range, text)
    text = re.sub(rf"({_NUMBER}) ?%", lambda m: f"{_say(m[1])} percent", text)
    text = re.sub(rf"({_NUMBER}) ?(?:° ?([CF])?|([CF])\b)", _degrees, text)
    text = re.sub(r"sqrt\(([^()]*)\)", r"the square root of \1", text)
    text = re.sub(r"\*\*|\^", " to the power of ", text)
    text = re.sub(r"(?<=[\d)]) ?/ ?(?=[\d(])", " divided by ", text)
    units = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
    text = re.sub(rf"({_NUMBER})\s?({units})\b", _unit, text)
    text = re.sub(r"\b(\d{1,15})(st|nd|rd|th)\b", lambda m: ordinal_words(int(m[1])), text)
    months = "|".join(_MONTHS)
    text = re.sub(rf"\b({months}) (\d{{1,2}})\b(?!:)", lambda m: f"{m[1]} {ordinal_words(int(m[2]))}", text)
    text = re.sub(rf"\b((?:{months})(?: [a-z ]+)?,? )(\d{{4}})\b", lambda m: m[1] + year_words(int(m[2])), text)
    years = rf"\b({_YEAR_BEFORE} )(1[1-9]\d\d|20\d\d)\b(?![,.]\d)"
    text = re.sub(years, lambda m: m[1] + year_words(int(m[2])), text, flags=re.I)
    text = re.sub(r"\b(1[1-9]\d0|20\d0)s\b", lambda m: _decade(int(m[1])), text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, f" {word} ")
    text = re.sub(_ANY_NUMBER, lambda m: f" {_say(m[0])} " if _glued(m) else _say(m[0]), text)
    text = re.sub(r"[\"“”«»()\[\]{}|\\_~`#]", " ", text)
    text = re.sub(r"\s+([.,;:!?])", r"\1", re.sub(r"\s+", " ", text))
    return text.strip()


def without_markup(text: str) -> str:
    """The text without Markdown, tags and URLs, in any language."""
    text = re.sub(r"```.*?```", " ", text, flags=re.S)
    text = re.sub(r"!?\[([^\]]{0,300})\]\([^)]{0,500}\)", r"\1", text)
    text = re.sub(r"<[a-zA-Z/][^<>]{0,200}>", " ", text)
    text = re.sub(r"\(?\b(?:https?://|www\.)(\S+)", _after_url, text)
    text = re.sub(r"(?m)^\s{0,20}(?:#{1,6}|>|[-*•]|\d+\.)\s+", "", text)
    text = re.sub(r"(\*\*|__)(?=\S)(.{1,300}?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(?=[A-Za-z])([^*]+?)\*(?!\w)", r"\1", text)
    text = re.sub(r"\[\d+\]", "", text)
    text = re.sub(r"`([^`]*)`", r"\1", text)
    return re.sub(r"(?<=[^\W_])\n(?=\S)", ". " if "\n\n" in text else " ", text)


def _after_url(match: re.Match[str]) -> str:
    """The punctuation that follows a URL, without the bracket that closes around it."""
    path = match[1]
    end = len(path[1:].rstrip(".,;:!?)")) + 1
    return " " + path[end:].removeprefix(")")


def _say(number: str) -> str:
    whole, point, digits = number.replace(",", "").partition(".")
    if point:
        return f"{_say(whole)} point {_digit_by_digit(digits)}"
    # Digits one by one for what is not a quantity. Python does not convert thousands of digits.
    if len(whole) > LONGEST_SAID or (len(whole) > 1 and whole.startswith("0")):
        return _digit_by_digit(whole)
    return number_words(int(whole))


def _digit_by_digit(digits: str) -> str:
    return " ".join(number_words(int(digit)) for digit in digits)


def _glued(match: re.Match[str]) -> bool:
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    return before.isalpha() or after.isalpha()


def _date(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0].replace("-", " ")
    return f"{_MONTHS[month - 1]} {ordinal_words(day)}, {year_words(year)}"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    half = f" {match[3].lower()} m" if match[3] else ""
    if minute == 0:
        return number_words(hour) + (half or " o'clock")
    return f"{number_words(hour)} {'oh ' if minute < 10 else ''}{number_words(minute)}{half}"


def _money(match: re.Match[str]) -> str:
    currency = {"$": "dollars", "€": "euros", "£": "pounds"}[match[1]]
    return f"{_say(match[2])}{match[3] or ''} {currency}"


def _range(match: re.Match[str]) -> str:
    after = match.string[match.end() : match.end() + 8]
    # "17 - 23 = ..." is a sum, "3-5 minutes" a span.
    return f"{match[1]} minus " if "=" in match.string[match.end() : match.end() + 14] and after else f"{match[1]} to "


def _degrees(match: re.Match[str]) -> str:
    scale = {"C": " celsius", "F": " fahrenheit"}.get(match[2] or match[3] or "", "")
    return f"{_say(match[1])} {'degree' if match[1] == '1' else 'degrees'}{scale}"


def _unit(match: re.Match[str]) -> str:
    name = _UNITS[match[2]]
    return f"{_say(match[1])} {_SINGULAR.get(name, name) if match[1] == '1' else name}"


def _decade(year: int) -> str:
    words = year_words(year)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"
