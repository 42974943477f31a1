"""A store of documents with values that were not written by this package is refused in one line."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from agentaudio.conversation import Passage
from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.corpus import Corpus, FileState


@pytest.fixture
def store(tmp_path: Path) -> Path:
    corpus = Corpus(tmp_path / "store.sqlite3")
    passages = [Passage(f"Bell {n}", "Bells", "a.md", n) for n in range(3)]
    corpus.put(FileState("a.md", 1, 2, "0" * 64), passages)
    corpus.embedded_by(np.full(4, 0.5, np.float32))
    corpus.put_vectors(passages, np.eye(3, 4, dtype=np.float32))
    return tmp_path / "store.sqlite3"


def read(store: Path) -> None:
    corpus = Corpus(store)
    corpus.files()
    corpus.passages()
    corpus.without_vector()
    corpus.embedded_by(np.full(4, 0.5, np.float32))
    list(corpus.vectors())


def test_an_undamaged_store_is_read(store: Path) -> None:
    read(store)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE passages SET text = x'ff' WHERE id = 2", "UPDATE passages SET title = x'41' WHERE id = 3",
        "UPDATE passages SET position = 'far' WHERE id = 1",
        "UPDATE passages SET text = CAST(x'ff' AS TEXT) WHERE id = 1",
        "UPDATE vectors SET vector = x'00'",
        "UPDATE vectors SET vector = x'00000000' WHERE digest = (SELECT min(digest) FROM vectors)",
        "UPDATE vectors SET vector = 'text'", "UPDATE about SET value = 7", "UPDATE about SET value = x'0000'",
        "UPDATE about SET value = NULL", "UPDATE files SET size = 'large'", "UPDATE files SET sha256 = NULL",
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_an_error_that_says_what_to_do(store: Path, change: str) -> None:
    db = sqlite3.connect(store)
    with db:
        db.execute(change)
    db.close()
    with pytest.raises(RetrievalError, match="(is damaged; delete it|cannot be used)") as refused:
        read(store)
    assert str(refused.value).isprintable()
