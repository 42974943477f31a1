"""Dates, times, years and telephone numbers in English text as words."""

from __future__ import annotations

import re

from agentaudio.text.english_numbers import after, decade, digit_by_digit, ordinal, year
from agentaudio.text.numbers import number_words, ordinal_words

MONTHS = ("January February March April May June July August September October November December").split()
_MONTH = "|".join(MONTHS)
_SHORT_MONTH = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_SHORT_DAY = "Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun"
_SHORT_DAYS = re.compile(rf"\b({_SHORT_DAY})\.? ?[-–—] ?({_SHORT_DAY})\b\.?")
_YEAR = r"(?:1[0-9]\d\d|20\d\d)"
_AFTER_YEAR = (
    r"(?![\d%°]|[,.:]\d|-\d|\s?(?:km|kg|miles|people|meters|years|dollars|euros|pounds|points|percent|times)\b)"
)
_YEAR_BEFORE = (
    r"(?:in|since|by|until|till|from|to|before|after|around|of|year|years|between|and|during|late|early|mid|circa|"
    r"spring|summer|autumn|fall|winter|©|Copyright|FY|Q[1-4],?|Olympics|class of|through|for|the)"
)
_HALF = r"(?: ?([ap])\.? ?m\b\.?)"
_CLOCK = r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])"
_CALLED = re.compile(
    r"\b(?:call|calls|dial|phone|telephone|ring|tel|text|fax|number|hotline|mobile|cell|reach|contact|whatsapp|sms)\b",
    re.I,
)
_GROUPS = re.compile(
    r"(?<![\w.,$€£-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){5,13}"
    r"|(?:1[ .-])?\(\d{3}\) ?\d{3}[ .-]\d{4}"
    r"|(?:1[ .-])?\d{3}[.-]\d{3}[.-]\d{4}|\d{3} \d{3} \d{4}"
    r"|\d{4} \d{4} \d{4} \d{4}|\d{3}-\d{2}-\d{4}|0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}|0\d{3,4}[ -]\d{5,7})(?![\w-]|[.,]\d)"
)
_SHORT_PHONE = re.compile(r"(?<![\w.,$€£-])\d{3}-\d{4}(?![\w-]|[.,]\d)")
_DIALLED = re.compile(
    r"\b((?:call|dial|ring|phone|text|tel|fax|number is|hotline|extension|ext\.?|pin|code|zip|otp)(?: is| at| on)?:? )"
    r"(\d{3,15})(?![\d-]|[.,:]\d| (?:people|times|friends|minutes|users|customers))", re.I
)  # fmt: skip


def with_times(text: str) -> str:
    """The text with telephone numbers, dates, times and years as words."""
    text = _phones(text)
    text = re.sub(r"(?<=:[0-5]\d)Z\b", " Z", text)
    text = re.sub(rf"\b({_SHORT_MONTH})\b\.?(?= ?\d)", _month, text)
    text = re.sub(rf"(?<=\d )({_SHORT_MONTH})\b(?!\w)\.?", _month, text)
    text = re.sub(
        r"(?<![\d-])(\d{4})-(\d\d)-(\d\d)(?:T[\d:.]+Z?)?(?![\d-])", lambda m: _date(m[1], m[2], m[3]) or m[0], text
    )
    text = re.sub(r"(?<![\d-])(\d{4})/(\d\d?)/(\d\d?)(?![\d/])", lambda m: _date(m[1], m[2], m[3]) or m[0], text)
    text = re.sub(r"(?<![\d/])(\d\d?)/(\d\d?)/(\d{4}|\d\d)(?![\d/])", _slashed, text)
    text = re.sub(r"(?<![\d.])(\d\d?)\.(\d\d?)\.(\d{4})(?!\d|\.\d)", lambda m: _date(m[3], m[2], m[1]) or m[0], text)
    text = _SHORT_DAYS.sub(lambda m: f"{_day(m[1])} to {_day(m[2])}", text)
    text = re.sub(rf"\b({_DAYS}|{_MONTH}) ?[-–—] ?(?=(?:{_DAYS}|{_MONTH})\b)", r"\1 to ", text)
    text = _clock_times(text)
    text = _month_days(text)
    return _years(text)


def _phones(text: str) -> str:
    text = _GROUPS.sub(lambda m: _called(m[0]), text)
    if _CALLED.search(text):
        text = _SHORT_PHONE.sub(lambda m: _called(m[0]), text)
    else:
        text = re.sub(r"(?<![\w.,$€£-])555-\d{4}(?![\w-])", lambda m: _called(m[0]), text)
    return _DIALLED.sub(lambda m: m[1] + digit_by_digit(m[2]), text)


def _called(number: str) -> str:
    groups = [digit_by_digit(group) for group in re.findall(r"\d+", number)]
    return ("plus " if number.startswith("+") else "") + ", ".join(groups)


def _day(short: str) -> str:
    return next(day for day in _DAYS.split("|") if day.startswith(short[:3]))


def _month(match: re.Match[str]) -> str:
    return next(month for month in MONTHS if month.startswith(match[1][:3]))


def _date(year_digits: str, month: str, day: str) -> str | None:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{MONTHS[int(month) - 1]} {ordinal_words(int(day))}, {year(year_digits)}"


def _slashed(match: re.Match[str]) -> str:
    """A date with slashes, month first, or day first where there is no such month."""
    first, second, last = match.groups()
    if len(last) == 2:
        last = ("20" if int(last) < 50 else "19") + last
    return _date(last, first, second) or _date(last, second, first) or match[0]


def _clock_times(text: str) -> str:
    text = re.sub(
        rf"(?<![\d:.,])(\d\d?)(?::([0-5]\d))? ?[-–—] ?(?=\d\d?(?::[0-5]\d)?{_HALF})",
        lambda m: _clock_words(m[1], m[2]) + " to ", text, flags=re.I,
    )  # fmt: skip
    text = re.sub(rf"(?<=\d)({_HALF}) ?[-–—] ?(?=\d\d?(?::[0-5]\d)?{_HALF})", r"\1 to ", text, flags=re.I)
    text = re.sub(rf"{_CLOCK} ?[-–—] ?(?={_CLOCK})", lambda m: f"{m[0].rstrip(' -–—')} to ", text)
    text = re.sub(rf"{_CLOCK}{_HALF}?", _time, text, flags=re.I)
    return re.sub(rf"(?<![\d:.,])(1[0-2]|0?[1-9]){_HALF}", _hour, text, flags=re.I)


def _clock_words(hour: str, minute: str | None) -> str:
    if not minute or minute == "00":
        return number_words(int(hour))
    return f"{number_words(int(hour))} {'oh ' if int(minute) < 10 else ''}{number_words(int(minute))}"


def _time(match: re.Match[str]) -> str:
    hour, minute, seconds, half = match[1], match[2], match[3], match[4]
    words = _clock_words(hour, minute)
    if seconds and int(seconds):
        words += f" and {number_words(int(seconds))} second{'s' * (int(seconds) != 1)}"
    if half:
        return f"{words} {half.lower()} m" + _stop(match)
    return f"{words} o'clock" if minute == "00" and not (seconds and int(seconds)) else words


def _hour(match: re.Match[str]) -> str:
    return f"{number_words(int(match[1]))} {match[2].lower()} m" + _stop(match)


def _stop(match: re.Match[str]) -> str:
    """The full stop of "p.m." where it also ends the sentence."""
    later = after(match).lstrip()
    return "." if match[0].endswith(".") and (not later or re.match("[A-Z](?:[a-z]| )", later)) else ""


def _month_days(text: str) -> str:
    months = rf"\b({_MONTH})"
    text = re.sub(rf"{months} (\d\d?)(?:st|nd|rd|th)? ?[-–—] ?(\d\d?)(?:st|nd|rd|th)?\b(?![:\d])",
                  lambda m: f"{m[1]} {ordinal(m[2])} to {ordinal(m[3])}", text)  # fmt: skip
    text = re.sub(rf"{months} (\d\d?)\b(?![:\d]|[.,]\d|st|nd|rd|th)", lambda m: f"{m[1]} {ordinal(m[2])}", text)
    text = re.sub(
        rf"\b(?:[Tt]he )?(\d\d?)(?:st|nd|rd|th)? (?:of )?({_MONTH})\b", lambda m: f"the {ordinal(m[1])} of {m[2]}", text
    )
    return re.sub(
        rf"\b((?:{_MONTH})(?: [a-z][a-z ]{{0,40}})?,? )({_YEAR})\b{_AFTER_YEAR}", lambda m: m[1] + year(m[2]), text
    )


def _years(text: str) -> str:
    text = re.sub(rf"(?<![\d.,$€£-])({_YEAR}) ?[-–—] ?({_YEAR}|\d\d)(?![\d%-]|[.,]\d)", _year_range, text)
    text = re.sub(r"(?<=\d0s) ?[-–—] ?(?=(?:\d\d)?\d0s\b)", " to ", text)
    text = re.sub(r"(?<![\d.,$€£-])(1[1-9]\d0|20\d0)[’']?s\b", lambda m: decade(int(m[1])), text)
    text = re.sub(r"(?<![\w’'])[’']?([2-9]0)[’']?s\b", lambda m: decade(int(m[1])), text)
    text = re.sub(rf"\bFY ?({_YEAR})\b", lambda m: f"fiscal year {year(m[1])}", text)
    years = rf"(\b{_YEAR_BEFORE} )({_YEAR})\b{_AFTER_YEAR}(?! [a-z]+s\b(?<! was)(?<! is)(?<! has))"
    text = re.sub(years, lambda m: m[1] + year(m[2]), text, flags=re.I)
    text = re.sub(rf"\(({_YEAR})\)", lambda m: f"({year(m[1])})", text)
    return re.sub(
        rf"(?<![\d.,$€£])({_YEAR})(?= (?:BC|AD|BCE|CE|World Cup|Olympic|election|season|edition)\b)",
        lambda m: year(m[1]),
        text,
    )


def _year_range(match: re.Match[str]) -> str:
    first, last = match.groups()
    if len(last) == 2:
        return f"{year(first)} to {number_words(int(last))}" if int(last) > int(first[2:]) else match[0]
    return (
        f"{year(first)} to {year(last)}"
        if first < last and not (first.endswith("00") and last.endswith("00"))
        else match[0]
    )
