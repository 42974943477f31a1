"""Finds the values of enum parameters in a request."""

from __future__ import annotations

import difflib
import functools
import itertools
import re
from collections.abc import Sequence
from typing import Any

from agentaudio.model.embedded.routing.parameters import Parameter
from agentaudio.text.numbers import FoundNumber
from agentaudio.text.stems import stem
from agentaudio.text.words import split_words

TARGETS = frozenset("to into target goal destination until end arrival finish receiver recipient".split())
SOURCES = frozenset("from source origin start since departure begin sender".split())
_CUES = {
    "off": re.compile(
        r"\b(?:kill|douse|(?:shut|turn|put|cut)(?: \w+){0,4} out|shut(?: \w+){0,3} down|no more|no need for|"
        r"(?:do not|don't) need|extinguish|cut|lights out|disable|deactivate|make \w+ dark|dark please|"
        r"too bright|too light|blinding)\b"
    ),
    "on": re.compile(
        r"\b(?:there be light|(?:get|hit) the lights?|light up|lit|brighten|(?:is|it's) (?:too |so |very |pitch "
        r")?dark|make \w+ bright|enable|activate|"
        r"(?:can|could) not see|some light|bright)\b"
    ),
}
"""What says a choice in other words, by the choice."""
_IRREGULAR = {
    "foot": "feet",
    "feet": "feet",
    "inch": "inches",
    "metre": "meter",
    "metres": "meters",
    "km": "kilometers",
    "kms": "kilometers",
    "m": "meters",
    "ft": "feet",
    "mi": "miles",
    "cm": "centimeters",
    "kilometre": "kilometers",
    "kilometres": "kilometers",
    "klicks": "kilometers",
}


def choose(
    words: Sequence[str], wanted: Sequence[Parameter], numbers: Sequence[FoundNumber], taken: Sequence[bool]
) -> dict[str, Any]:
    """The choice of each enum parameter by name; a word is used for one parameter only.

    The word before a choice ("to kilometers", "from berlin") decides between parameters with the same choices.

    numbers: numbers given to other parameters; the word after one ("ten miles") is its unit
    taken: the words that other parameters have
    """
    enums = [parameter for parameter in wanted if parameter.choices]
    options = [[*_found(words, parameter, taken), None] for parameter in enums]
    best: dict[str, Any] = {}
    best_score = 0.0
    for combination in itertools.islice(itertools.product(*options), 5000):
        places = [item[0] for item in combination if item is not None]
        if len(set(places)) < len(places):
            continue
        score = sum(
            item[2] + _hint(words, item[0], parameter, numbers)
            for item, parameter in zip(combination, enums, strict=True)
            if item is not None
        )
        if score > best_score:
            best_score = score
            best = {p.name: item[1] for item, p in zip(combination, enums, strict=True) if item is not None}
    return best


def is_spelling(word: str, choice: str) -> bool:
    """Whether a word is another form of the word of a choice: "foot" of "feet", "mile" of "miles"."""
    return _likeness(word, choice) >= 0.9


def _found(words: Sequence[str], parameter: Parameter, taken: Sequence[bool]) -> list[tuple[int, Any, float]]:
    """(position, choice, score) of the choices found in the words, the best eight."""
    found: list[tuple[int, Any, float]] = []
    if set(parameter.choices) == set(_CUES):
        text = " ".join(words)
        for choice, cue in _CUES.items():
            if match := cue.search(text):
                found.append((text[: match.start()].count(" "), choice, 1.5))
    for choice in parameter.choices:
        said = split_words(str(choice).replace("_", " "))
        if not said:
            continue
        for place in range(len(words) - len(said) + 1):
            if any(taken[place : place + len(said)]):
                continue
            likeness = min(_likeness(a, b) for a, b in zip(words[place : place + len(said)], said, strict=True))
            if likeness > 0:
                # In "turn on the light off" the later word counts.
                found.append((place, choice, 1 + likeness + 0.01 * place))
    return sorted(found, key=lambda item: -item[2])[:8]


@functools.lru_cache(maxsize=4096)
def _likeness(word: str, wanted: str) -> float:
    word, wanted = _IRREGULAR.get(word, word), _IRREGULAR.get(wanted, wanted)
    if word == wanted:
        return 1.0
    if len(wanted) > 3 and stem(word) == stem(wanted):
        return 0.9
    # Words of very different lengths cannot be 80 % alike, and comparing a very long one takes time.
    if len(wanted) > 4 and len(word) > 3 and len(word) <= 1.5 * len(wanted) <= 2.25 * len(word):
        likeness = difflib.SequenceMatcher(None, word, wanted).ratio()
        return likeness - 0.3 if likeness >= 0.8 else 0.0
    return 0.0


def _hint(words: Sequence[str], place: int, parameter: Parameter, numbers: Sequence[FoundNumber]) -> float:
    before = words[place - 1] if place else ""
    name = set(parameter.name.lower().split("_"))
    counted = any(number.end == place for number in numbers)
    score = 0.0
    if name & TARGETS:
        score += 0.6 * (before in ("to", "into", "in", "many", "much")) - 0.6 * counted
    elif name & SOURCES:
        score += 0.6 * (before == "from")
    else:
        score += 0.6 * counted + 0.1 * (before in name)
    return score
