"""Embedders that have the vectors of some texts from a file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio.resources import open_documents
from agentaudio.text.embedding import Embed
from agentaudio.text.known_vectors import KnownVectors, write_vectors


class Watched:
    """An embedder that notes what it is asked."""

    def __init__(self, embed: Embed | None = None, name: str = "letters") -> None:
        self.asked: list[str] = []
        self.name = name
        self._embed = embed

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        if self._embed is not None:
            return self._embed(texts)
        rows = np.array([[text.count(letter) + 0.1 for letter in "abc"] for text in texts], np.float32).reshape(-1, 3)
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def test_known_texts_come_from_the_file_and_others_from_the_embedder_in_order(tmp_path: Path) -> None:
    write_vectors(tmp_path / "known.npz", ["abba", "cab"], Watched())
    embed = Watched()
    known = KnownVectors(embed, tmp_path / "known.npz")
    texts = ["new", "cab", "a", "abba", "cab"]
    np.testing.assert_array_equal(known(texts), Watched()(texts))
    assert embed.asked == ["new", "a"]
    assert known(["abba"]).shape == (1, 3) and known([]).shape == (0, 3) and embed.asked == ["new", "a"]


def test_a_file_of_another_embedder_and_a_missing_one_know_no_text(tmp_path: Path) -> None:
    write_vectors(tmp_path / "known.npz", ["abba"], Watched(name="another"))
    for name in ("known.npz", "missing.npz"):
        embed = Watched()
        np.testing.assert_array_equal(KnownVectors(embed, tmp_path / name)(["abba"]), Watched()(["abba"]))
        assert embed.asked == ["abba"]


def test_the_demo_documents_come_with_the_vectors_of_all_their_passages() -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")
    from agentaudio.text.sentence_embedder import SentenceEmbedder

    embed = SentenceEmbedder()
    inner = Watched(embed, embed.name)
    outer = Watched(KnownVectors(inner, Path(str(files("agentaudio.demo") / "documents.npz"))))
    open_documents("demo", embed=outer).prepare()
    assert len(inner.asked) == 1 and len(outer.asked) > 50  # the one is the probe of the embedder
    np.testing.assert_allclose(outer(outer.asked[1:20]), embed(outer.asked[1:20]), atol=1e-3)
    np.testing.assert_allclose(outer(outer.asked[-20:]), embed(outer.asked[-20:]), atol=1e-3)
