"""A folder of text, searched."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentaudio.errors import RetrievalError
from agentaudio.resources import open_documents
from agentaudio.retrieval.documents import MAX_PASSAGE_CHARS, DocumentIndex


def test_passages_keep_title_source_and_position(documents: DocumentIndex, tmp_path: Path) -> None:
    passage = documents.search("ming dynasty")[0]
    text = (tmp_path / "documents" / passage.source).read_text()
    assert (passage.title, passage.source) == ("The Great Wall", "wall.md")
    assert text[passage.position :].startswith("Most of it was built")
    assert documents.search("green tea")[0].title == "Tea"


def test_long_paragraphs_are_cut_between_sentences(tmp_path: Path) -> None:
    sentences = [f"This is sentence number {i} of a long paragraph." for i in range(60)]
    (tmp_path / "long.txt").write_text(" ".join(sentences))
    index = DocumentIndex.from_folder(tmp_path)
    assert len(index.passages) > 3
    assert all(len(p.text) <= MAX_PASSAGE_CHARS and p.text.endswith(".") for p in index.passages)
    assert " ".join(p.text for p in index.passages) == " ".join(sentences)


def test_folders_that_hold_nothing_are_named(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="no such folder"):
        DocumentIndex.from_folder(tmp_path / "missing")
    with pytest.raises(RetrievalError, match="holds no documents; add files ending in .txt or .md"):
        DocumentIndex.from_folder(tmp_path)
    (tmp_path / "empty.txt").write_text("  \n\n ")
    with pytest.raises(RetrievalError, match="not one passage"):
        DocumentIndex.from_folder(tmp_path)
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(RetrievalError, match=r"latin\.txt is not UTF-8"):
        DocumentIndex.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("who built the great wall", "great-wall-builders.md"),
        ("can you see the great wall from the moon", "great-wall-length.md"),
        ("how far away is the moon", "moon.md"),
        ("what do honey bees eat in winter", "honey-bees.md"),
        ("who invented the telephone", "telephone.md"),
    ],
)
def test_the_demo_documents_answer_questions(question: str, source: str) -> None:
    assert source in [passage.source for passage in open_documents().search(question, 3)]
