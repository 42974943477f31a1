"""Small files that would take gigabytes or minutes are refused within their limits, outside this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import bombs

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents import files, folder, html
from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.documents.folder import Folder
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.workers.limits import DOCUMENT, PAGE
from agentaudio.workers.pool import DOCUMENTS

pytestmark = pytest.mark.hostile

for module in ("trafilatura", "pypdf", "docx"):
    pytest.importorskip(module, reason="needs the extras 'web' and 'documents'")


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that make the tests short."""
    monkeypatch.setattr(html, "PAGE", replace(PAGE, timeout_s=2, cpu_s=1))
    monkeypatch.setattr(files, "DOCUMENT", replace(DOCUMENT, timeout_s=2, cpu_s=1, memory_mb=200))


@pytest.mark.parametrize("kind", bombs.pages())
def test_hostile_pages_end_in_time(kind: str, tmp_path: Path) -> None:
    within_limits(tmp_path / "page.html", bombs.pages()[kind]())


@pytest.mark.parametrize("kind", bombs.words())
def test_hostile_word_files_end_in_time(kind: str, tmp_path: Path) -> None:
    within_limits(tmp_path / "file.docx", bombs.words()[kind]())


@pytest.mark.parametrize("kind", bombs.papers())
def test_hostile_pdf_files_end_in_time(kind: str, tmp_path: Path) -> None:
    within_limits(tmp_path / "file.pdf", bombs.papers()[kind]())


def within_limits(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    grown, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    try:
        text = "".join(document.text for document in read_documents(path, path.name))
    except RetrievalError as error:
        assert path.name in str(error) or "the page" in str(error)
    else:
        assert len(text) < 50_000_000
    # The child may start anew in this time, which is not limited.
    assert time.perf_counter() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 100_000


TIME = r"more than .* s .*limits.{}.(timeout_s|cpu_s)"


@pytest.mark.parametrize(
    ("name", "make", "limit"),
    [
        ("a.html", bombs.pages()["attributes"], TIME.format("PAGE")),
        ("a.docx", bombs.words()["many empty paragraphs"], "(takes|needs) more .*limits.DOCUMENT"),
        ("a.pdf", bombs.papers()["many operators"], TIME.format("DOCUMENT")),
    ],
)
def test_the_message_names_file_limit_and_setting(
    name: str, make: Callable[[], bytes], limit: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(make())
    with pytest.raises(RetrievalError, match=f"{name} .*{limit}"):
        list(read_documents(tmp_path / name, name))


@pytest.mark.parametrize("bomb", ["many wide cells", "a cell that spans a billion columns"])
def test_cells_that_claim_many_columns_cost_no_more_than_their_words(bomb: str, tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(bombs.words()[bomb]())
    (document,) = read_documents(tmp_path / "a.docx", "a.docx")
    assert len(document.text) < 10_000


def test_a_long_text_is_split_in_a_worker_process_as_it_would_be_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "# Bells\n\n" + "Bells are cast from bronze, é. They ring.\n\n## Casting\n\n" * 20_000
    (tmp_path / "long.md").write_text(text)
    DOCUMENTS.close()
    apart = DocumentIndex.from_folder(tmp_path).passages
    assert DOCUMENTS.pids
    monkeypatch.setattr(folder, "SPLIT_HERE_CHARS", len(text))
    DOCUMENTS.close()
    assert apart == DocumentIndex.from_folder(tmp_path).passages and DOCUMENTS.pids == []


def test_a_text_that_takes_too_long_to_split_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "DOCUMENT", replace(DOCUMENT, timeout_s=30, cpu_s=1, output_mb=1))
    (tmp_path / "good.txt").write_text("Bells are cast from bronze.")
    (tmp_path / "bad.txt").write_text("Bells. " * 1_000_000)
    made = Folder(tmp_path)
    assert list(made.refresh().problems) == ["bad.txt"]
    assert "DOCUMENT" in made.refresh().problems["bad.txt"]
    assert [passage.source for passage in made.corpus.passages().values()] == ["good.txt"]
