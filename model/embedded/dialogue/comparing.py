"""`compared`: what the numbers of earlier answers say: "which of the two is longer?", "is that more than 100?"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentaudio.conversation import ToolCall
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.numbers import find_numbers, parse_number
from agentaudio.text.words import split_words

_OPENING = r"(?:(?:and|so|but|okay|ok|then|now|hm+|oh|well) )*"
_MORE = (
    "warmer hotter bigger larger longer taller higher heavier deeper wider farther further faster greater more milder"
)
_LESS = "colder cooler smaller shorter lower lighter nearer closer shallower narrower slower less fewer chillier"
_WAYS = dict.fromkeys(_MORE.split(), 1) | dict.fromkeys(_LESS.split(), -1)
_MOST = {f"{how.removesuffix('r')}st": way for how, way in _WAYS.items() if how.endswith("er")}
_WHICH_MOST = re.compile(
    rf"{_OPENING}(?:which|what|where)(?: one| "
    r"city| place| of (?:the|those|these) (?:two|three)| of (?:them|those|these))?"
    rf"(?: is| was| are)?(?: it)?(?: the)? (?P<how>{'|'.join(_MOST)})(?: one| of (?:them|those|all|these)| there| now)*"
)
_WHICH = re.compile(
    rf"{_OPENING}(?:which|what|who|where)(?: one| city| place| river| tower| bridge| planet| animal| thing| of "
    rf"(?:the|those|these) two| "
    rf"of (?:them|those|these|both))?(?: is| was| has| are)?(?: it| the)? (?P<how>{'|'.join(_WAYS)})(?: one)?"
    r"(?: (?:then|now|of the two|of them|of those|out of the two|today|there))*"
)
_THAN = re.compile(
    rf"{_OPENING}(?:is|was|are) (?:that|it|this|they|the result|the answer|the sum|the total) "
    rf"(?P<how>{'|'.join(_WAYS)}|over|under|above|below)(?: than)? (?P<number>[\w.,]+(?: [\w.]+){{0,3}}?)"
    r"(?: (?:degrees|meters|kilometers|miles|feet|years|tons|people))?(?: then)?"
)
_UNITS = {
    "degrees": 1.0, "degree": 1.0, "kilometers": 1000.0, "meters": 1.0, "miles": 1609.344, "feet": 0.3048,
    "tons": 1000.0, "kilograms": 1.0, "years": 1.0, "hours": 1.0,
}  # fmt: skip
_KINDS = {"degree": "degrees", "kilometers": "meters", "miles": "meters", "feet": "meters", "tons": "kilograms"}
_TURNS_BACK = 4


@dataclass(frozen=True, slots=True)
class _Quantity:
    """name: what it is the quantity of; said: in the words of the answer; kind: of unit; size: in that kind"""

    name: str
    said: str
    kind: str
    size: float


def compared(said: str, past: Sequence[PastTurn]) -> str | None:
    """The reply to a request to compare what earlier answers gave; None for another request.

    said: in the words of `split_words`, joined by spaces
    """
    if (match := _THAN.fullmatch(said)) is not None:
        return _than(match["how"], parse_number(match["number"]), past)
    if (match := _WHICH_MOST.fullmatch(said)) is not None:
        return _most(match["how"], past)
    if (match := _WHICH.fullmatch(said)) is None:
        return None
    found = [quantity for turn in past[-_TURNS_BACK:] for quantity in _quantities(turn)]
    last = {quantity.name: quantity for quantity in found if quantity.kind == found[-1].kind}
    one, other = list(last.values())[-2:] if len(last) > 1 else (None, None)
    if one is None or other is None:
        return None
    if one.size == other.size:
        return f"Neither: both have {one.said}."
    first, second = sorted((one, other), key=lambda quantity: quantity.size, reverse=_WAYS[match["how"]] > 0)
    return f"{first.name[0].upper()}{first.name[1:]}, with {first.said} against {second.said}."


def _most(how: str, past: Sequence[PastTurn]) -> str | None:
    """The largest or smallest of the quantities that tools gave; facts that were searched for are not compared."""
    turns = [turn for turn in past[-_TURNS_BACK:] if not any(output.passages for output in turn.outputs)]
    found = [quantity for turn in turns for quantity in _quantities(turn)]
    last = {quantity.name: quantity for quantity in found if quantity.kind == found[-1].kind}
    if len(last) < 2:
        return None
    best = max(last.values(), key=lambda quantity: quantity.size * _MOST[how])
    return f"{best.name[0].upper()}{best.name[1:]}, with {best.said}."


def _than(how: str, limit: float | None, past: Sequence[PastTurn]) -> str | None:
    numbers = re.findall(r"-?\d[\d,]*(?:\.\d+)?", past[-1].answer) if past else []
    if limit is None or not numbers:
        return None
    value = float(numbers[-1].replace(",", ""))
    way = {"over": 1, "above": 1, "under": -1, "below": -1}.get(how) or _WAYS[how]
    relation = "more" if value > limit else "less"
    right = value != limit and (value > limit) == (way > 0)
    if value == limit:
        return f"No, it is exactly {numbers[-1]}."
    return f"{'Yes' if right else 'No'}, {numbers[-1]} is {relation} than {limit:g}."


def _quantities(turn: PastTurn) -> Iterator[_Quantity]:
    """The first quantity with a unit that each call of a turn gave."""
    for call, output in zip(turn.calls, turn.outputs, strict=False):
        text = turn.answer if output.passages else output.text
        words = split_words(text)
        for number in find_numbers(words):
            unit = words[number.end] if number.end < len(words) else ""
            if unit not in _UNITS:
                continue
            below = words[number.end + 1 : number.end + 3] == ["below", "zero"]
            size = float(number.value) * _UNITS[unit] * (-1 if below else 1)
            number_said = " ".join(words[number.start : number.end])
            spoken = f"{number_said} {unit}{' below zero' if below else ''}"
            yield _Quantity(_name(call, turn), spoken, _KINDS.get(unit, unit), size)
            break


def _name(call: ToolCall, turn: PastTurn) -> str:
    titles = [passage.title for output in turn.outputs for passage in output.passages if passage.title]
    if titles:
        quoted = set(split_words(turn.answer))
        named = [title for title in titles if quoted.issuperset(split_words(title))]
        return (named or titles)[0]
    values = [value for value in call.arguments.values() if isinstance(value, str)]
    return values[0].rpartition("/")[2].replace("_", " ").title() if values else "it"
