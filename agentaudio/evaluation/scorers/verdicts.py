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
_SENTENCE = re.compile(r"[^.!?;:\n]*[.!?;:\n]?")
_DENIALS = {"not", "never", "no", "cannot", "neither", "nor", "hardly", "without"}


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

    A word does not count as a verdict if it is denied earlier in its sentence ("I would not call it correct"), or asked
    ("Correct?").
    """

    def parse(reply: str) -> float | None:
        text = (_field(reply) or "").lower().replace("’", "'")
        found = {one for one in _WORD.findall(text) if one in values}
        if len(found) != 1:
            return None
        (verdict,) = found
        sentences = [one for one in _SENTENCE.findall(text) if verdict in _WORD.findall(one)]
        return None if any(_is_doubted(one, verdict, values) for one in sentences) else values[verdict]

    return parse


def _is_doubted(sentence: str, verdict: str, values: Mapping[str, float]) -> bool:
    said = _WORD.findall(sentence)
    before = said[: len(said) - 1 - said[::-1].index(verdict)]
    return sentence.endswith("?") or any(
        (one in _DENIALS or one.endswith("n't")) and one not in values for one in before
    )


class _Pairs(list[tuple[str, object]]):
    """The fields of a JSON object, of which two may have one name."""


def _field(reply: str) -> str | None:
    """The text that holds the verdict; None for a JSON object without one, and for one with two of them."""
    fenced = _FENCE.match(reply)
    text = fenced[1] if fenced else reply
    try:
        value = json.loads(text, object_pairs_hook=_Pairs)
    except ValueError:
        return text
    if isinstance(value, _Pairs):
        fields = [field for key, field in value if key.lower() in _KEYS]
        if len(fields) != 1 or isinstance(fields[0], list | None):
            return None
        return {True: "yes", False: "no"}[fields[0]] if isinstance(fields[0], bool) else str(fields[0])
    return None if isinstance(value, list) else text
