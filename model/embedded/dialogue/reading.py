"""`Reading`: a way to understand a request."""

from __future__ import annotations

from dataclasses import dataclass

from agentaudio.model.embedded.routing.route import Route

PLAIN = 0.85
"""Confidence of a tool from which a request that is probably new is taken for it."""
CERTAIN, CARRIED = 1.2, 0.9
"""Scores of readings whose words leave no doubt, and that take a place from an earlier turn."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to understand a request.

    act: what it does, one of those of scripts/dialogue_acts.txt
    text: the request written out as far as it is needed for quoting an answer
    score: the higher, the more likely
    routes: the calls to make, or one that lacks arguments; empty for a reply
    reply: what to say without a call
    sure: whether a word of the request refers to an earlier turn
    """

    act: str
    text: str
    score: float
    routes: tuple[Route, ...] = ()
    reply: str | None = None
    sure: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether its calls are complete and hardly to be mistaken for others."""
        return all(r.tool is not None and not r.missing and r.confidence > PLAIN for r in self.routes)
