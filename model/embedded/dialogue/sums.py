"""`next_sum`: arithmetic that goes on from the last result: "plus 5", "double that", "and half of it"."""

from __future__ import annotations

import re

from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.arithmetic import expression
from agentaudio.text.numbers import parse_number

SUM_TOOL = "calculate"

_OPERATOR = re.compile(
    r"^(?:(?:and|then|now|okay|please|what is|what about) )*"
    r"(?P<operator>plus|minus|times|divided by|multiplied by|over|add|subtract|"
    r"multiply (?:it |that )?by|divide (?:it |that )?by|take away|squared|cubed|percent of|to the power of)\b ?"
    r"(?:it |that )?(?P<rest>.*)$"
)
_DEEDS = {"add": "plus", "subtract": "minus", "take away": "minus", "multiply by": "times", "multiplied by": "times",
          "divide by": "divided by", "over": "divided by"}  # fmt: skip
_RESULT = r"(?:that|it|this|the (?:result|answer|sum|total))"
_VERBS = (
    (rf"\btriple {_RESULT}\b", "3 times {}"),
    (rf"\bhalve {_RESULT}\b|\bhalf (?:of )?{_RESULT}\b", "{} divided by 2"),
    (rf"(?<!the )\bsquare {_RESULT}\b", "{} squared"),
    (rf"(?<!the )\bcube {_RESULT}\b", "{} cubed"),
    (rf"\b{_RESULT}\b", "{}"),
)


def next_sum(said: str, before: PastTurn) -> str | None:
    """The whole sum of a request that leaves out the result before; None for another request.

    said: in the words of `split_words`, joined by spaces
    """
    result = next((output.text for output in reversed(before.outputs) if output.name == SUM_TOOL), None)
    if result is None or not (numbers := re.findall(r"-?\d[\d,]*(?:\.\d+)?", result)):
        return None
    last = numbers[-1].replace(",", "")
    return _from_operator(said, last) or _from_pronoun(said, last)


def _from_operator(said: str, last: str) -> str | None:
    match = _OPERATOR.match(said)
    if match is None:
        return None
    operator = re.sub(r" (?:it|that)\b", "", match["operator"])
    operator = _DEEDS.get(operator, operator)
    rest = re.sub(r" (?:to|from|by) (?:it|that|the result)$| to it$| please$", "", match["rest"]).strip()
    if operator == "percent of" or (not rest and operator not in ("squared", "cubed")):
        return None
    if operator in ("plus", "minus") and (share := re.fullmatch(r"(.+?) ?(?:percent|%)", rest)):
        # "plus 20 percent" adds a share of the result.
        percent = parse_number(share[1])
        if percent is not None:
            return f"what is {last} times {1 + (percent if operator == 'plus' else -percent) / 100:g}"
    return f"what is {last} {operator} {rest}".strip()


def _from_pronoun(said: str, last: str) -> str | None:
    for pattern, written in _VERBS:
        whole, found = re.subn(pattern, written.format(last), said, count=1)
        if found:
            words = re.sub(r"^(?:(?:and|then|now|okay|please|what is|what about) )+", "", whole)
            return f"what is {words}" if expression(words.split()) else None
    return None
