"""Finds the arguments of a tool call in a request, by rules and the tool's schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.arithmetic import expression
from agentaudio.model.embedded.routing.choices import choose, is_spelling
from agentaudio.model.embedded.routing.parameters import Parameter, parameters, vocabulary
from agentaudio.model.embedded.routing.queries import search_query, voice_query
from agentaudio.model.embedded.routing.time_zones import find_zone, zones_by_place
from agentaudio.text.numbers import FoundNumber, find_numbers
from agentaudio.text.stems import stem
from agentaudio.text.template import Template
from agentaudio.text.words import LIGHT_WORDS, command_place, split_words

_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
_PREPOSITIONS = frozenset("in at of for by from to with about on named called into near".split())
_JOINTS = frozenset("of the and de la".split())
_CLOCK = re.compile(
    r"(?:(?:half|a quarter|quarter|five|ten|twenty|twenty five) (?:past|to) )?"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|midnight|\d{1,2})"
    r"(?: (?:o'clock|oh clock|oh? five|fifteen|thirty|forty five|ten|twenty|forty|fifty|\d\d))?"
    r"(?: (?:a m|p m|am|pm|in the (?:morning|afternoon|evening)|at night))?"
)
_AT_TIME = re.compile(rf"\b(?:at|by|around|from|until|before|after) ({_CLOCK.pattern})(?= |$)")
_NOT = frozenset("not no without never off disable stop".split())
_NUMBER_SOUNDS = {"to": 2, "too": 2, "for": 4, "fore": 4, "won": 1, "ate": 8, "tan": 10, "sex": 6}


@dataclass(frozen=True, slots=True)
class Slots:
    """The arguments that were found for a tool.

    missing: required parameters that were not found
    exact: whether the request matches one of the tool's templates that gives all required parameters
    """

    arguments: dict[str, Any]
    missing: tuple[str, ...]
    exact: bool = False


def fill(text: str, tool: ToolSpec) -> Slots:
    """The arguments for a tool in the words of a request.

    Enums match by word, plural or similar spelling; numbers may be words ("seventeen", "two and a half"); booleans
    are true unless the request negates them; strings are queries, arithmetic, time zones, clock times, or the words
    of the request that the tool's description does not contain.
    """
    words = split_words(text)
    wanted = parameters(tool)
    values = _by_template(words, tool, wanted)
    exact = values is not None and all(p.name in values for p in wanted if p.required)
    values = dict(values or {})
    open_ones = [parameter for parameter in wanted if parameter.name not in values]
    taken = [False] * len(words)
    for parameter in open_ones:
        value = _by_meaning(words, parameter, text, taken, open_ones)
        if value is not None:
            values[parameter.name] = value
    open_ones = [parameter for parameter in open_ones if parameter.name not in values]
    numbers = _numbers(words, taken, open_ones, values)
    values.update(choose(words, open_ones, numbers))
    known = vocabulary(tool)
    for parameter in open_ones:
        if parameter.name in values:
            continue
        value = _remaining(words, parameter, known, taken, tool)
        if value is not None:
            values[parameter.name] = value
    ordered = {p.name: values[p.name] for p in wanted if p.name in values}
    return Slots(ordered, tuple(p.name for p in wanted if p.required and p.name not in ordered), exact)


def _by_template(words: Sequence[str], tool: ToolSpec, wanted: Sequence[Parameter]) -> dict[str, Any] | None:
    """Values from the longest template of the tool that the request matches word for word."""
    said = _without_politeness(words)
    by_name = {parameter.name: parameter for parameter in wanted}
    for template in sorted((p for p in tool.phrases if isinstance(p, Template)), key=len, reverse=True):
        found = template.match(said)
        if found is None:
            continue
        values: dict[str, Any] = {}
        for name, words_of in found.items():
            parameter = by_name.get(name)
            value = _typed(words_of, parameter) if parameter else None
            if value is None:
                break
            values[name] = value
        else:
            return values
    return None


def _typed(said: str, parameter: Parameter) -> Any:
    """The words of a slot as a value for the parameter; None when they are not one."""
    words = said.split()
    if parameter.choices:
        return choose(words, [parameter], []).get(parameter.name)
    if parameter.kind in ("integer", "number"):
        numbers: dict[str, Any] = {}
        _numbers(words, [False] * len(words), [parameter], numbers)
        return numbers.get(parameter.name)
    if parameter.kind == "boolean":
        return not _NOT.intersection(words)
    if parameter.kind != "string":
        return None
    if parameter.meaning == "timezone":
        return find_zone(words)
    if parameter.meaning == "expression":
        return expression(words)
    return said


def _without_politeness(words: Sequence[str]) -> list[str]:
    kept = list(words)
    while kept and kept[-1] in ("please", "thanks", "now", "thank"):
        kept.pop()
    while kept and kept[0] in ("please", "okay", "ok", "hey", "well", "so", "and", "then"):
        kept.pop(0)
    return kept


def _by_meaning(
    words: Sequence[str], parameter: Parameter, text: str, taken: list[bool], others: Sequence[Parameter]
) -> Any:
    """The value of a string parameter that is found by its meaning."""
    if parameter.kind != "string" or parameter.choices:
        return None
    match parameter.meaning:
        case "query":
            return search_query(text) or None
        case "voice":
            return voice_query(text) or None
        case "expression":
            return expression(words)
        case "timezone":
            return find_zone(words)
        case "time":
            said = " ".join(words)
            match = _AT_TIME.search(said)
            if match is None:
                # "a table for two for seven": without "at", the last number that can be a time.
                found = list(re.finditer(rf"\b({_CLOCK.pattern})(?= |$)", said))
                counted = any(p.kind in ("integer", "number") for p in others)
                match = found[-1] if len(found) > counted else None
            if match is None:
                return None
            first = said[: match.start(1)].count(" ")
            for place in range(first, first + len(match[1].split())):
                taken[place] = True
            return match[1]
        case _:
            return _example(words, parameter)


def _example(words: Sequence[str], parameter: Parameter) -> str | None:
    """An example of the schema that the request holds word for word."""
    said = f" {' '.join(words)} "
    found = [item for item in parameter.examples if f" {' '.join(split_words(item))} " in said]
    return max(found, key=len, default=None)


def _numbers(
    words: Sequence[str], taken: list[bool], wanted: Sequence[Parameter], values: dict[str, Any]
) -> list[FoundNumber]:
    """Assign numbers to the parameters that take one, with durations converted; returns the assigned numbers."""
    open_ones = [p for p in wanted if p.kind in ("integer", "number") and not p.choices]
    found = [n for n in find_numbers(words) if not any(taken[n.start : n.end])]
    if open_ones and not found:
        found = [
            FoundNumber(_NUMBER_SOUNDS[word], place, place + 1)
            for place, word in enumerate(words)
            if word in _NUMBER_SOUNDS and place + 1 < len(words) and stem(words[place + 1]) in _unit_stems(open_ones)
        ]
    if open_ones and not found:
        # "a mile" is one mile, where miles are a choice of the tool.
        units = {word for p in wanted for choice in p.choices for word in split_words(str(choice))}
        found = [
            FoundNumber(1, place, place + 1)
            for place, word in enumerate(words[:-1])
            if word in ("a", "an") and any(is_spelling(words[place + 1], unit) for unit in units)
        ]
    given: list[FoundNumber] = []
    for parameter in open_ones:
        duration = _duration(words, parameter, taken)
        if duration is not None:
            values[parameter.name] = _as_kind(duration, parameter)
            return given
    # A number before a word of a parameter ("six people") belongs to it; the others are assigned in order.
    for parameter in sorted(open_ones, key=lambda p: not any(_names(words, n, p) for n in found)):
        left = [number for number in found if number not in given]
        if not left:
            continue
        number = next((n for n in left if _names(words, n, parameter)), left[0])
        given.append(number)
        values[parameter.name] = _as_kind(number.value, parameter)
        for place in range(number.start, number.end):
            taken[place] = True
    return given


def _unit_stems(wanted: Sequence[Parameter]) -> set[str]:
    return {item for parameter in wanted for item in parameter.stems}


def _names(words: Sequence[str], number: FoundNumber, parameter: Parameter) -> bool:
    return number.end < len(words) and stem(words[number.end]) in parameter.stems


def _duration(words: Sequence[str], parameter: Parameter, taken: list[bool]) -> float | None:
    """A duration such as "half an hour" in the parameter's unit; None when the parameter is not a duration."""
    named = {stem(word) for word in re.split(r"[\W_]+", parameter.name.lower())}
    unit = next((u for held in (named, parameter.stems) for u in _SECONDS if stem(u) in held), None)
    if unit is None:
        return None
    seconds, seen = 0.0, False
    said = " ".join(words)
    for lead, share in (("half an", 0.5), ("half a", 0.5), ("a quarter of an", 0.25), ("three quarters of an", 0.75)):
        for name, size in _SECONDS.items():
            if re.search(rf"(?<!and ){lead} {name}\b", said):
                return share * size / _SECONDS[unit]
    by_end = {number.end: number for number in find_numbers(words)}
    for place, word in enumerate(words):
        if word.removesuffix("s") not in _SECONDS:
            continue
        size = _SECONDS[word.removesuffix("s")]
        number = by_end.get(place)
        if number is not None and not any(taken[number.start : number.end]):
            value = float(number.value)
        elif place and words[place - 1] in ("a", "an", "one"):
            value = 1.0
        else:
            continue
        if words[place + 1 : place + 4] == ["and", "a", "half"]:
            value += 0.5
        seconds, seen = seconds + value * size, True
    return seconds / _SECONDS[unit] if seen else None


def _as_kind(value: float, parameter: Parameter) -> int | float:
    if parameter.kind == "integer" or float(value).is_integer():
        return round(value)
    return value


def _remaining(
    words: Sequence[str], parameter: Parameter, known: frozenset[str], taken: list[bool], tool: ToolSpec
) -> Any:
    """The best run of words that are neither the tool's nor LIGHT_WORDS, preferably after a preposition."""
    if parameter.kind == "boolean":
        place = next((i for i, w in enumerate(words) if stem(w) in parameter.stems), None)
        if place is None:
            return None
        return not _NOT.intersection(words[max(0, place - 3) : place + 3])
    if parameter.kind != "string" or parameter.choices or parameter.meaning not in ("text", "time"):
        return None
    noun = stem(parameter.noun)
    verb = command_place(words)
    free = [
        not taken[place]
        and place != verb
        and word not in LIGHT_WORDS
        and (stem(word) not in known or _is_example(word, parameter))
        for place, word in enumerate(words)
    ]
    best, best_score = None, 0.0
    place = 0
    while place < len(words):
        if not free[place]:
            place += 1
            continue
        end = place + 1
        while end < len(words) and (
            free[end] or (words[end] in _JOINTS and any(free[end + 1 : end + 3]) and words[end + 1 : end + 2] != ["in"])
        ):
            end += 1
        start, stop = _with_noun(words, place, end, noun)
        score = 1.0 + 0.1 * (stop - start) + 0.01 * start
        before = [word for word in words[max(0, start - 2) : start] if word not in ("the", "a", "an", "my", "our")]
        score += bool(before) and before[-1] in _PREPOSITIONS
        score += 0.5 * (start > 0 and words[start - 1] == "the")
        score += 2.0 * (parameter.names_place and " ".join(words[start:stop]) in zones_by_place())
        score += 1.0 * (stop - start > end - place)
        if score > best_score:
            best, best_score = " ".join(words[start:stop]), score
        place = end
    return best


def _is_example(word: str, parameter: Parameter) -> bool:
    return any(word in split_words(example) for example in parameter.examples) and stem(word) != stem(parameter.noun)


def _with_noun(words: Sequence[str], start: int, end: int, noun: str) -> tuple[int, int]:
    """A span extended by the parameter's noun next to it: "science" becomes "science museum"."""
    if end < len(words) and stem(words[end]) == noun:
        return start, end + 1
    before = start - 1
    while before > 0 and words[before] in _JOINTS:
        before -= 1
    if before >= 0 and stem(words[before]) == noun and (start - before > 1):
        return before, end
    return start, end
