"""`ByKind`: benchmarks whose sets are scored in different ways, on one scale of points."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, Sums, ratio
from agentaudio.evaluation.scorer import Ask, Scorer

VOTES = ("asked votes", "unparsed", "failed")
"""Counts that all kinds share."""


@dataclass(frozen=True, slots=True)
class ByKind:
    """Scores an item by the scorer for its `details["kind"]`.

    The points of a group are the headline of its scorer, or the mean of the headlines by the number of their items.
    Further figures of a scorer have the kind in front of their names.
    """

    scorers: Mapping[str, Scorer] = field(hash=False)

    @property
    def name(self) -> str:
        return "points; " + "; ".join(f"{kind}: {scorer.name}" for kind, scorer in self.scorers.items())

    @property
    def needs_judge(self) -> bool:
        return any(scorer.needs_judge for scorer in self.scorers.values())

    @property
    def measures(self) -> Sequence[Measure]:
        further = [
            Measure(f"{kind}: {one.name}", partial(_of_kind, one, kind), f"{kind}: {one.per}", one.binary,
                    one.lower_is_better)
            for kind, scorer in self.scorers.items() for one in scorer.measures[1:] if one.per not in VOTES
        ]  # fmt: skip
        return [
            Measure("points", self._points, "items"),
            *further,
            ratio("unparsed votes", "unparsed", "asked votes", lower_is_better=True, binary=True),
            ratio("failed votes", "failed", "asked votes", lower_is_better=True, binary=True),
        ]

    def _points(self, sums: Sums) -> NDArray[np.float64]:
        total = np.zeros_like(sums["items"])
        for kind, scorer in self.scorers.items():
            number = sums.get(f"{kind}: items")
            if number is not None:
                total += np.where(number > 0, number * _of_kind(scorer.measures[0], kind, sums), 0.0)
        return total / np.where(sums["items"] > 0, sums["items"], np.nan)

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        kind = str(item.details.get("kind", ""))
        if kind not in self.scorers:
            return ItemScore(None, shown=answer.text, why=f"no scorer for {kind!r}", problem="no scorer")
        score = await self.scorers[kind].score(item, answer, ask)
        votes = {name: count for name, count in score.counts.items() if name in VOTES}
        if score.value is None:
            return replace(score, counts=votes)
        own = {f"{kind}: {name}": count for name, count in score.counts.items() if name not in VOTES}
        return replace(score, counts={**votes, **own, "items": 1})


def _of_kind(measure: Measure, kind: str, sums: Sums) -> NDArray[np.float64]:
    """A measure of the items of one kind."""
    start = f"{kind}: "
    return measure.of({name.removeprefix(start): one for name, one in sums.items() if name.startswith(start)})


@dataclass(frozen=True, slots=True)
class Repeated:
    """URO-Bench's Repeat: an answer with a word error rate up to one half has the points 1 - WER, others none.

    The mean of these points is the published figure: the share of such answers, times 1 less their mean WER.
    """

    scorer: Scorer
    needs_judge: bool = False

    @property
    def name(self) -> str:
        return f"1 - WER up to a WER of 0.5, by {self.scorer.name}"

    @property
    def measures(self) -> Sequence[Measure]:
        return [ratio("points", "points", "items")]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        score = await self.scorer.score(item, answer, None)
        value = score.value if score.value is not None and score.value >= 0.5 else 0.0
        return ItemScore(value, {"points": value, "items": 1}, score.shown, score.why)


@dataclass(frozen=True, slots=True)
class Letter:
    """The letter of a choice: the only capital letter from A on that stands alone in the answer, or is marked as the
    answer. An answer without one is wrong; nothing is guessed.
    """

    letters: str = "ABCDE"
    needs_judge: bool = False
    name: str = "the letter of the answer"

    @property
    def measures(self) -> Sequence[Measure]:
        return [ratio("accuracy", "points", "items", binary=True)]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        found = letter_of(answer.text, self.letters)
        right = float(found == item.reference.strip().upper()[:1])
        return ItemScore(right, {"points": right, "items": 1}, answer.text, f"read as {found or 'no letter'}")


def letter_of(text: str, letters: str) -> str | None:
    """The chosen letter; None when there is none, or several."""
    small = letters.lower().replace("a", "")
    letter = rf"([{letters}{small}]\b|a(?=\s*[.,:;)\]]|\s*\Z))"  # "a" may be the article
    linked = r"\W+(?i:is\W+|would be\W+|option\W+)*"
    opening = rf"\A\s*\(?([{letters.lower()}])(?:[.,:)]|\s*\Z)"
    marks = (rf"(?i:answer){linked}{letter}", rf"(?i:option|choice){linked}{letter}", opening)
    marked = [letter.upper() for letter in next(filter(None, (re.findall(mark, text) for mark in marks)), [])]
    alone = marked or re.findall(rf"(?<![\w'’])([{letters}])(?![\w'’])", text)
    if len(alone) > 1 and "A" in alone and not marked:
        # "A" may be the article: it only counts before punctuation, "or", "and" and the end.
        alone = [one for one in alone if one != "A"] + re.findall(
            r"(?<![\w'’])(A)(?=\s*[.,:;)\]]|\s*\Z|\s+(?:or|and)\b)", text
        )
    return alone[0] if len(set(alone)) == 1 else None
