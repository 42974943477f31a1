"""Finds numbers and durations in a request, each for one parameter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentaudio.model.embedded.routing.choices import is_spelling
from agentaudio.model.embedded.routing.parameters import Parameter
from agentaudio.model.embedded.routing.spans import role, role_at
from agentaudio.text.numbers import FoundNumber, find_numbers
from agentaudio.text.stems import stem
from agentaudio.text.words import split_words

_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
_POINTING = frozenset("another second third other extra last first next same this that which new".split())
_LINKS = frozenset("of is to at number equals".split())
_NUMBER_SOUNDS = {"to": 2, "too": 2, "for": 4, "fore": 4, "won": 1, "ate": 8, "tan": 10, "sex": 6}


def take_numbers(
    words: Sequence[str], taken: list[bool], wanted: Sequence[Parameter], values: dict[str, Any]
) -> list[FoundNumber]:
    """Assign numbers to the parameters that take one, with durations converted; returns the assigned numbers."""
    open_ones = [p for p in wanted if p.kind in ("integer", "number") and not p.choices]
    found = [n for n in find_numbers(words) if not any(taken[n.start : n.end]) and not _stands_for(words, n)]
    if open_ones and not found:
        found = [
            FoundNumber(_NUMBER_SOUNDS[word], place, place + 1)
            for place, word in enumerate(words)
            if word in _NUMBER_SOUNDS and place + 1 < len(words) and stem(words[place + 1]) in _unit_stems(open_ones)
        ]
    units = {word for p in wanted for choice in p.choices for word in split_words(str(choice))}
    if open_ones and not found:
        # "a mile" is one mile, where miles are a choice of the tool.
        found = [
            FoundNumber(1, place, place + 1)
            for place, word in enumerate(words[:-1])
            if word in ("a", "an") and any(is_spelling(words[place + 1], unit) for unit in units)
        ]
    given = _durations(words, open_ones, taken, values)
    open_ones = [parameter for parameter in open_ones if parameter.name not in values]
    found = [number for number in found if not any(taken[number.start : number.end])]
    # A number before a word of a parameter ("six people") belongs to it; the others are assigned in order.
    for parameter in sorted(open_ones, key=lambda p: not any(_names(words, n, p) for n in found)):
        left = [number for number in found if number not in given]
        if _unit(parameter) is not None:  # "wake me at six" gives no duration
            left = [number for number in left if not _is_clock_time(words, number)]
        named = [number for number in left if _names(words, number, parameter)]
        named += [n for n in left if any(is_spelling(w, u) for w in words[n.end : n.end + 1] for u in units)]
        fitting = [number for number in left if role(parameter) and _role(words, number, parameter) == role(parameter)]
        others = [number for number in left if not any(_names(words, number, p) for p in wanted if p is not parameter)]
        number = next(iter((*fitting, *named, *others)), None)
        if number is None:
            continue
        given.append(number)
        values[parameter.name] = _as_kind(number.value, parameter)
        for place in range(number.start, number.end):
            taken[place] = True
    return given


def _is_clock_time(words: Sequence[str], number: FoundNumber) -> bool:
    before, after = words[max(0, number.start - 1) : number.start], words[number.end : number.end + 1]
    return before == ["at"] or after in (["o'clock"], ["am"], ["pm"])


def _unit_stems(wanted: Sequence[Parameter]) -> set[str]:
    return {item for parameter in wanted for item in parameter.stems}


def _role(words: Sequence[str], number: FoundNumber, parameter: Parameter) -> int:
    """The role of a number, also of one after the parameter's name: "to page 12"."""
    start = number.start
    while start > 0 and words[start - 1] not in ("from", "to") and stem(words[start - 1]) in _name_stems(parameter):
        start -= 1
    return role_at(words, start)


def _name_stems(parameter: Parameter) -> set[str]:
    return {stem(word) for word in re.split(r"[\W_]+", parameter.name.lower())}


def _names(words: Sequence[str], number: FoundNumber, parameter: Parameter) -> bool:
    """Whether the words around a number name the parameter: "six people" for `people`, "length 5" for `length`."""
    before = number.start - 1
    while before >= 0 and words[before] in _LINKS:
        before -= 1
    if before >= 0 and role(parameter) == 0 and stem(words[before]) in _name_stems(parameter):
        return True
    after = number.end
    if words[after : after + 1] == ["-"]:  # "20-sided"
        after += 1
    return after < len(words) and bool({stem(words[after]), stem(words[after].removesuffix("d"))} & parameter.stems)


def _durations(
    words: Sequence[str], wanted: Sequence[Parameter], taken: list[bool], values: dict[str, Any]
) -> list[FoundNumber]:
    """Fill in the durations, such as "half an hour", each in the unit of its parameter; returns the used numbers.

    Where several parameters are durations, each takes what is said in its unit: "five minutes and ten seconds".
    """
    units = {parameter.name: unit for parameter in wanted if (unit := _unit(parameter)) is not None}
    used: list[FoundNumber] = []
    seconds: dict[str, float] = {}
    for size, value, number in _said_durations(words, taken):
        if not units:
            break
        fitting = [name for name, unit in units.items() if _SECONDS[unit] <= size]
        name = max(fitting or units, key=lambda name: _SECONDS[units[name]])
        seconds[name] = seconds.get(name, 0.0) + value * size
        if number is not None:
            used.append(number)
            taken[number.start : number.end] = [True] * (number.end - number.start)
    for parameter in wanted:
        if parameter.name in seconds:
            values[parameter.name] = _as_kind(seconds[parameter.name] / _SECONDS[units[parameter.name]], parameter)
    return used


def _unit(parameter: Parameter) -> str | None:
    """The unit of a parameter that is a duration, from its name or description."""
    named = {stem(word) for word in re.split(r"[\W_]+", parameter.name.lower())}
    return next((u for held in (named, parameter.stems) for u in _SECONDS if stem(u) in held), None)


def _stands_for(words: Sequence[str], number: FoundNumber) -> bool:
    """Whether "one" stands for a thing: "a second one for ten minutes"."""
    before = words[number.start - 1] if number.start else ""
    return list(words[number.start : number.end]) == ["one"] and before in _POINTING


def _is_ordinal(words: Sequence[str], place: int) -> bool:
    """Whether "second" counts what follows: "a second one"."""
    behind = words[place + 1 : place + 2]
    return words[place] == "second" and behind in (["one"], ["timer"], ["alarm"], ["time"], ["reminder"])


def _said_durations(words: Sequence[str], taken: Sequence[bool]) -> list[tuple[float, float, FoundNumber | None]]:
    """(seconds of the unit, how many of it, the number that says so) of every duration in the request."""
    said = " ".join(words)
    for lead, share in (
        ("half an", 0.5),
        ("half a", 0.5),
        ("a quarter of an", 0.25),
        ("quarter of an", 0.25),
        ("three quarters of an", 0.75),
    ):
        for name, size in _SECONDS.items():
            if re.search(rf"(?<!and ){lead} {name}\b", said):
                return [(size, share, None)]
    by_end = {number.end: number for number in find_numbers(words)}
    found: list[tuple[float, float, FoundNumber | None]] = []
    for place, word in enumerate(words):
        if word.removesuffix("s") not in _SECONDS or _is_ordinal(words, place):
            continue
        number = by_end.get(place)
        if number is not None and not any(taken[number.start : number.end]):
            value = float(number.value)
        elif place and words[place - 1] in ("a", "an", "one"):
            value, number = 1.0, None
        else:
            continue
        if words[place + 1 : place + 4] == ["and", "a", "half"]:
            value += 0.5
        elif word.startswith("hour") and words[place + 1 : place + 2] == ["and"]:
            value += _minutes_behind(words, place + 2) / 60  # "an hour and ten"
        found.append((_SECONDS[word.removesuffix("s")], value, number))
    return found


def _minutes_behind(words: Sequence[str], start: int) -> float:
    """The number at a place where no unit or thing follows it, so that it counts minutes; else 0."""
    number = next((number for number in find_numbers(words) if number.start == start), None)
    behind = words[number.end : number.end + 1] if number is not None else []
    bare = number is not None and (not behind or behind[0] in ("please", "for", "then", "from", "thanks"))
    return float(number.value) if bare and number is not None and number.value < 60 else 0.0


def _as_kind(value: float, parameter: Parameter) -> int | float:
    if parameter.kind == "integer" or float(value).is_integer():
        return round(value)
    return value
