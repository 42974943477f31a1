"""Exact search in a small index."""

from __future__ import annotations

import numpy as np
import pytest

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.vectors.faiss_index import FaissIndex


def filled(n: int = 200, dim: int = 16) -> tuple[FaissIndex, np.ndarray]:
    vectors = np.random.default_rng(7).normal(size=(n, dim)).astype(np.float32)
    index = FaissIndex(dim)
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
    assert FaissIndex(4).search(np.ones(4, np.float32), 3) == []
