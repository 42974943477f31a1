"""`OneOfTwo`: yes or no, or the first or second option, read from an answer in whole sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, ratio
from agentaudio.evaluation.scorer import Ask
from agentaudio.evaluation.scorers.kinds import letter_of

_YES, _NO = ("yes", "true"), ("no", "false")
_ANSWERED = re.compile(r"\b(?:answer(?: to the question)?(?: is| would be)?(?: simply| directly)?|conclusion) "
                       r"(yes|no|true|false)\b")  # fmt: skip
_MEANT = re.compile(
    r"\b(?:(?P<yes>plausible|possible|starting (?:point|position)|where (?:you|we|i) (?:started|began)|"
    r"(?:tell|tells|telling) the truth)|(?P<no>implausible|impossible|unlikely|lies|lying|tells? (?:a|the) lie))\b"
)
"""What yes and no mean in the tasks: a sentence is plausible, a walk returns, a person tells the truth."""
_DENIED = re.compile(r"\b(?:not|never|cannot|hardly|(?:is|are|ca|can|does|do|did|have|has|wo|would)n? t)\b")
_OPTION = re.compile(r"\b(first|second) (?:option|sentence|one)\b")


@dataclass(frozen=True, slots=True)
class OneOfTwo:
    """The share of right answers to questions whose reference is Yes or No, or (A) or (B).

    An answer is read by the first of these that it has: "the answer is yes"; yes or no as its first or last word; or,
    in the last sentence that says so, what yes or no means in the tasks of VoiceBench's BBH: that something is
    plausible, that a walk returns to the start, that somebody tells the truth. What has none of them is wrong; nothing
    is guessed, while VoiceBench throws a coin.
    """

    needs_judge: bool = False
    name: str = "yes or no, or the option, read by rule"

    @property
    def measures(self) -> Sequence[Measure]:
        return [ratio("accuracy", "points", "items", binary=True)]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        wanted = item.reference.strip().strip("()").lower()
        found = option_of(answer.text) if wanted in ("a", "b") else yes_or_no(answer.text)
        right = float(found == wanted)
        return ItemScore(right, {"points": right, "items": 1}, answer.text, f"read as {found or 'neither'}")


def yes_or_no(text: str) -> str | None:
    """What an answer says: "yes", "no", or None."""
    said = _plain(text)
    if answered := _ANSWERED.search(said):
        return "yes" if answered[1] in _YES else "no"
    words = said.split()
    for word in (*words[:1], *words[-1:]):
        if word in (*_YES, *_NO):
            return "yes" if word in _YES else "no"
    for sentence in reversed(re.split(r"[.!?\n]+", text)):
        if meant := _meant(_plain(sentence)):
            return meant
    return None


def option_of(text: str) -> str | None:
    """The option that an answer chooses: "a", "b", or None."""
    if letter := letter_of(text, "AB"):
        return letter.lower()
    named = set(_OPTION.findall(_plain(text)))
    return {"first": "a", "second": "b"}[named.pop()] if len(named) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower().replace("’", "'")).split())


def _meant(sentence: str) -> str | None:
    """What the last phrase of a sentence means."""
    found = [*_MEANT.finditer(sentence)]
    if not found:
        return None
    start = found[-2].end() if len(found) > 1 else 0
    denied = _DENIED.search(sentence[start : found[-1].start()]) is not None
    return "no" if denied != bool(found[-1]["no"]) else "yes"
