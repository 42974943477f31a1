"""Hybrid search: one ranking by meaning and by words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.vectors.id_set import IdSet

WORDS_WEIGHT = 0.5
"""Weight of the word score; the cosine has weight 1. Best of 0.1 to 1.2 on benchmarks/retrieval_corpus/dev.jsonl."""


def hybrid_search(
    query: str, texts: TextIndex, vector: NDArray[np.float32] | None, vectors: FaissIndex | None, pool: int
) -> list[tuple[int, float]]:
    """(id, score) of the `pool` best texts by words and the `pool` best by meaning, best first; scores are 0 to 1.

    Each candidate gets both scores, whichever search found it. The word score is BM25 divided by the most that any
    text could reach for this query, so that a single common word does not outweigh meaning.

    vector: (dim,) embedding of the query; without it, or without `vectors`, only words are compared
    """
    most = texts.highest_possible(query)
    by_words = dict(texts.search(query, pool))
    if vector is None or vectors is None:
        return [(id, score / most) for id, score in by_words.items()]
    by_meaning = dict(vectors.search(vector, pool))
    by_words |= texts.search(query, pool, among=IdSet(by_meaning.keys() - by_words.keys()))
    by_meaning |= vectors.search(vector, pool, among=IdSet(by_words.keys() - by_meaning.keys()))
    scores = {
        id: (max(0.0, cosine) + WORDS_WEIGHT * by_words.get(id, 0.0) / most) / (1 + WORDS_WEIGHT)
        for id, cosine in by_meaning.items()
    }
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
