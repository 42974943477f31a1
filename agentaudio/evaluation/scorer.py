"""`Scorer`: from an item and an answer to counts, and from counts to figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote of the judge.

    value: None when the reply could not be read
    failed: whether the judge gave no reply
    """

    value: float | None
    reply: str = ""
    failed: bool = False


Ask = Callable[[str, int, Callable[[str], float | None]], Awaitable[Vote]]
"""Asks the judge: the prompt, the number of the vote from 0, and how the vote is read from the reply."""


class Scorer(Protocol):
    """Scores answers."""

    @property
    def name(self) -> str:
        """Name with everything that changes a figure, such as the normaliser or the tokeniser."""

    @property
    def measures(self) -> Sequence[Measure]:
        """The figures; the first is the one that the benchmark is known by."""

    @property
    def needs_judge(self) -> bool:
        """Whether answers cannot be scored without a judge."""

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        """Score one answer. ask: None without a judge"""
