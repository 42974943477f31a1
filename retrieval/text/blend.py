"""One ranking of meaning and words: the cosine, and how much of the query's words a text has."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.vectors.faiss_index import VectorIndex
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.text.terms import search_terms

WORDS_WEIGHT = 0.5
"""Against 1 for the cosine: the best of 0.1 to 1.2 on dev.jsonl of benchmarks/retrieval_quality.py.

Ranks alone would let a text win that shares one common word with a question asked in other words.
"""


def blend(
    query: str, texts: TextIndex, vector: NDArray[np.float32] | None, vectors: VectorIndex | None, pool: int
) -> list[tuple[int, float]]:
    """(id, score) of the `pool` best texts by words and as many by meaning, best first; scores are 0 to 1.

    Each is judged by both. A word counts by its rarity, and one that no text has counts too.

    vector: (dim,) the query's, None to go by words alone
    """
    ideal = _ideal(query, texts)
    by_words = dict(texts.search(query, pool))
    if vector is None or vectors is None:
        return [(id, score / ideal) for id, score in by_words.items()]
    by_meaning = dict(vectors.search(vector, pool))
    by_words |= texts.search(query, pool, among=IdSet(by_meaning.keys() - by_words.keys()))
    by_meaning |= vectors.search(vector, pool, among=IdSet(by_words.keys() - by_meaning.keys()))
    scores = {
        id: (max(0.0, cosine) + WORDS_WEIGHT * by_words.get(id, 0.0) / ideal) / (1 + WORDS_WEIGHT)
        for id, cosine in by_meaning.items()
    }
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def _ideal(query: str, texts: TextIndex) -> float:
    """More than any text can score: the weights of all words (Lucene's, as in TextIndex)."""
    count = len(texts)
    weights = [
        math.log1p((count - held + 0.5) / (held + 0.5))
        for held in (len(texts.holding(word)) for word in dict.fromkeys(search_terms(query)))
    ]
    return sum(weights) or 1.0
