"""Formulae, coordinates and expressions of mathematics in English text as words."""

from __future__ import annotations

import re

from agentaudio.text.english_numbers import BARE, say

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_CHARGES = {"⁺": "plus", "⁻": "minus"}
_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_POINT = r"(?:\s?([NSEW])\b)"
_ANGLE = re.compile(
    rf"(?<![\w.])({BARE})\s?[°º]\s?(\d{{1,2}}(?:\.\d+)?)\s?[′'’](?:\s?(\d{{1,2}}(?:\.\d+)?)\s?(?:[″\"”]|''|′′))?{_POINT}?"
)
_DEGREES = re.compile(rf"(?<![\w.])({BARE})\s?[°º]{_POINT}")
_DECIMAL_PLACE = re.compile(r"(?<![\w.])(\d{1,3}\.\d{2,9})\s?([NS])(,?\s{0,3})(\d{1,3}\.\d{2,9})\s?([EW])\b")
_MINUTES = re.compile(r"(?<![\w.])(\d{1,3})\s?′\s?(\d{1,2}(?:\.\d+)?)\s?″")
_POWER_OF_TEN = re.compile(r"(?<![\w.])(\d{1,15}(?:\.\d{1,15})?)[eE]([+−-]?)(\d{1,3})(?![\w.]\w|\w)")
_FUNCTION = re.compile(
    r"(?<![\w.])(f|g|h|P|E|Pr|sin|cos|tan|log\d{0,2}|ln|exp|det|gcd|lcm|deg)\((-?[\w+*/^. -]{1,24})\)"
)
_EQUATION = re.compile(r"(?<!\w)(?:[\w()²³√^*/×·.±+−-]{1,30} ){0,20}=(?: [\w()²³√^*/×·.±+−-]{1,30}){1,20}")
_DIFFERENCE = re.compile(
    r"(?<=[\w)²³]) [-−] (?=[\w(√])|(?:(?<=\b[a-zA-Z])|(?<=[)²³]))[-−](?=\d{0,6}[a-zA-Z]{0,2}\b(?!-)|[(√])"
    r"|(?<![\w])[-−](?=[a-z]\b)"
)
_FUNCTION_NAMES = {"sin": "sine", "cos": "cosine", "tan": "tangent", "ln": "natural log"}


def with_plain_subscripts(text: str) -> str:
    """The text with subscript digits as digits: "H₂O" is "H2O", and "log₂8" is "log2 8"."""
    return re.sub(r"[₀-₉]+", lambda m: m[0].translate(_SUBSCRIPTS) + _gap(m), text)


def with_formulae(text: str) -> str:
    """The text with chemical and mathematical formulae, and angles, as words, except for their plain numbers."""
    text = re.sub(
        r"(?<=[\w)\]])([⁰¹²³⁴-⁹]*)([⁺⁻])(?![⁰¹²³⁴-⁹])",
        lambda m: f" {say(m[1].translate(_SUPERSCRIPTS)) if m[1] else ''} {_CHARGES[m[2]]} ",
        text,
    )
    text = _EQUATION.sub(lambda m: _DIFFERENCE.sub(" minus ", m[0]), text)
    text = re.sub(r"(?<=\)) ?/ ?(?=\w)", " divided by ", text)
    text = _ANGLE.sub(_angle, text)
    text = _DECIMAL_PLACE.sub(lambda m: f"{say(m[1])} {_COMPASS[m[2]]}{m[3]}{say(m[4])} {_COMPASS[m[5]]}", text)
    text = re.sub(
        r"(?<![\d/.])(\d{2,3})/(\d{2,3})(?= ?mm ?Hg)|((?:blood pressure|BP)\D{1,12})(\d{2,3})/(\d{2,3})(?![\d/])",
        lambda m: f"{m[3] or ''}{say(m[1] or m[4])} over {say(m[2] or m[5])}",
        text,
    )
    text = _DEGREES.sub(lambda m: f"{_counted(m[1], 'degree')} {_COMPASS[m[2]]}", text)
    text = _MINUTES.sub(lambda m: f"{_counted(m[1], 'minute')} {_counted(m[2], 'second')}", text)
    text = _POWER_OF_TEN.sub(_power_of_ten, text)
    text = _FUNCTION.sub(_function, text)
    text = re.sub(r"(?<![\w.,!])(\d{1,4}|[a-zA-Z]|\([^()]{1,20}\))!(?=\s?[=+*/×÷^)≈<>-])", r"\1 factorial", text)
    text = re.sub(r"(?<![\w|])\|(-?[\w.]{1,12})\|(?![\w|])", r"the absolute value of \1", text)
    return re.sub(r"(?<![A-Za-z])([bcdfghjklmnpqrstvwxz]{2,3})(?=[²³])(?<!cm)(?<!mm)(?<!km)(?<!ft)", _letters, text)


def _gap(match: re.Match[str]) -> str:
    following = match.string[match.end() : match.end() + 1]
    return " " if following.isdecimal() else ""


def _letters(match: re.Match[str]) -> str:
    return " ".join(match[1])


def _counted(number: str, name: str) -> str:
    return f"{say(number)} {name}{'s' * (number != '1')}"


def _angle(match: re.Match[str]) -> str:
    parts = [_counted(match[1], "degree"), _counted(_plain(match[2]), "minute")]
    if match[3]:
        parts.append(_counted(_plain(match[3]), "second"))
    if match[4]:
        parts.append(_COMPASS[match[4]])
    return " ".join(parts) + _gap_after(match)


def _plain(number: str) -> str:
    """Without zeros in front: "05" minutes are five."""
    return number.lstrip("0") or "0" if "." not in number else number


def _gap_after(match: re.Match[str]) -> str:
    return " " if match.string[match.end() : match.end() + 1].isalnum() else ""


def _power_of_ten(match: re.Match[str]) -> str:
    sign = "minus " if match[2] in ("-", "−") else ""
    return f"{say(match[1])} times ten to the power of {sign}{say(match[3].lstrip('0') or '0')}"


def _function(match: re.Match[str]) -> str:
    name = match[1]
    base = re.fullmatch(r"log(\d+)", name)
    said = f"log {say(base[1])}" if base else _FUNCTION_NAMES.get(name, name)
    return f"{said} of {match[2]}"
