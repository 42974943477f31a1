"""Money, units, fractions, ranges and signs in English text as words."""

from __future__ import annotations

import re

from agentaudio.text.english_numbers import BARE, NUMBER, after, before, is_one, ordinal, say
from agentaudio.text.english_units import (
    ALONE,
    CURRENCIES,
    CURRENCY_PLURALS,
    MAGNITUDES,
    NUMBER_MAGNITUDES,
    PLURALS,
    UNITS,
)
from agentaudio.text.numbers import number_words, ordinal_words


def _any(names: object) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))  # type: ignore[call-overload]


_SIGN = _any(name for name in CURRENCIES if not name[-1].isalpha())
_CODE = _any(name for name in CURRENCIES if name[-1].isalpha())
_SCALE = rf"(?: ?(thousand|million|billion|trillion)\b| ?({_any(MAGNITUDES)})(?![A-Za-z]))?"
_MONEY = re.compile(rf"(?P<sign>{_SIGN}) ?(?P<amount>{BARE}){_SCALE}")
_MONEY_RANGE = re.compile(rf"(?P<sign>{_SIGN}) ?({BARE}){_SCALE} ?[-–—] ?(?:{_SIGN})?({BARE}){_SCALE}(?![\d-])")
_CODED = re.compile(rf"\b(?:({_CODE}) ?({BARE}){_SCALE}|(?<![\d.,])({BARE}){_SCALE} ?({_CODE})\b)")
_AFTER_AMOUNT = re.compile(rf"(?<![\w.,])({BARE}){_SCALE} ?(\$|€|£|₽|₺|₴|₫)(?![\w])(?! ?\d)")
_DURATION = re.compile(
    r"(?<![\w.,:])(?:(\d{1,3}) ?(?:h|hrs?)(?: ?(\d{1,2}) ?(?:m|mins?))(?: ?(\d{1,2}) ?(?:s|secs?))?"
    r"|(\d{1,3}) ?m ?(\d{1,2}) ?s)\b"
)
_DESCRIBED = re.compile(
    rf"(?<![\w.,])({BARE}) ?(m|km|cm|mm|ft|in|yd|kg|g|l|L|h|s|t|W|kW|V)[- ]?-"
    r"(?=(?:high|wide|long|deep|tall|thick|old|lap|race|dash|sprint|radius|diameter|drop|run|heavy|hour|per|strong|pool)\b)"
)
_CROWD = re.compile(
    rf"(?<![\w.,])({BARE}) ?m(?= (?:people|users|viewers|visitors|subscribers|followers|views|downloads|customers|"
    r"copies|players|members|voters|votes|jobs|passengers|residents|inhabitants|tourists|refugees|children|households|tons|"
    r"tonnes|barrels|records|tokens|parameters|rows|streams|listeners|sales|deaths|cases)\b)"
)
_PER = {"month": "month", "mo": "month", "yr": "year", "year": "year", "hr": "hour", "h": "hour", "hour": "hour",
        "day": "day", "wk": "week", "week": "week", "kg": "kilogram", "lb": "pound", "night": "night",
        "person": "person",
        "user": "user", "gal": "gallon", "min": "minute", "minute": "minute", "sec": "second", "second": "second",
        "s": "second", "km": "kilometer", "mi": "mile", "mile": "mile", "unit": "unit", "item": "item",
        "m²": "square meter",
        "l": "liter", "L": "liter", "oz": "ounce", "piece": "piece", "seat": "seat", "GB": "gigabyte"}  # fmt: skip
_NOT_COUNTED = (
    r"(?!of\b|in\b|per\b|and\b|or\b|to\b|for\b|at\b|is\b|was\b|by\b|on\b|from\b|with\b|a\b|away\b|later\b|more\b|ago\b)"
)
_UNIT = re.compile(rf"({NUMBER})(?:\s|-)?({_any(UNITS)})(?![\w²³]|/[A-Za-z])(\.?)(?=(\s{_NOT_COUNTED}[a-z]{{3,}})?)")
_RATE = re.compile(rf"({NUMBER})\s?({_any(UNITS)})/({_any({**UNITS, **_PER})})\b")
_FRACTIONS = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5),
              "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8)}  # fmt: skip
_PART_OF_UNIT = re.compile(
    rf"((?<![\d./])(?:\d+[ -])?\d{{1,2}}/\d{{1,2}}\s?|(?:\d+ ?)?[{''.join(_FRACTIONS)}]\s?)({_any(UNITS)})(?![\w/²³'’])"
)
_POWERS = {"²": " squared", "³": " cubed"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_COMPARED = "faster|more|as|slower|better|bigger|larger|higher|the|cheaper|longer|smaller|less"
_SCREEN = "screen|display|TV|video|monitor|resolution|UHD|camera"
_RANGE = re.compile(rf"({NUMBER}) ?[-–—~] ?(?=[$€£]?{BARE}(?![\d-]))")


def with_money(text: str) -> str:
    """The text with amounts of money as words."""
    text = re.sub(rf"(?<![\w.])[-−](?=(?:{_SIGN})\s?\d)", "minus ", text)
    text = _MONEY_RANGE.sub(_money_range, text)
    text = _MONEY.sub(_money, text)
    text = _CODED.sub(_coded, text)
    text = _AFTER_AMOUNT.sub(lambda m: _amount(m[1], m[4], _scale(m[2], m[3])), text)
    text = re.sub(rf"({NUMBER}) ?¢", lambda m: f"{say(m[1])} cent{'s' * (not is_one(m[1]))}", text)
    text = re.sub(r"(?<![\w.,])(\d{1,2})p(?!\w)", lambda m: f"{say(m[1])} {'penny' if m[1] == '1' else 'pence'}", text)
    return re.sub(rf"(?<=[a-z])/({_any(_PER)})\b(?=[^/]|$)", _per, text)


def _per(match: re.Match[str]) -> str:
    earlier = before(match).split()
    names = {name.split()[-1] for pair in CURRENCIES.values() for name in pair if name}
    last = earlier[-1] if earlier else ""
    money = last in names or last.removesuffix("s") in names or last in CURRENCY_PLURALS.values()
    return f" per {_PER[match[1]]}" if money else match[0]


def _scale(word: str | None, letter: str | None) -> str:
    return word or (MAGNITUDES[letter] if letter else "")


def _money(match: re.Match[str]) -> str:
    scale = _scale(match[3], match[4])
    earlier, later = before(match), after(match)
    described = re.search(r"\b[Aa]n? (?:[a-z]+ )?\Z", earlier) and re.match(rf" {_NOT_COUNTED}[a-z]{{3,}}", later)
    return _amount(match["amount"], match["sign"], scale, singular=bool(described))


def _coded(match: re.Match[str]) -> str:
    if match[1]:
        return _amount(match[2], match[1], _scale(match[3], match[4]))
    return _amount(match[5], match[8], _scale(match[6], match[7]))


def _money_range(match: re.Match[str]) -> str:
    first = " ".join(filter(None, (say(match[2]), _scale(match[3], match[4]))))
    second = _amount(match[5], match["sign"], _scale(match[6], match[7]))
    return f"{first} to {second}"


def _amount(number: str, currency: str, scale: str, *, singular: bool = False) -> str:
    """An amount in words: "one dollar and fifty cents", "two point five billion dollars"."""
    name, hundredth = CURRENCIES[currency]
    whole, _, cents = number.replace(",", "").partition(".")
    if hundredth and len(cents) == 2 and not scale and len(whole) < 13:
        parts = []
        if int(whole or 0) or not int(cents):
            parts.append(f"{say(whole or '0')} {_named(name, whole)}")
        if int(cents):
            parts.append(f"{number_words(int(cents))} {_named(hundredth, str(int(cents)))}")
        return " and ".join(parts)
    said = f"{say(number)} {scale}".strip()
    return f"{said} {name if singular else _named(name, '2' if scale else number)}"


def _named(name: str, number: str) -> str:
    return name if is_one(number) else CURRENCY_PLURALS.get(name, name + "s")


def with_durations(text: str) -> str:
    """The text with hours, minutes and seconds such as "2h30m" as words."""
    return _DURATION.sub(_duration, text)


def with_fractions(text: str) -> str:
    """The text with fractions, and things written like them, as words."""
    text = re.sub(r"(?<![\w.])(\d{1,2})(\d0)(?=[pi]\b)", lambda m: f"{say(m[1])} {say(m[2])} ", text)  # 1080p
    text = re.sub(
        r"(?<![\d.,/])(\d{1,2}/\d{1,2})(?: ?″|\"(?= [a-z]))",
        lambda m: m[0] if m[0].endswith('"') and m.string[: m.start()].count('"') % 2 else f"{m[1]} inch",
        text,
    )
    text = re.sub(r"\b24/7\b", "twenty four seven", text)
    text = re.sub(r"\b9/11\b", "nine eleven", text)
    text = re.sub(r"\b50/50\b", "fifty fifty", text)
    text = _PART_OF_UNIT.sub(
        lambda m: f"{m[1]}{_unit_name(m[2], '2' if re.match(r'[0-9]+[ -]?[0-9½-⅞]', m[1]) else '1')}", text
    )
    text = re.sub(rf"(?<![\d.,])(?:(\d+) ?)?([{''.join(_FRACTIONS)}])", lambda m: _mixed(m[1], *_FRACTIONS[m[2]]), text)
    text = re.sub(r"(?<![\d.,/=])(\d+)[ -](\d{1,2})/(\d{1,3})(?![\d/]|[.,]\d)", _mixed_slash, text)
    return re.sub(r"(?<![\d.,/=])(?<!= )(\d{1,2})/(\d{1,3})(?![\d/]|[.,]\d)(?! ?[=+*])", _slash, text)


def _slash(match: re.Match[str]) -> str:
    upper, lower = int(match[1]), int(match[2])
    if upper == 0 or lower < 2 or upper > lower or (lower > 20 and lower not in (25, 30, 32, 50, 64, 100, 1000)):
        return match[0]
    if upper == lower or lower in (30, 50, 100, 1000):
        return f"{number_words(upper)} out of {number_words(lower)}"
    return _fraction(upper, lower)


def _mixed_slash(match: re.Match[str]) -> str:
    whole, upper, lower = match[1], int(match[2]), int(match[3])
    return _mixed(whole, upper, lower) if 0 < upper < lower <= 64 else match[0]


def _mixed(whole: str | None, upper: int, lower: int) -> str:
    if not whole:
        return _fraction(upper, lower)
    part = "a half" if (upper, lower) == (1, 2) else _fraction(upper, lower)
    return f"{say(whole)} and {part}"


def _fraction(upper: int, lower: int) -> str:
    name = {2: "half", 4: "quarter"}.get(lower) or ordinal_words(lower)
    plural = {"half": "halves"}.get(name, name + "s")
    return f"{number_words(upper)} {name if upper == 1 else plural}"


def with_ranges(text: str) -> str:
    """The text with ranges, ratios and negative numbers as words."""
    text = re.sub(r"(?<![\w.,-])\d{1,3}(?:-\d{1,3}){2,5}(?![\w-])", lambda m: m[0].replace("-", " "), text)  # 4-4-2
    text = re.sub(rf"({NUMBER} ?%) ?[-–—] ?(?={BARE} ?%)", r"\1 to ", text)
    text = re.sub(rf"(?<![\w.])[-−](?={NUMBER})", "minus ", text)
    text = _RANGE.sub(_range, text)
    text = re.sub(r"(?<![\d:.])(\d\d):([0-5]\d)(?![\d:]|\.\d)", _minutes, text)
    text = re.sub(r"(?<![\d:.])(\d{1,4}):(\d{1,4})(?![\d:]|\.\d)", lambda m: f"{say(m[1])} to {say(m[2])}", text)
    text = re.sub(r"(?<![\w.,])(\d+) ?[xX×] ?(?=\d+ ?[xX×] ?\d)", r"\1 by ", text)
    text = re.sub(r"(?<![\w.,])(\d+(?:\.\d+)?)[xX](?=\d)", r"\1 by ", text)
    text = re.sub(
        rf"(?<![\w.,])(\d+(?:\.\d+)?) ?[x×](?= (?:{_COMPARED})\b)",
        r"\1 times",
        text,
    )
    text = re.sub(r"(?<![\w.,])(\d+(?:\.\d+)?) x (?=\d)", r"\1 times ", text)
    return re.sub(r"(?<=[A-Za-z])-(?=\d)", " ", text)


def _minutes(match: re.Match[str]) -> str:
    """A duration of more minutes than a day has hours: "25:30"."""
    return f"{say(match[1])} {'oh ' if match[2] != '00' and match[2][0] == '0' else ''}{number_words(int(match[2]))}"


def _range(match: re.Match[str]) -> str:
    later = after(match)[:14]
    # "17 - 23 = ..." is a sum, "3-5 minutes" a span.
    return f"{match[1]} minus " if "=" in later or re.match(r"\S+ [-+]", later) else f"{match[1]} to "


def with_units(text: str) -> str:
    """The text with temperatures, lengths in feet and inches, and other quantities as words."""
    text = _DESCRIBED.sub(lambda m: f"{say(m[1])} {UNITS.get(m[2], 'inch')} ", text)
    text = _CROWD.sub(lambda m: f"{say(m[1])} million", text)
    text = re.sub(
        r"(?<![\d.,])(\d{1,3})K(?= (?:run|race|runner|walk|gold|carat|jog|in \d))", lambda m: f"{say(m[1])} K", text
    )
    text = re.sub(r"(?<=\b[ai][nt] )([48])K\b", lambda m: f"{say(m[1])} K", text)  # a screen's resolution
    text = re.sub(
        r"(\b(?:[Rr]uns?|[Rr]an|[Rr]unning|jog|finish(?:ed)?|walk(?:ed)?)(?: (?:a|the|my|his|her|our))?) (\d{1,2})K\b",
        lambda m: f"{m[1]} {say(m[2])} K",
        text,
    )
    text = re.sub(rf"({NUMBER}) ?%", lambda m: f"{say(m[1])} percent", text)
    text = re.sub(rf"({NUMBER}) ?‰", lambda m: f"{say(m[1])} per mille", text)
    text = re.sub(rf"({NUMBER}) ?(?:[°º](?: ?[CFK]\b)?|℃|℉|[CF]\b)", _degrees, text)
    text = re.sub(r"(?<!\d)(\d{1,3}) ?['’′] ?(\d{1,2}) ?(?:[\"”″]|''|’’)", _feet, text)
    text = re.sub(r"(?<!\d)(\d{1,3}) ?(?:ft\.?|feet) (\d{1,2}(?:\.\d)?) ?in\b\.?(?=(\s[a-z])?)", _feet_inches, text)
    text = re.sub(
        r"(?<![\w.,'’])([3-8])['’′](1[01]|[0-9])(?![\w'’\"”″′]|\.\d)", lambda m: f"{say(m[1])} foot {say(m[2])}", text
    )
    text = re.sub(r"(?<![\d'’])(\d{1,4}(?:\.\d+)?) ?(?:″|\"(?=[ ,.;]?(?:\s|[a-z-]|$)))", _inches, text)
    text = re.sub(rf"({NUMBER}) ?in\b(?:\.|(?= (?:tall|long|wide|deep|high|thick|by|x)\b|[,;:)]|\.?$))", _inches, text)
    text = _RATE.sub(lambda m: f"{say(m[1])} {_unit_name(m[2], m[1])} per {_PER.get(m[3]) or UNITS[m[3]]}", text)
    text = _UNIT.sub(_unit, text)
    text = re.sub(
        rf"({NUMBER}) ?({_any(NUMBER_MAGNITUDES)})(?![\w])(?! (?:{_SCREEN})\b)",
        _many,
        text,
    )
    return re.sub(rf"(?<![\w/])({_any(ALONE)})(?![\w/²³])", lambda m: _unit_name(m[1], "2"), text)


def _many(match: re.Match[str]) -> str:
    return f"{say(match[1])} {NUMBER_MAGNITUDES[match[2]]}"


def _duration(match: re.Match[str]) -> str:
    """Hours, minutes and seconds: "2h30m", "3m 20s"."""
    hours, minutes, seconds = match[1], match[2] or match[4], match[3] or match[5]
    named = ((hours, "hour"), (minutes, "minute"), (seconds, "second"))
    return " ".join(
        f"{say(number.lstrip('0') or '0')} {name}{'s' * (int(number) != 1)}" for number, name in named if number
    )


def _degrees(match: re.Match[str]) -> str:
    last = match[0].rstrip()[-1]
    scale = {"C": " celsius", "℃": " celsius", "F": " fahrenheit", "℉": " fahrenheit", "K": " kelvin"}.get(last, "")
    return f"{say(match[1])} degree{'s' * (not is_one(match[1]))}{scale}"


def _feet(match: re.Match[str]) -> str:
    return f"{say(match[1])} foot {say(match[2])}"


def _feet_inches(match: re.Match[str]) -> str:
    feet, inches = match[1], match[2]
    return f"{say(feet)} {'foot' if feet == '1' else 'feet'} {say(inches)} {'inch' if inches == '1' else 'inches'}"


def _inches(match: re.Match[str]) -> str:
    if match[0].endswith('"') and before(match).count('"') % 2:
        return match[0]  # the end of a quotation
    described = re.match(r"[ -][a-z]{3,}", after(match)) and re.search(r"\b[Aa]n? \Z", before(match))
    return f"{say(match[1])} {'inch' if is_one(match[1]) or described else 'inches'}"


def _unit(match: re.Match[str]) -> str:
    number, unit, stop, noun = match.groups()
    earlier = before(match)
    if unit in ("m", "g", "h", "s", "l", "t", "N", "J") and re.match(
        r"\S*[-/]", match.string[match.end() : match.end() + 1]
    ):
        return match[0]
    described = noun and re.search(r"\b(?:[Aa]n?|the|this|that|our|my|his|her|one|each|every) (?:[a-z]+ )?\Z", earlier)
    later = after(match)
    ends = "." if stop and (not later.strip() or re.match(r"\s+[A-Z]", later)) else ""
    return f"{say(number)} {_unit_name(unit, '1' if described else number)}{ends}"


def _unit_name(unit: str, number: str) -> str:
    """A unit in the singular or plural: "kilometers per hour", "square feet"."""
    first, per, rest = UNITS[unit].partition(" per ")
    if not is_one(number):
        *front, last = first.split(" ")
        first = PLURALS.get(first) or " ".join([*front, PLURALS.get(last, last + "s")])
    return first + per + rest


def with_powers(text: str) -> str:
    """The text with powers and roots as words."""
    text = re.sub(r"sqrt\(([^()]*)\)", r"the square root of \1", text)
    text = re.sub(r"√ ?(?=[\d\w(])", "the square root of ", text)
    text = re.sub(r"(?<=[\w)])(?<![⁰¹²³⁴-⁹⁻])([²³])(?![⁰¹²³⁴-⁹])", lambda m: _POWERS[m[1]] + " ", text)
    text = re.sub(
        r"(?<=[\w)])([⁻⁰¹²³⁴-⁹]+)",
        lambda m: " to the power of " + m[1].translate(_SUPERSCRIPTS).replace("-", "minus ") + " ",
        text,
    )
    return re.sub(r"\*\*|\^", " to the power of ", text)


def with_ordinals(text: str) -> str:
    """The text with ordinals such as "1,000th" as words."""
    return re.sub(r"(?<![\d.,])(\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:st|nd|rd|th)\b", lambda m: ordinal(m[1]), text)
