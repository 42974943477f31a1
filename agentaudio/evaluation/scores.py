"""`Scores`: the scores of a run, in memory that does not grow with their number beyond a few numbers each."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from agentaudio.evaluation.item import Item
from agentaudio.evaluation.measures import ItemScore
from agentaudio.evaluation.tally import Counts, Tally

MOST = 2_000
"""Scores that are kept with their words, the worst of all."""
_NO_COUNTS: Mapping[str, float] = MappingProxyType({})
SPARE = 200
"""Scores beyond MOST that are collected before the best of them are dropped."""


@dataclass(frozen=True, slots=True)
class Record:
    """The score of the answer to an item under one seed, without its counts."""

    item: Item
    seed: int
    score: ItemScore

    @property
    def key(self) -> str:
        """Of the answer in the ledger."""
        return answer_key(self.item, self.seed)


def answer_key(item: Item, seed: int) -> str:
    """Key of an answer in the ledger."""
    return f"{item.id}#{seed}"


class Scores:
    """Collects scores in any order, and gives them in the order of the items.

    items: all that are asked; those of other ids follow them, in the order in which they are scored
    """

    def __init__(self, items: Sequence[Item] = ()) -> None:
        self._items = items
        self._places = {item.id: place for place, item in enumerate(items)}
        self._tally = Tally()
        self._unscored: list[tuple[int, int, str, str]] = []
        self._worst: list[Record] = []
        self.scored = 0

    def add(self, item: Item, seed: int, score: ItemScore) -> None:
        """Take a score."""
        place = self.place(item.id)
        self._tally.add(score.counts, place=place, group=item.group, cluster=item.cluster, seed=seed)
        if score.value is None:
            self._unscored.append((seed, place, item.id, score.problem or "unscored"))
        else:
            self.scored += 1
        own = self._items[place] if place < len(self._items) else item  # and not the copy that a log was read into
        self._worst.append(Record(own, seed, replace(score, counts=_NO_COUNTS)))
        if len(self._worst) >= MOST + SPARE:
            self._worst = self.worst()

    def __len__(self) -> int:
        return len(self._tally)

    def place(self, name: str) -> int:
        """The place of an item among all."""
        return self._places.setdefault(name, len(self._places))

    @property
    def seeds(self) -> list[int]:
        """Seeds with an answer, in order."""
        return self._tally.seeds

    def counts(self, seed: int | None = None) -> Counts:
        """The counts of all answers, or of those under one seed."""
        return self._tally.counts(seed)

    def unscored(self) -> Mapping[str, list[str]]:
        """Ids of the items whose answers have no score, by reason."""
        listed: dict[str, list[str]] = {}
        for _, _, name, problem in sorted(self._unscored):
            listed.setdefault(problem, []).append(name)
        return listed

    def worst(self) -> list[Record]:
        """The worst answers, at most MOST, the worst first; those without a score come before all others."""
        return heapq.nsmallest(MOST, self._worst, key=_goodness)


def _goodness(record: Record) -> tuple[float, str, int]:
    value = record.score.value
    return (-1.0 if value is None else value, record.item.id, record.seed)
