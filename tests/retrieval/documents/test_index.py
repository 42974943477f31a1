"""Documents are split, stored, kept up to date and searched."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.conversation import Passage
from agentaudio.errors import AgentAudioError, RetrievalError
from agentaudio.resources import open_documents
from agentaudio.retrieval.documents import index as module
from agentaudio.retrieval.documents.corpus import Corpus, FileState
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.retrieval.text.splitting import MAX_PASSAGE_CHARS, Document, split
from agentaudio.text.terms import search_terms


class Letters:
    """An embedder that counts letters, and records what it was asked."""

    def __init__(self, dim: int = 26) -> None:
        self.dim, self.asked = dim, list[str]()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        rows = np.array(
            [[text.lower().count(chr(97 + n % 26)) + 0.01 for n in range(self.dim)] for text in texts], np.float32
        )
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    (made / "cat.txt").write_text("Cats purr.\n\nCats sleep.")
    (made / "dog.md").write_text("# Dogs\n\nDogs bark.")
    return made


@pytest.fixture(scope="module")
def demo() -> DocumentIndex:
    return open_documents("demo")


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


def test_headings_name_the_passages_below_them() -> None:
    text = "Before.\n\n# Tea\n\nA drink.\n\n## Kinds\nGreen.\n\n# Coffee\nBlack."
    assert [(p.title, p.text) for p in split(Document(text, "Drinks", "d.md"))] == [
        ("Drinks", "Before."), ("Tea", "A drink."), ("Tea: Kinds", "Green."), ("Coffee", "Black."),
    ]  # fmt: skip


def test_chinese_is_cut_between_sentences() -> None:
    pieces = [p.text for p in split(Document("长城很长。" * 200, "长城", "wall.txt"))]
    assert len(pieces) > 1 and all(len(piece) <= MAX_PASSAGE_CHARS and piece.endswith("。") for piece in pieces)


@given(st.text(st.sampled_from("ab .!?。#\n\t-"), max_size=3000) | st.text())
def test_any_text_is_split_without_loss(text: str) -> None:
    passages = list(split(Document(text, "T", "s")))
    assert all(0 < len(p.text) <= MAX_PASSAGE_CHARS for p in passages)
    assert all(text[p.position :].startswith(p.text.split()[0]) for p in passages)
    assert [p.position for p in passages] == sorted(p.position for p in passages)
    if "#" not in text:
        assert "".join("".join(p.text.split()) for p in passages) == "".join(text.split())


def test_documents_may_come_from_anywhere() -> None:
    given: list[Passage | Document] = [
        Passage("Tea is green.", "Tea", "a"),
        Document("Coffee is black.", "Coffee", "b"),
    ]
    index = DocumentIndex(given, embed=None)
    assert [p.source for p in index.search("black coffee")] == ["b"]
    assert index.search("") == []
    with pytest.raises(RetrievalError, match="no passage"):
        DocumentIndex([])


def test_folders_without_text_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="no such folder"):
        DocumentIndex.from_folder(tmp_path / "missing")
    with pytest.raises(RetrievalError, match=r"has no documents; add files ending in \.txt, \.md"):
        DocumentIndex.from_folder(tmp_path)
    (tmp_path / "empty.txt").write_text("  \n\n ")
    with pytest.raises(RetrievalError, match="files are empty"):
        DocumentIndex.from_folder(tmp_path)
    (tmp_path / "program.txt").write_bytes(bytes(range(256)))
    with pytest.raises(RetrievalError, match=r"program\.txt is not text"):
        DocumentIndex.from_folder(tmp_path)


def test_an_unreadable_file_is_reported_and_the_others_are_searched(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pypdf", reason="needs the extra 'documents'")
    (folder / "program.txt").write_bytes(b"MZ\0\1\2\3" * 50)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    index = DocumentIndex.from_folder(folder)
    assert "program.txt is not text" in caplog.text and "broken.pdf cannot be read as PDF" in caplog.text
    assert index.search("purr")[0].source == "cat.txt"
    caplog.clear()
    assert set(index.refresh().problems) == {"program.txt", "broken.pdf"}
    assert caplog.text == ""  # once is enough


def test_a_file_name_that_is_not_utf8_is_reported_and_the_others_are_searched(folder: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("Coffee is roasted.")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    index = DocumentIndex.from_folder(folder)
    assert index.search("purr")[0].source == "cat.txt"
    (problem,) = index.refresh().problems.values()
    assert "is not UTF-8; rename the file" in problem


def test_unpaired_surrogates_become_question_marks() -> None:
    index = DocumentIndex([Passage("Tea \ud83d is green.", "T", "t")])
    assert index.search("green tea")[0].text == "Tea ? is green."


def test_links_out_of_the_folder_and_hidden_files_are_left_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("The password is tea.")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / ".hidden.txt").write_text("The password is tea.")
    assert DocumentIndex.from_folder(folder, embed=None).search("password") == []


def test_a_folder_is_searched_by_meaning_unless_that_is_switched_off(folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")
    for index in (DocumentIndex.from_folder(folder), DocumentIndex([Document("Cats sleep.", "", "cat.txt")])):
        assert index.search("felines are taking a nap")[0].source == "cat.txt"
        assert index.search(" ?! ") == []
    assert DocumentIndex.from_folder(folder, embed=None).search("felines are taking a nap") == []
    with pytest.raises(AgentAudioError, match="no-such-embedder|Sentence Transformers"):
        DocumentIndex.from_folder(folder, embed="/no-such-embedder").search("nap")


def test_meaning_and_words_are_searched_together(folder: Path) -> None:
    (folder / "zebra.txt").write_text("zzzz zz zzz")
    index = DocumentIndex.from_folder(folder, embed=Letters())
    assert search_terms("zzz zz") and index.search("zz zzz")[0].source == "zebra.txt"
    assert index.search("zzzzz")[0].source == "zebra.txt"  # no word in common


def test_a_reranker_orders_the_results(folder: Path) -> None:
    index = DocumentIndex.from_folder(folder, rerank=lambda query, texts: [float("sleep" in text) for text in texts])
    assert [p.text for p in index.search("cats", 1)] == ["Cats sleep."]


def test_changes_are_searched_after_a_refresh(folder: Path) -> None:
    index = DocumentIndex.from_folder(folder, embed=Letters())
    assert index.search("bark")[0].source == "dog.md"
    (folder / "dog.md").write_text("# Dogs\n\nDogs howl at night.")
    (folder / "fox.txt").write_text("Foxes scream.")
    (folder / "cat.txt").unlink()
    changes = index.refresh()
    assert (changes.added, changes.changed, changes.removed) == (("fox.txt",), ("dog.md",), ("cat.txt",))
    assert index.search("howl")[0].source == "dog.md"
    assert index.search("scream")[0].source == "fox.txt"
    assert {p.source for p in index.search("cats purr", 10)} == {"dog.md", "fox.txt"}
    assert not index.refresh()
    for file in list(folder.iterdir()):
        file.unlink()
    assert index.refresh().removed == ("dog.md", "fox.txt") and index.search("howl") == []


def test_a_search_notices_that_the_folder_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    index = DocumentIndex.from_folder(folder, embed=None)
    (folder / "fox.txt").write_text("Foxes scream.")
    deadline = time.monotonic() + 30
    while not (found := index.search("scream")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [p.source for p in found] == ["fox.txt"]


def test_only_new_texts_are_embedded(folder: Path, tmp_path: Path) -> None:
    store, first, again = tmp_path / "store.sqlite3", Letters(), Letters()
    DocumentIndex.from_folder(folder, embed=first, store=store).prepare()
    assert sum("Dogs bark" in text for text in first.asked) == 1
    (folder / "cat.txt").rename(folder / "pet.txt")
    (folder / "dog.md").write_text("# Dogs\n\nDogs bark.\n\nDogs howl.")
    os.utime(folder / "dog.md", ns=(1, 1))
    index = DocumentIndex.from_folder(folder, embed=again, store=store)
    index.prepare()
    assert [text for text in again.asked if "Dogs" in text] == ["Dogs. Dogs howl."]
    for edit in ("yelp", "growl", "whine"):
        (folder / "dog.md").write_text(f"# Dogs\n\nDogs {edit} a lot.")
        index.refresh()
        index.prepare()
    with closing(sqlite3.connect(store)) as db:
        (kept,), (held,) = db.execute("SELECT count(*) FROM vectors"), db.execute("SELECT count(*) FROM passages")
    assert kept[0] <= held[0] + 1, "what was edited away is not kept"
    (folder / "dog.md").write_text("# Dogs\n\nDogs howl.")
    index.refresh()
    assert {p.source for p in index.search("purr sleep bark", 10)} == {"pet.txt", "dog.md"}


def test_changes_of_another_process_are_searched(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite3"
    one, other = (DocumentIndex.from_folder(folder, embed=Letters(), store=store) for _ in range(2))
    assert one.search("bark")[0].source == other.search("bark")[0].source == "dog.md"
    (folder / "fox.txt").write_text("Foxes scream.")
    assert one.refresh().added == ("fox.txt",) and not other.refresh()
    assert other.search("scream")[0].source == "fox.txt"


def test_many_processes_may_read_one_folder_into_one_store(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from agentaudio.retrieval.documents.index import DocumentIndex\n"
        "index = DocumentIndex.from_folder(sys.argv[1], store=sys.argv[2], embed=None)\n"
        "index.prepare(); print([p.source for p in index.search('bark purr', 9)])"
    )
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "store.sqlite3")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in running]
    assert outputs == ["['cat.txt', 'dog.md']"] * 3


def test_a_touched_file_is_not_read_again(folder: Path, tmp_path: Path) -> None:
    index = DocumentIndex.from_folder(folder, store=tmp_path / "store.sqlite3")
    os.utime(folder / "dog.md", ns=(1, 1))
    assert not index.refresh() and not index.refresh()


def test_another_embedder_replaces_the_stored_vectors(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite3"
    DocumentIndex.from_folder(folder, embed=Letters(), store=store).prepare()
    other = Letters(52)
    assert DocumentIndex.from_folder(folder, embed=other, store=store).search("bark")[0].source == "dog.md"
    assert sum("Dogs bark" in text for text in other.asked) == 1


def test_a_large_corpus_keeps_its_index_beside_its_store(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("vectors.plan", "vectors.faiss_index", "documents.index"):
        monkeypatch.setattr(f"agentaudio.retrieval.{name}.EXACT_UP_TO", 100)
    for number in range(20):
        (folder / f"{number}.txt").write_text("\n\n".join(f"{chr(97 + number) * (n + 1)} {n}." for n in range(20)))
    store, again = tmp_path / "store.sqlite3", Letters(384)
    index = DocumentIndex.from_folder(folder, embed=Letters(384), store=store)
    index.prepare()
    assert (tmp_path / "store.sqlite3.vectors.json").exists()
    reopened = DocumentIndex.from_folder(folder, embed=again, store=store)
    assert (
        [p.source for p in reopened.search("ggg ggg")] == [p.source for p in index.search("ggg ggg")] == ["6.txt"] * 4
    )
    assert len(again.asked) == 2  # to know the embedder, and the question
    (folder / "6.txt").unlink()
    assert reopened.refresh() and "6.txt" not in [p.source for p in reopened.search("ggg ggg", 20)]


def test_an_interrupted_change_leaves_the_corpus_whole(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "store.sqlite3")
    corpus.put(FileState("a", 1, 1, "x"), [Passage("one", "A", "a"), Passage("two", "A", "a")])

    broken = Passage("three", "A", "a", None)  # type: ignore[arg-type]
    with pytest.raises(RetrievalError, match="NOT NULL"):
        corpus.put(FileState("a", 2, 2, "y"), [Passage("two", "A", "a"), broken])
    kept = Corpus(tmp_path / "store.sqlite3")
    assert [p.text for p in kept.passages().values()] == ["one", "two"] and kept.files()["a"].sha256 == "x"


def test_a_file_that_is_not_a_corpus_is_not_touched(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("my notes")
    with pytest.raises(RetrievalError, match=r"notes\.db cannot be used: .*; name another file"):
        DocumentIndex.from_folder(folder, store=tmp_path / "notes.db")
    assert (tmp_path / "notes.db").read_text() == "my notes"


def test_several_threads_may_search_while_the_folder_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    index = DocumentIndex.from_folder(folder, embed=Letters())
    failures: list[BaseException] = []

    def search() -> None:
        try:
            for _ in range(30):
                index.search("cats dogs foxes")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(10):
        (folder / f"fox{number}.txt").write_text(f"Foxes scream {number} times.")
        index.refresh()
    for thread in threads:
        thread.join()
    index.refresh()
    assert failures == [] and len(index.passages) == 13


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
def test_the_demo_documents_answer_questions(demo: DocumentIndex, question: str, source: str) -> None:
    assert source in [passage.source for passage in demo.search(question, 3)]
