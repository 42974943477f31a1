"""Vectors, words and their fusion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.text.fusion import reciprocal_rank_fusion
from agentaudio.retrieval.vectors.faiss_index import VectorIndex
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.text.terms import search_terms


def filled(n: int = 200, dim: int = 16) -> tuple[VectorIndex, np.ndarray]:
    vectors = np.random.default_rng(7).normal(size=(n, dim)).astype(np.float32)
    index = VectorIndex(dim)
    index.add(range(n), vectors)
    return index, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_search_is_exact() -> None:
    index, unit = filled()
    query = np.random.default_rng(8).normal(size=16).astype(np.float32)
    expected = np.argsort(-unit @ (query / np.linalg.norm(query)))[:5]
    found = index.search(query, 5)
    assert [i for i, _ in found] == expected.tolist()
    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)


def test_a_filter_is_applied_before_ranking() -> None:
    index, unit = filled()
    assert [i for i, _ in index.search(unit[3], 2, among=[5, 9, 11])] == sorted(
        [5, 9, 11], key=lambda i: -float(unit[i] @ unit[3])
    )[:2]
    assert index.search(unit[3], 2, among=[]) == []


def test_removed_vectors_are_never_found() -> None:
    index, unit = filled()
    index.remove([3, 10_000])
    assert len(index) == 199
    assert 3 not in [i for i, _ in index.search(unit[3], 199)]
    index.add([3], unit[3:4])
    assert index.search(unit[3], 1)[0][0] == 3


def test_vectors_that_cannot_be_compared_are_refused() -> None:
    index, unit = filled()
    with pytest.raises(RetrievalError, match="width 16"):
        index.search(np.zeros(4, np.float32), 1)
    with pytest.raises(RetrievalError, match="NaN"):
        index.search(np.full(16, np.nan, np.float32), 1)
    with pytest.raises(RetrievalError, match="twice"):
        index.add([3], unit[3:4])
    with pytest.raises(RetrievalError, match="2 ids for 1"):
        index.add([900, 901], unit[3:4])
    assert VectorIndex(4).search(np.ones(4, np.float32), 3) == []


def test_words_are_found_in_any_number_accent_and_script() -> None:
    index = TextIndex(["Towers of the Great Wall", "Café culture", "长城很长", "the of and"])
    assert [i for i, _ in index.search("a great tower", 3)] == [0]
    assert [i for i, _ in index.search("cafe", 3)] == [1]
    assert [i for i, _ in index.search("长城", 3)] == [2]
    assert index.search("zebra", 3) == [] and index.search("the", 3) == []


def test_texts_come_and_go() -> None:
    index = TextIndex(["green tea", "black tea"])
    index.add([10, 12], ["tea with milk", "a tree"])
    assert [i for i, _ in index.search("tea", 5)] == [0, 1, 10]
    assert [i for i, _ in index.search("tea", 5, among=IdSet([1, 12]))] == [1]
    assert index.holding("tea") == IdSet([0, 1, 10]) and index.holding("coffee") == IdSet()
    index.remove([0, 99])
    assert [i for i, _ in index.search("green tea", 5)] == [1, 10] and len(index) == 3
    with pytest.raises(RetrievalError, match="twice"):
        index.add([10], ["again"])
    with pytest.raises(RetrievalError, match="2 ids for 1 texts"):
        index.add([20, 21], ["again"])


def test_rare_words_and_short_texts_weigh_more() -> None:
    index = TextIndex(["red red car", "red", "red boat in the old harbour of the town", "blue"])
    assert [i for i, _ in index.search("red boat", 3)][0] == 2
    assert [i for i, _ in index.search("red", 3)] == [1, 0, 2]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.text(max_size=30))
def test_any_texts_can_be_indexed_and_asked(texts: list[str], query: str) -> None:
    found = TextIndex(texts).search(query, 3)
    assert all(set(search_terms(query)) & set(search_terms(texts[i])) for i, _ in found)


def test_fusion_prefers_what_every_list_likes() -> None:
    fused = reciprocal_rank_fusion([(1, 9.0), (2, 8.0), (3, 7.0)], [(2, 0.9), (3, 0.8), (4, 0.1)])
    assert [i for i, _ in fused][0] == 2
    assert reciprocal_rank_fusion([(5, 1.0)], [(5, 1.0)]) == [(5, 1.0)]
    assert reciprocal_rank_fusion([], []) == []
