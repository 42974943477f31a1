"""Verdicts of judges: read from a reply by a rule, or left unparsed. An unparsed verdict is never a score."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

Parse = Callable[[str], float | None]
"""Reads the verdict from a reply; None when the reply has none, or more than one."""

_KEYS = ("score", "rating", "verdict", "answer", "result", "correct")
_NUMBER = re.compile(r"(?<![\w.,-])-?\d+(?:\.\d+)?(?!\w|\s?%|[.-]\d)")
_WORD = re.compile(r"[a-z']+")
_FENCE = re.compile(r"\A\s*```\w*\s*(.*?)\s*```\s*\Z", re.DOTALL)
_SENTENCE = re.compile(r"[^.!?;:\n]*[.!?;:\n]?")
_CLAUSE = re.compile(r"(?:[^.,!?;:\n–—]|(?<=\d)[.,](?=\d))*[.,!?;:\n–—]?")
_DENIALS = {"not", "never", "no", "cannot", "neither", "nor", "hardly", "without"}
_HEDGES = {"whether", "unclear", "unsure", "partially", "partly", "barely", "nearly", "almost", "mostly", "somewhat"}
_DETERMINER = re.compile(
    r"\bno(?=[ \t]+[a-z])(?![ \t]+(?:it|its|the|this|that|these|those|they|he|she|we|you|i|there|because|since|as|for|"
    r"and|but|so)\b)"
)
"""The "no" of "no idea" and "no response", which is not a verdict."""
_NO_AFTER = re.compile(r"\W*[:=]\W*(?:no|not|false|never|0)\s*(?:[.,;!\n]|\Z)")
_OBJECT = json.JSONDecoder(object_pairs_hook=lambda pairs: _Pairs(pairs))


def level(low: int, high: int) -> Parse:
    """The one whole number of a reply, from `low` to `high`; "4/5" and "4 out of 5" are 4.

    Of a JSON object only a field such as "score" is read. A number does not count as a verdict if it is denied earlier
    in its clause ("I would not give it a 5"), asked ("4?"), or an end of a range ("3-4").
    """
    scale = re.compile(rf"\s*(?:/|out of)\s*{high}\b")

    def parse(reply: str) -> float | None:
        text = scale.sub("", _read(reply))
        found = {float(number) for number in _NUMBER.findall(text)}
        if len(found) != 1 or any(_is_doubted(one, _NUMBER) for one in _CLAUSE.findall(text) if _NUMBER.search(one)):
            return None
        (number,) = found
        return number if number.is_integer() and low <= number <= high else None

    return parse


def word(values: Mapping[str, float]) -> Parse:
    """The one of some words that a reply has, as a whole word in any case: "incorrect" is not "correct".

    A word does not count as a verdict if it is denied or hedged earlier in its sentence ("I would not call it correct",
    "partially correct"), denied as a label ("Correct: no"), or asked ("Correct?").
    """

    def parse(reply: str) -> float | None:
        text = _read(reply).lower().replace("’", "'")
        if "no" in values:
            text = _DETERMINER.sub("not", text)
        found = {one for one in _WORD.findall(text) if one in values}
        if len(found) != 1:
            return None
        (verdict,) = found
        whole = re.compile(rf"(?<![a-z']){verdict}(?![a-z'])")
        if verdict not in _DENIALS and any(_NO_AFTER.match(text, one.end()) for one in whole.finditer(text)):
            return None
        sentences = [one for one in _SENTENCE.findall(text) if whole.search(one)]
        return None if any(_is_doubted(one, whole) for one in sentences) else values[verdict]

    return parse


def _is_doubted(phrase: str, verdict: re.Pattern[str]) -> bool:
    """Whether a phrase asks, or denies or hedges a verdict before it gives it for the last time."""
    *_, last = verdict.finditer(phrase)
    before = _WORD.findall(verdict.sub(" ", phrase[: last.start()].lower()))
    return phrase.endswith("?") or any(one in _DENIALS | _HEDGES or one.endswith("n't") for one in before)


class _Pairs(list[tuple[str, object]]):
    """The fields of a JSON object, of which two may have one name."""


def _read(reply: str) -> str:
    """The text of a reply, in which the field for the verdict stands in the place of each JSON object.

    An object without such a field leaves nothing. A reply that is a list, or with an object that has several such
    fields, is "".
    """
    fenced = _FENCE.match(reply)
    text = fenced[1] if fenced else reply
    if _is_list(text):
        return ""
    read, kept, start = "", 0, text.find("{")
    while start >= 0:
        try:
            value, end = _OBJECT.raw_decode(text, start)
        except RecursionError:
            return ""
        except ValueError:
            end = start + 1
        else:
            fields = [field for key, field in value if key.lower() in _KEYS]
            if len(fields) > 1:
                return ""
            read, kept = f"{read}{text[kept:start]}\n{_shown(fields[0]) if fields else ''}\n", end
        start = text.find("{", end)
    return read + text[kept:]


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _shown(field: object) -> str:
    if isinstance(field, bool):
        return "yes" if field else "no"
    return "" if isinstance(field, list | None) else str(field)
