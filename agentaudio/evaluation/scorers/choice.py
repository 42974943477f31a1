"""`WordChoice`: multiple choice by MMAU's rule of word sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, ratio
from agentaudio.evaluation.scorer import Ask

_WORD = re.compile(r"\b\w+\b")
_RESPONSE = re.compile(r"<RESPONSE>(.*?)(?:</RESPONSE>|\Z)", re.DOTALL | re.IGNORECASE)


def is_right(answer: str, reply: str, choices: Iterable[str]) -> bool:
    """Whether a reply chooses the answer: it has all words of it, and no word that only wrong choices have.

    Case does not matter. Source: the scoring of MMAU, `evaluation.py` in its repository.
    """
    wanted, said = words(answer), words(reply)
    wrong = set().union(*(words(choice) for choice in choices if words(choice) != wanted)) - wanted
    return bool(said) and wanted <= said and not said & wrong


def words(text: str) -> set[str]:
    """The words of a text, in lower case."""
    return set(_WORD.findall(text.lower()))


@dataclass(frozen=True, slots=True)
class WordChoice:
    """The share of right choices. `Item.details["choices"]` lists the choices.

    Only the text in a RESPONSE tag is read, where the reply has one. A reply that chooses nothing is wrong.
    """

    name: str = "MMAU's rule of word sets, on the text of the RESPONSE tag"
    needs_judge: bool = False

    @property
    def measures(self) -> Sequence[Measure]:
        return [ratio("accuracy", "right", "items", binary=True)]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        tagged = _RESPONSE.search(answer.text)
        reply = (tagged[1] if tagged else answer.text).strip()
        right = is_right(item.reference, reply, item.details.get("choices", ()))
        return ItemScore(float(right), {"right": float(right), "items": 1}, reply, "right" if right else "wrong")
