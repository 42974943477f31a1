"""`Scorer`: from an item and an answer to counts, and from counts to figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


DEAF = "the judge does not hear"
"""Reply of a vote that failed since the judge takes no sound."""


class Ask(Protocol):
    """Asks the judge."""

    async def __call__(
        self, prompt: str, number: int, parse: Callable[[str], float | None], *, sounds: Sequence[str] = ()
    ) -> Vote:
        """A vote.

        number: of the vote, from 0
        parse: reads the vote from the reply
        sounds: files that the judge hears before the prompt; a judge that does not hear gives a failed vote, DEAF
        """


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
