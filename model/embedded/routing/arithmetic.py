"""Spoken arithmetic as expressions: "fifteen percent of eighty" is 15/100*80."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from agentaudio.model.embedded.routing.word_problems import told_sum
from agentaudio.text.numbers import find_numbers

_PASSED_OVER = frozenset("the is euro euros dollar dollars pound pounds bucks cents".split())
"""Words between a number and an operator that change nothing."""
_SIGNS = {"+": "+", "-": "-", "*": "*", "/": "/", "x": "*", "×": "*", "÷": "/", "^": "**", "(": "(", ")": ")"}
_OPERATORS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("divided", "by"), "/"),
    (("divided", "for"), "/"),
    (("multiplied", "for"), "*"),
    (("multiplied", "by"), "*"),
    (("multiplied", "with"), "*"),
    (("to", "the", "power", "of"), "**"),
    (("raised", "to", "the", "power", "of"), "**"),
    (("to", "the", "power"), "**"),
    (("raised", "to"), "**"),
    *(((deed, word), "/") for deed in ("shared", "split", "divided") for word in ("by", "between", "among", "into")),
    (("added", "to"), "+"),
    (("times",), "*"),
    (("plus",), "+"),
    (("minus",), "-"),
    (("less",), "-"),
    (("take", "away"), "-"),
    (("over",), "/"),
    (("modulo",), "%"),
    (("squared",), "**2"),
    (("cubed",), "**3"),
    (("percent", "of"), "/100*"),
    (("per", "cent", "of"), "/100*"),
    (("percent",), "/100"),
    (("%", "of"), "/100*"),
    (("%",), "/100"),
    (("halved",), "/2"),
    (("doubled",), "*2"),
)
_PREFIXES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("square", "root", "of"), "sqrt"),
    (("square", "root"), "sqrt"),
    (("root", "of"), "sqrt"),
)
_OTHER_ROOTS = frozenset("third cube cubic fourth fifth nth".split())
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
          "tenth": 10, "twentieth": 20, "hundredth": 100}  # fmt: skip
PART = rf"(?:(?P<count>a|an|one|two|three|four|five|six|seven|eight|nine) )?(?P<part>{'|'.join(_PARTS)}|halve)s?"
"""A fraction in words: "a tenth", "two thirds", "half"."""
_PART_OF = re.compile(rf"{PART} of ")
_COUNTS = {word: number for number, word in enumerate("one two three four five six seven eight nine".split(), 1)}
_LISTED = re.compile(
    r"(?:(?:and|so|okay|then|now|please) )*(?:how much (?:is|are|does|do)|what (?:is|are|does|do)|add up|total|tot up|"
    r"sum up) (?:the sum of )?[\w. ]+?(?: (?:together|altogether|make|come to|in all|in total|please))*"
)
_POWERS = {"square": "**2", "cube": "**3"}
_DOUBLED = {"twice": "2*", "double": "2*", "triple": "3*"}
_LEAD = re.compile(r"\d+(?:/\d+)?\*")
_SIGNS_BY_WORD = {
    first: [(phrase, sign) for phrase, sign in (*_OPERATORS, *_PREFIXES) if phrase[0] == first]
    for first in {phrase[0] for phrase, _ in (*_OPERATORS, *_PREFIXES)}
}
_VERBS = {
    "add": ("+", False, ("and", "to", "plus")),
    "sum": ("+", False, ("and",)),
    "multiply": ("*", False, ("by", "with", "and", "times")),
    "product": ("*", False, ("and",)),
    "divide": ("/", False, ("by", "through", "into", "between", "among")),
    "split": ("/", False, ("by", "into", "between", "among")),
    "share": ("/", False, ("by", "between", "among")),
    "subtract": ("-", True, ("from",)),
    "take": ("-", True, ("from", "away")),
    "difference": ("-", False, ("and",)),
}


def part_of_one(match: re.Match[str]) -> str:
    """The fraction that PART matched: "2/3" for "two thirds"."""
    return f"{_COUNTS.get(match['count'] or '', 1)}/{_PARTS['half' if match['part'] == 'halve' else match['part']]}"


def expression(words: Sequence[str]) -> str | None:
    """The arithmetic in lower-case words as a Python expression; None when there is none.

    ["seventeen", "times", "twenty", "three"] is "17*23", "the square root of two" is "sqrt(2)",
    "subtract five from nine" is "9-5", and so is a sum that is told as a story (`told_sum`). A single number is
    not arithmetic.
    """
    tokens = _tokens(words)
    summed = _average(words) or _listed(words) or _of_verb(words) or _longest_sum(tokens)
    if summed is None or re.fullmatch(r"-?[\d.]+(?:/100)?", summed):
        return told_sum(words) or summed  # "a 15 percent tip on a bill of 90"
    return summed


def _tokens(words: Sequence[str]) -> list[str]:
    """Words as numbers, operators, "sqrt", and "?" for anything else."""
    numbers = {number.start: number for number in find_numbers(words)}
    tokens: list[str] = []
    place = 0
    while place < len(words):
        if (part := _PART_OF.match(" ".join(words[place : place + 4]))) is not None:
            tokens.append(f"{part_of_one(part)}*")
            place += part[0].count(" ")
            continue
        if words[place] in _DOUBLED:
            tokens.append(_DOUBLED[words[place]])
            place += 1
            continue
        if words[place] in _POWERS and words[place + 1 : place + 2] == ["of"] and place + 2 in numbers:
            tokens += [str(numbers[place + 2].value), _POWERS[words[place]]]
            place = numbers[place + 2].end
            continue
        if words[place] in _OTHER_ROOTS and words[place + 1 : place + 2] == ["root"]:
            tokens.append("?")
            place += 2
            continue
        number = numbers.get(place)
        if number is not None:
            tokens.append(str(number.value))
            place = number.end
            continue
        for phrase, sign in _SIGNS_BY_WORD.get(words[place], ()):
            if phrase == ("take", "away") and not (tokens and tokens[-1][0].isdigit()):
                continue  # "take away the plates, all nine"
            if tuple(words[place : place + len(phrase)]) == phrase:
                tokens.append(sign)
                place += len(phrase)
                break
        else:
            tokens.append(_SIGNS.get(words[place], "" if words[place] in _PASSED_OVER else "?"))
            place += 1
    return [token for token in tokens if token]


def _longest_sum(tokens: Sequence[str]) -> str | None:
    """The longest run of tokens in which numbers and operators alternate."""
    # From the right, for each state that a run can be in: how many tokens of tokens[start:] a run takes.
    taken = dict.fromkeys(_STATES, 0)
    best, longest = 0, 0
    for start in range(len(tokens) - 1, -1, -1):
        before, taken = taken, {}
        for state in _STATES:
            step = _step(tokens[start], state)
            rest = 0 if step is None else before[step.state]
            taken[state] = 1 + rest if step is not None and (rest or step.complete) else 0
        if taken[_BEGIN] >= longest:
            best, longest = start, taken[_BEGIN]
    state, text = _BEGIN, ""
    for token in tokens[best : best + longest]:
        step = _step(token, state)
        assert step is not None
        text, state = text + step.written, step.state
    return text if longest >= 2 and re.search(r"\d", text) else None


class _State(Enum):
    """What a run of tokens may go on with."""

    NUMBER = auto()
    NUMBER_OF_ROOT = auto()
    OPERATOR = auto()


@dataclass(frozen=True, slots=True)
class _Step:
    """complete: whether the run may end with this token"""

    written: str
    state: _State
    complete: bool = False


_STATES = tuple(_State)
_BEGIN = _State.NUMBER


def _step(token: str, state: _State) -> _Step | None:
    """How a run goes on with the token; None when it cannot."""
    if state is _State.OPERATOR:
        if token in ("**2", "**3", "/100", "/2", "*2"):
            return _Step(token, state, complete=True)
        return _Step(token, _State.NUMBER) if token in ("+", "-", "*", "/", "**", "%", "/100*") else None
    in_root = state is _State.NUMBER_OF_ROOT
    if token == "sqrt":
        return None if in_root else _Step("sqrt(", _State.NUMBER_OF_ROOT)
    if _LEAD.fullmatch(token) or (token == "-" and not in_root):
        return _Step(token, state)
    if token[0].isdigit():
        return _Step(f"{token})" if in_root else token, _State.OPERATOR, complete=True)
    return None


def _listed(words: Sequence[str]) -> str | None:
    """The sum of "how much is 35 and 48 and 17"."""
    match = _LISTED.fullmatch(" ".join(words))
    numbers = find_numbers(words)
    between = [list(words[one.end : other.start]) for one, other in pairwise(numbers)]
    if (
        match is None
        or len(numbers) < 2
        or ["and"] not in between
        or any(part not in ([], ["and"]) for part in between)
    ):
        return None
    return "+".join(str(number.value) for number in numbers)


def _average(words: Sequence[str]) -> str | None:
    """The expression of "the average of 14, 17 and 20"."""
    place = next((place for place, word in enumerate(words) if word in ("average", "mean")), None)
    if place is None or not {"of", "between"}.intersection(words[place + 1 :]):
        return None
    values = [str(number.value) for number in find_numbers(words) if number.start > place]
    return f"({'+'.join(values)})/{len(values)}" if len(values) > 1 else None


def _of_verb(words: Sequence[str]) -> str | None:
    """The expression of a verb with two numbers, such as "divide ninety by three" or "subtract two from ten"."""
    numbers = find_numbers(words)
    starts = [number.start for number in numbers]
    for place, word in enumerate(words):
        if word not in _VERBS:
            continue
        sign, swapped, joints = _VERBS[word]
        following = bisect(starts, place)
        if len(numbers) - following < 2:
            return None
        one, other = numbers[following], numbers[following + 1]
        # "split 90 euros between three"
        counted = word in ("split", "share", "divide") and other.start == one.end + 2
        listed = word in ("add", "sum") and any(joint in words[one.end : numbers[-1].start] for joint in joints)
        if not listed and (one.end == other.start or words[one.end + counted] not in joints):
            continue
        if word in ("add", "sum"):
            return sign.join(str(number.value) for number in numbers[following:])
        first, second = (other, one) if swapped else (one, other)
        return f"{first.value}{sign}{second.value}"
    return None
