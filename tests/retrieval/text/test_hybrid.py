"""Hybrid search: embeddings and words in one ranking."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.text.hybrid import hybrid_search
from agentaudio.retrieval.vectors.faiss_index import FaissIndex

TEXTS = ["Rivers flow to the sea.", "Xylander wrote a book.", "Boats sail the sea.", "Nothing of the kind."]


def indexes(texts: list[str], angles: list[float]) -> tuple[TextIndex, FaissIndex]:
    vectors = FaissIndex(2)
    vectors.add(range(len(texts)), np.array([[np.cos(a), np.sin(a)] for a in angles], np.float32))
    return TextIndex(texts), vectors


QUERY = np.array([1, 0], np.float32)


def test_a_rare_name_outweighs_a_likeness_in_meaning() -> None:
    texts, vectors = indexes(TEXTS, [1.2, 1.3, 1.2, 1.5])
    assert [id for id, _ in hybrid_search("xylander", texts, QUERY, vectors, 4)][0] == 1


def test_one_common_word_does_not_outweigh_meaning() -> None:
    texts, vectors = indexes(TEXTS, [1.4, 1.5, 1.5, 0.0])
    found = hybrid_search("what sort of thing covers most of our sea planet", texts, QUERY, vectors, 4)
    assert found[0][0] == 3


def test_passages_found_by_one_search_are_scored_by_both() -> None:
    texts, vectors = indexes(TEXTS, [0.0, 0.1, 0.2, 1.5])
    found = dict(hybrid_search("kind", texts, QUERY, vectors, 1))
    assert set(found) == {0, 3} and 0.1 < found[3] < 0.3


def test_without_vectors_words_decide_alone() -> None:
    texts = TextIndex(TEXTS)
    assert [id for id, _ in hybrid_search("sea boats", texts, None, None, 5)] == [2, 0]
    assert hybrid_search("", texts, None, None, 5) == [] and hybrid_search("x", TextIndex(), None, None, 5) == []


words = st.lists(st.sampled_from("sea boat tea the ship sky".split()), max_size=6).map(" ".join)


@given(st.lists(st.tuples(words, st.floats(0, 3.1)), min_size=1, max_size=8), words, st.integers(1, 10))
def test_scores_are_shares_in_order(items: list[tuple[str, float]], query: str, pool: int) -> None:
    texts, vectors = indexes([text for text, _ in items], [angle for _, angle in items])
    for vector in (QUERY, None):
        scores = [score for _, score in hybrid_search(query, texts, vector, vectors, pool)]
        assert all(0 <= score <= 1.0001 for score in scores) and scores == sorted(scores, reverse=True)
