"""Verdicts of judges: read from a reply by a rule, or left unparsed. An unparsed verdict is never a score."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

Parse = Callable[[str], float | None]
"""Reads the verdict from a reply; None when the reply has none, or more than one."""

_KEYS = ("score", "rating", "verdict", "answer", "result", "correct")
_NUMBER = re.compile(r"(?<![\w.,-])-?\d+(?:\.\d+)?(?![\w%])")
_WORD = re.compile(r"[a-z']+")
_FENCE = re.compile(r"\A\s*```\w*\s*(.*?)\s*```\s*\Z", re.DOTALL)
_DENIALS = {"not", "isn't", "never", "no", "cannot", "neither"}


def level(low: int, high: int) -> Parse:
    """The one whole number of a reply, from `low` to `high`; "4/5" and "4 out of 5" are 4.

    Of a JSON object only a field such as "score" is read.
    """
    scale = re.compile(rf"\s*(?:/|out of)\s*{high}\b")

    def parse(reply: str) -> float | None:
        text = _field(reply)
        if text is None:
            return None
        found = {float(number) for number in _NUMBER.findall(scale.sub("", text))}
        if len(found) != 1:
            return None
        (number,) = found
        return number if number.is_integer() and low <= number <= high else None

    return parse


def word(values: Mapping[str, float]) -> Parse:
    """The one of some words that a reply has, as a whole word in any case: "incorrect" is not "correct".

    A word that is denied, as in "not correct", is no verdict.
    """

    def parse(reply: str) -> float | None:
        text = _field(reply)
        said = _WORD.findall((text or "").lower())
        found = {one for one in said if one in values}
        if len(found) != 1:
            return None
        (verdict,) = found
        denied = any(
            before in _DENIALS and one == verdict and before not in values
            for before, one in zip(said, said[1:], strict=False)
        )
        return None if denied else values[verdict]

    return parse


def _field(reply: str) -> str | None:
    """The text that holds the verdict; None for a JSON object without one."""
    fenced = _FENCE.match(reply)
    text = fenced[1] if fenced else reply
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict):
        fields = [value[key] for key in value if str(key).lower() in _KEYS]
        if len(fields) != 1 or isinstance(fields[0], dict | list | None):
            return None
        return {True: "yes", False: "no"}[fields[0]] if isinstance(fields[0], bool) else str(fields[0])
    return None if isinstance(value, list) else text
