"""Spoken arithmetic as expressions: "fifteen percent of eighty" is 15/100*80."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.text.numbers import find_numbers

_SIGNS = {"+": "+", "-": "-", "*": "*", "/": "/", "x": "*", "×": "*", "÷": "/", "^": "**", "(": "(", ")": ")"}
_OPERATORS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("divided", "by"), "/"),
    (("multiplied", "by"), "*"),
    (("multiplied", "with"), "*"),
    (("to", "the", "power", "of"), "**"),
    (("raised", "to", "the", "power", "of"), "**"),
    (("to", "the", "power"), "**"),
    (("raised", "to"), "**"),
    (("times",), "*"),
    (("plus",), "+"),
    (("minus",), "-"),
    (("less",), "-"),
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
_LEADS = {"half of": "1/2*", "twice": "2*", "double": "2*", "a third of": "1/3*", "a quarter of": "1/4*"}
_VERBS = {
    "add": ("+", False, ("and", "to", "plus")),
    "sum": ("+", False, ("and",)),
    "multiply": ("*", False, ("by", "with", "and", "times")),
    "product": ("*", False, ("and",)),
    "divide": ("/", False, ("by", "through", "into")),
    "subtract": ("-", True, ("from",)),
    "take": ("-", True, ("from", "away")),
    "difference": ("-", False, ("and",)),
}


def expression(words: Sequence[str]) -> str | None:
    """The arithmetic in lower-case words as a Python expression; None when there is none.

    ["seventeen", "times", "twenty", "three"] is "17*23", "the square root of two" is "sqrt(2)",
    "subtract five from nine" is "9-5". A single number is not arithmetic.
    """
    tokens = _tokens(words)
    return _of_verb(words) or _longest_sum(tokens)


def _tokens(words: Sequence[str]) -> list[str]:
    """Words as numbers, operators, "sqrt", and "?" for anything else."""
    numbers = {number.start: number for number in find_numbers(words)}
    tokens: list[str] = []
    place = 0
    while place < len(words):
        lead = next((lead for lead in _LEADS if lead.split() == list(words[place : place + len(lead.split())])), None)
        if lead is not None:
            tokens.append(_LEADS[lead])
            place += len(lead.split())
            continue
        number = numbers.get(place)
        if number is not None:
            tokens.append(str(number.value))
            place = number.end
            continue
        for phrase, sign in (*_OPERATORS, *_PREFIXES):
            if tuple(words[place : place + len(phrase)]) == phrase:
                tokens.append(sign)
                place += len(phrase)
                break
        else:
            tokens.append(_SIGNS.get(words[place], "" if words[place] in ("the", "is") else "?"))
            place += 1
    return [token for token in tokens if token]


def _longest_sum(tokens: Sequence[str]) -> str | None:
    """The longest run of tokens in which numbers and operators alternate."""
    best: list[str] = []
    for start in range(len(tokens)):
        run = _sum_from(tokens, start)
        if len(run) > len(best):
            best = run
    text = "".join(best)
    return text if len(best) >= 2 and re.search(r"\d", text) else None


def _sum_from(tokens: Sequence[str], start: int) -> list[str]:
    run: list[str] = []
    good = 0
    wants_number = True
    root_open = False
    for token in tokens[start:]:
        if wants_number and token == "sqrt":
            run.append("sqrt(")
            root_open = True
        elif wants_number and token in _LEADS.values():
            run.append(token)
        elif wants_number and token == "-" and not root_open:
            run.append("-")
        elif wants_number and token[0].isdigit():
            run.append(f"{token})" if root_open else token)
            wants_number, root_open, good = False, False, len(run)
        elif not wants_number and token in ("**2", "**3", "/100", "/2", "*2"):
            run.append(token)
            good = len(run)
        elif not wants_number and token in ("+", "-", "*", "/", "**", "%", "/100*"):
            run.append(token)
            wants_number = True
        else:
            break
    return run[:good]


def _of_verb(words: Sequence[str]) -> str | None:
    """The expression of a verb with two numbers, such as "divide ninety by three" or "subtract two from ten"."""
    for place, word in enumerate(words):
        if word not in _VERBS:
            continue
        sign, swapped, joints = _VERBS[word]
        numbers = find_numbers(words[place + 1 :])
        if len(numbers) < 2:
            continue
        between = words[place + 1 + numbers[0].end : place + 1 + numbers[1].start]
        if not between or between[0] not in joints:
            continue
        values = [str(n.value) for n in numbers]
        if word in ("add", "sum"):
            return sign.join(values)
        first, second = values[:2]
        return f"{second}{sign}{first}" if swapped else f"{first}{sign}{second}"
    return None
