"""`TextIndex`: lexical search by BM25, over texts that come and go."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.vectors.id_set import Ids, IdSet, as_ids
from agentaudio.text.terms import search_terms

K1, B = 1.5, 0.75


class TextIndex:
    """BM25 over texts with whole numbers as ids; texts may be added and removed, several threads may share it.

    texts: to begin with, numbered from 0; split: a text to its words

    Source: Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond";
    the weight of a word as in Lucene, log(1 + (n - m + 0.5) / (m + 0.5)), which is never negative.
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
        """What it holds."""
        return self._members

    def add(self, ids: Sequence[int] | Ids, texts: Sequence[str]) -> None:
        """ids: one for each text, each for the first time. Raises RetrievalError when one was used before."""
        given = as_ids(ids)
        added = IdSet(given)
        if len(given) != len(texts):
            raise RetrievalError(f"{len(given)} ids for {len(texts)} texts; give one id per text")
        with self._lock:
            if len(added) != len(given) or len(self._members & added):
                raise RetrievalError("an id is given twice, or is in the index already; number the texts anew")
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
        """Find these no more; unknown ones are ignored."""
        given = ids if isinstance(ids, IdSet) else IdSet(ids)
        with self._lock:
            self._members -= given

    def holding(self, word: str) -> IdSet:
        """The texts that hold a word, as `split` spells it."""
        with self._lock:
            if word not in self._postings:
                return IdSet()
            return IdSet(np.array(self._ids)[np.array(self._postings[word][0])]) & self._members

    def search(self, query: str, k: int, *, among: IdSet | None = None) -> list[tuple[int, float]]:
        """The k best (id, score) that share a word with the query, best first.

        among: only these ids, applied before ranking
        """
        with self._lock:
            lists = [
                (np.array(self._postings[word][0]), np.array(self._postings[word][1], np.float32))
                for word in dict.fromkeys(self._split(query))
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
