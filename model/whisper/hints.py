"""`Hints`: the sentences of a hint that are near to what was recognised."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence

NEAREST = 3
LEAST_OVERLAP = 0.3
"""Share of the recognised text's letter groups that a sentence must have in common with it. A prompt of sentences that
were not said makes more errors than it mends."""
GROUP = 3


class Hints:
    """Finds sentences by groups of three letters, which words that were misheard share with what was said.

    sentences: what may be said, in any number
    """

    def __init__(self, sentences: Sequence[str]) -> None:
        self._sentences = list(dict.fromkeys(" ".join(sentence.split()) for sentence in sentences if sentence.strip()))
        self._holders: dict[str, list[int]] = defaultdict(list)
        for number, sentence in enumerate(self._sentences):
            for group in _groups(sentence):
                self._holders[group].append(number)

    def nearest(self, text: str) -> list[str]:
        """Up to NEAREST sentences that overlap with a text, the nearest last; empty when none does."""
        groups = _groups(text)
        shared: dict[int, int] = defaultdict(int)
        for group in groups:
            for number in self._holders.get(group, ()):
                shared[number] += 1
        least = LEAST_OVERLAP * len(groups)
        near = [(count, -number) for number, count in shared.items() if count >= least]
        return [self._sentences[-number] for _, number in reversed(heapq.nlargest(NEAREST, near))]


def _groups(text: str) -> set[str]:
    """The groups of GROUP letters of the words of a text, which count as one string with single blanks."""
    plain = " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    padded = f" {plain} "
    return {padded[place : place + GROUP] for place in range(len(padded) - GROUP + 1)}
