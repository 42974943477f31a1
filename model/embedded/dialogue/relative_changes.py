"""`relatively_changed`: a call before with a value told by the old one: "five minutes more", "an hour later"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.clock import moved, with_minutes
from agentaudio.model.embedded.routing.parameters import Parameter, parameters
from agentaudio.text.numbers import find_numbers

_OPENING = (
    r"(?:(?:and|but|okay|ok|oh|no|sorry|hm+|actually|well|then|now|please|so|can you|could you|can we|could we|let us|"
    r"it should be|it should ring|make|make it|make that|give me|give it|better|i need|we need|i want|we want|maybe|"
    r"perhaps|rather|say|do) )*"
)
_ENDING = (
    r"(?: (?:would be (?:better|great|good|nice|ideal|perfect)|is better|if possible|please|then|instead|"
    r"after all|actually|now|too|though|from that|than that|to that|to it|to the "
    r"(?:timer|alarm|table|booking|reservation)))*"
)
_NO_UNIT = r"(?!it\b|that\b|make\b|minutes?\b|hours?\b|people\b|persons?\b|guests?\b|more\b|less\b)"
_AMOUNT = rf"(?P<amount>an?|another|half an?|a quarter of an?|(?:{_NO_UNIT}[\w.]+ )?{_NO_UNIT}[\w.]+)"
_UNIT = r"(?P<unit>minutes?|hours?|people|persons?|guests?|adults?|kids?|children|friends?|seats?|places?)"
_IT = r"(?:it|that|this|the timer|the time|the table|the booking|the party|the number)"
_MORE = re.compile(
    rf"{_OPENING}(?:(?:add|extend {_IT} by|make {_IT}|plus|put) )?{_AMOUNT}(?: {_UNIT})? (?:more|extra|longer|on "
    rf"top|on it|to that|to it)"
    rf"(?: {_UNIT.replace('unit', 'unit2')})?(?: (?:is|are) (?:coming|joining|joining us))?{_ENDING}"
)
_ADD = re.compile(
    rf"{_OPENING}(?:add|plus|extend {_IT} by|lengthen {_IT} by) {_AMOUNT}(?: more)?(?: {_UNIT})?{_ENDING}"
)
_LESS = re.compile(
    rf"{_OPENING}(?:{_AMOUNT}(?: {_UNIT})? (?:less|fewer|shorter)(?: {_UNIT.replace('unit', 'unit2')})?|"
    rf"(?:shorten {_IT} by|take off|take away|minus|cut {_IT} by|subtract) {_AMOUNT.replace('amount', 'amount2')}"
    rf"(?: {_UNIT.replace('unit', 'unit3')})?){_ENDING}"
)
_ABSENT = re.compile(
    rf"{_OPENING}{_AMOUNT}(?: of (?:them|us|my friends|the guests|the others))?(?: {_UNIT})? "
    r"(?:can not|could not|will not|is not|are not|cancelled|canceled|dropped out|is ill|is sick|are ill|are sick)\b"
    r"(?: (?:come|coming|make it|join us|joining|be there|be coming|able to come))?(?: (?:after all|any more|tonight))*"
)
_HALF = re.compile(rf"{_OPENING}(?:half (?:of )?(?:{_IT}|the amount)|half as (?:long|many|much)|halve {_IT}){_ENDING}")
_DOUBLE = re.compile(
    rf"{_OPENING}(?:double (?:of )?(?:{_IT}|the amount)|(?:twice|double) (?:that|as (?:long|many|much))|"
    rf"twice {_IT}){_ENDING}"
)
_LATER = re.compile(
    rf"{_OPENING}(?:move {_IT} |push {_IT} |shift {_IT} |bring {_IT} )?(?:back |forward |by )*{_AMOUNT} "
    rf"(?P<unit>minutes?|hours?)"
    rf" (?P<way>later|earlier|sooner|after that|before that|back|forward){_ENDING}"
)
_MINUTES_ONLY = re.compile(
    rf"{_OPENING}(?:at )?(?P<part>(?:half|a quarter|quarter|five|ten|twenty|twenty five) (?:past|to)){_ENDING}"
)


def relatively_changed(said: str, arguments: Mapping[str, Any], tool: ToolSpec) -> dict[str, Any] | None:
    """The arguments with the number or the clock time that the request tells by the old one; None for another request.

    said: in the words of `split_words`, joined by spaces
    """
    wanted = parameters(tool)
    for parameter in wanted:
        held = arguments.get(parameter.name)
        new: Any = None
        if parameter.kind == "string" and parameter.meaning == "time" and isinstance(held, str):
            new = _later(said, held)
        elif parameter.kind == "integer" and isinstance(held, int) and not parameter.choices:
            new = _number(said, held, parameter)
        if new is not None:
            return {p.name: new if p is parameter else arguments[p.name] for p in wanted if p.name in arguments}
    return None


def _later(said: str, held: str) -> str | None:
    if match := _LATER.fullmatch(said):
        amount = _amount(match["amount"])
        if amount is None:
            return None
        minutes = round(amount * (60 if match["unit"].startswith("hour") else 1))
        return moved(held, -minutes if match["way"] in ("earlier", "sooner", "before that", "forward") else minutes)
    if match := _MINUTES_ONLY.fullmatch(said):
        return with_minutes(match["part"], held)
    return None


def _number(said: str, held: int, parameter: Parameter) -> int | None:
    counts_people = bool(parameter.stems & {"peopl", "people", "guest", "person"})
    for pattern, sign in ((_MORE, 1), (_ADD, 1), (_LESS, -1), (_ABSENT, -1)):
        if not (match := pattern.fullmatch(said)):
            continue
        if pattern is _ABSENT and not counts_people:
            return None
        groups = match.groupdict()
        amount = _amount(next(filter(None, (groups.get("amount"), groups.get("amount2")))))
        unit = next(filter(None, (groups.get("unit"), groups.get("unit2"), groups.get("unit3"))), "")
        if amount is None or (unit.startswith(("minute", "hour")) == counts_people and unit):
            return None
        if not unit and amount == 1:
            return None  # "one more" asks for another one
        new = held + sign * amount * (60 if unit.startswith("hour") else 1)
        return int(new) if new >= 1 and float(new).is_integer() else None
    moved_by = _LATER.fullmatch(said)
    if moved_by and not counts_people and (amount := _amount(moved_by["amount"])) is not None:
        sign = -1 if moved_by["way"] in ("earlier", "sooner", "before that", "forward") else 1
        new = held + sign * amount * (60 if moved_by["unit"].startswith("hour") else 1)
        return int(new) if new >= 1 and float(new).is_integer() else None
    if _HALF.fullmatch(said):
        return held // 2 if held >= 2 and held % 2 == 0 else None
    return held * 2 if _DOUBLE.fullmatch(said) else None


def _amount(said: str) -> float | None:
    fixed = {
        "a": 1,
        "an": 1,
        "another": 1,
        "half an": 0.5,
        "half a": 0.5,
        "a quarter of an": 0.25,
        "a couple of": 2,
    }.get(said)
    if fixed is not None:
        return fixed
    words = said.removeprefix("another ").split()
    numbers = find_numbers(words)
    return float(numbers[0].value) if len(numbers) == 1 and numbers[0].end - numbers[0].start == len(words) else None
