"""One ranking from several whose scores cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence

RANK_CONSTANT = 60


def reciprocal_rank_fusion(*rankings: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """(item, score) of every item in any ranking, best first; 1 is the score of an item that leads all rankings.

    The score is the sum of 1 / (RANK_CONSTANT + rank) over the rankings that hold the item, scaled.

    Source: Cormack, Clarke and Büttcher, "Reciprocal rank fusion", SIGIR 2009.
    """
    votes: dict[int, float] = {}
    for ranking in rankings:
        for rank, (item, _) in enumerate(ranking):
            votes[item] = votes.get(item, 0.0) + 1 / (RANK_CONSTANT + 1 + rank)
    best = len(rankings) / (RANK_CONSTANT + 1)
    return sorted(((item, vote / best) for item, vote in votes.items()), key=lambda pair: (-pair[1], pair[0]))
