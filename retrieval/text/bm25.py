"""`TextIndex`: search by words with BM25, over texts that can be added and removed."""

from __future__ import annotations

import math
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.vectors.id_set import Ids, IdSet, as_ids
from agentaudio.text.terms import search_terms

K1, B = 1.5, 0.75
SHORTEST_PART = 3
"""Letters of the shorter part of a compound."""


class TextIndex:
    """BM25 over texts with integer ids. Several threads may share one.

    texts: the first texts, with the ids 0, 1, ...
    split: returns the terms of a text or a query

    Compounds are found however they are written: of a query, a word that no text holds counts as two ("honeybee") where
    some text holds both, and two neighbours count as one ("web site") where some text holds that.

    Source: Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond";
    the weight of a term that m of n texts hold is log(1 + (n - m + 0.5) / (m + 0.5)) as in Lucene, never negative.
    """

    def __init__(self, texts: Sequence[str] = (), *, split: Callable[[str], list[str]] = search_terms) -> None:
        self._split = split
        self._lock = threading.RLock()
        self._postings: dict[str, tuple[array[int], array[int]]] = {}  # word: positions, how often
        self._ids, self._lengths = array("q"), array("i")  # by position
        self._members = IdSet()
        self.add(range(len(texts)), texts)

    def __len__(self) -> int:
        return len(self._members)

    def ids(self) -> IdSet:
        """Ids of the texts in the index."""
        return self._members

    def add(self, ids: Sequence[int] | Ids, texts: Sequence[str]) -> None:
        """Add texts. Raises RetrievalError when the counts differ, or an id is repeated or already in the index."""
        given = as_ids(ids)
        added = IdSet(given)
        if len(given) != len(texts):
            raise RetrievalError(f"{len(given)} ids for {len(texts)} texts; give one id per text")
        with self._lock:
            if len(added) != len(given) or len(self._members & added):
                raise RetrievalError(
                    "an id is given twice, or is already in the index; give each text an id of its own"
                )
            for id, text in zip(given.tolist(), texts, strict=True):
                found = self._split(text)
                position = len(self._ids)
                self._ids.append(id)
                self._lengths.append(len(found))
                for word, often in Counter(found).items():
                    positions, counts = self._postings.setdefault(word, (array("i"), array("H")))
                    positions.append(position)
                    counts.append(min(often, 65_535))
            self._members |= added

    def remove(self, ids: Iterable[int] | IdSet) -> None:
        """Remove texts by id; unknown ids are ignored."""
        given = ids if isinstance(ids, IdSet) else IdSet(ids)
        with self._lock:
            self._members -= given

    def holding(self, word: str) -> IdSet:
        """Ids of the texts that hold a term, as `split` returns it."""
        with self._lock:
            if word not in self._postings:
                return IdSet()
            return IdSet(np.array(self._ids)[np.array(self._postings[word][0])]) & self._members

    def _terms(self, query: str) -> list[str]:
        """The terms of a query, each once, with compounds as the texts write them."""
        given = self._split(query)
        found = [half for word in given for half in self._halves(word)]
        found += [one + other for one, other in pairwise(given) if one + other in self._postings]
        return list(dict.fromkeys(found))

    def _halves(self, word: str) -> tuple[str, ...]:
        """An unknown word as the two known ones that it consists of and that one text holds; else the word itself."""
        if word in self._postings or not word.isalpha():
            return (word,)
        parts = [(word[:at], word[at:]) for at in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1)]
        together = [part for part in parts if all(half in self._postings for half in part) and len(self._with(*part))]
        return min(together, key=lambda part: len(self._with(*part)), default=(word,))

    def _with(self, one: str, other: str) -> IdSet:
        return self.holding(one) & self.holding(other)

    def highest_possible(self, query: str) -> float:
        """A bound above every score for this query: the sum of the weights of its terms, or 1 when it has none."""
        with self._lock:
            count = len(self)
            held = [len(self.holding(term)) for term in self._terms(query)]
        return sum(math.log1p((count - number + 0.5) / (number + 0.5)) for number in held) or 1.0

    def search(self, query: str, k: int, *, among: IdSet | None = None) -> list[tuple[int, float]]:
        """(id, score) of the k best texts that share a term with the query, best first.

        among: only these ids, filtered before the ranking
        """
        with self._lock:
            lists = [
                (np.array(self._postings[word][0]), np.array(self._postings[word][1], np.float32))
                for word in self._terms(query)
                if word in self._postings
            ]
            ids, lengths = np.array(self._ids), np.array(self._lengths, np.float32)
            allowed = self._members if among is None else self._members & among
        if not lists or k < 1 or not len(allowed):
            return []
        mean = max(1.0, float(lengths.mean()))
        total = np.zeros(len(ids), np.float32)
        for held, counts in lists:
            rarity = np.log1p((len(ids) - len(held) + 0.5) / (len(held) + 0.5))
            total[held] += rarity * counts / (counts + K1 * (1 - B + (B / mean) * lengths[held]))
        hit = np.flatnonzero(total)
        hit = hit[allowed.holds(ids[hit])]
        found, scores = ids[hit], total[hit]
        if len(found) > k:
            least = np.partition(scores, -k)[-k]
            found, scores = found[scores >= least], scores[scores >= least]
        order = np.lexsort((found, -scores))[:k]
        return [(int(found[i]), float(scores[i])) for i in order]
