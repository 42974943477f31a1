"""The text of a PDF is what a reader sees; pages without text are named, and may be read by OCR."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.retrieval.documents.pdf_text import readable
from agentaudio.retrieval.text.search_form import search_form

pytest.importorskip("pypdf", reason="needs the extra 'documents'")

SCAN = "q 500 0 0 700 50 50 cm /Im Do Q"
DRAWN = "10 10 m 90 90 l S 5 5 20 20 re f"
EMPTY = "q Q"


def text(line: str) -> str:
    return f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET"


def pdf(*contents: str, title: str = "", encoding: str = "") -> bytes:
    """A PDF file with pages of these operators."""
    kids = " ".join(f"{6 + 2 * number} 0 R" for number in range(len(contents)))
    image = "/Type /XObject /Subtype /Image /Width 4 /Height 4 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 16"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>",
        f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica {encoding} >>",
        f"<< {image} >>\nstream\n{'x' * 16}\nendstream",
        f"<< /Title ({title}) >>",
    ]
    for number, content in enumerate(contents):
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {7 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> /XObject << /Im 4 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    body, places = "%PDF-1.4\n", []
    for number, written in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{written}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = f"{len(objects) + 1}"
    end = f"trailer\n<< /Size {size} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode("latin-1")


@pytest.mark.parametrize(
    ("drawn", "read"),
    [
        ("a 14-\nday trial", "a 14-day trial"),
        ("the COVID-\n19 rules", "the COVID-19 rules"),
        ("an A4-\nPage", "an A4-Page"),
        ("an un-\ncommon oppor-\ntunity", "an uncommon opportunity"),
        ("a photo-\ngrapher", "a photographer"),
        ("the high-\nspeed train", "the high-speed train"),
        ("the high-\nest tower", "the highest tower"),
        ("a full-\ntime job, a short-\nage of half-\nbaked ideas", "a full-time job, a shortage of half-baked ideas"),
        ("her father-\nin-law", "her father-in-law"),
        ("his father-in-\nlaw", "his father-in-law"),
        ("a matter-\nof-\nfact tone", "a matter-of-fact tone"),
        ("twenty-\nfive e-\nmails", "twenty-five e-mails"),
        ("a dog-\nhouse and a dog-house", "a dog-house and a dog-house"),
        ("the data-\nbase is a database", "the database is a database"),
        ("a decision is in the making: decision-\nmaking", "a decision is in the making: decision-making"),
        ("pre-\nand post-war", "pre- and post-war"),
        ("Über-\nraschung, défi-\nnition, книж-\nка", "Überraschung, définition, книжка"),
        ("archae\u00ad\nology, re\u00adadable", "archaeology, readable"),
        ("a list -\nof things", "a list -\nof things"),
        ("well\u2010\nknown", "well-known"),
        ("over-  \n  whelming", "overwhelming"),
        ("a-\nb-\nc", "a-b-c"),
        ("\ufb03 \ufb05 \uff21\uff14 \u2f24\u5b66 \ufefb\u200b", "ffi st A4 大学 لا"),
        ("½ m² … ① ℃ 中文，", "½ m² … ① ℃ 中文，"),
    ],
)
def test_words_are_as_the_author_wrote_them(drawn: str, read: str) -> None:
    assert readable([drawn]) == [read]


def test_a_word_is_spelled_as_on_another_page() -> None:
    assert readable(["a long-\nlived bird, a trouble-\nmaker", "longlived, trouble-maker"])[0] == (
        "a longlived bird, a trouble-maker"
    )


@pytest.mark.parametrize("drawn", ["a-" * 50_000, "a-\n" * 50_000, "a" * 100_000 + "-\nb", ("-" * 99 + "\n") * 1000])
def test_hostile_hyphens_take_linear_time(drawn: str) -> None:
    begun = time.process_time()
    readable([drawn])
    assert time.process_time() - begun < 3


def test_ligatures_of_a_font_are_letters(tmp_path: Path) -> None:
    differences = "/Encoding << /Type /Encoding /Differences [ 1 /ffi /fi ] >>"
    (tmp_path / "a.pdf").write_bytes(pdf(text("The o\x01ce on the \x02fth \x02oor."), encoding=differences))
    index = DocumentIndex.from_folder(tmp_path, embed=None)
    assert index.search("fifth office")[0].text == "The office on the fifth fioor."


@pytest.mark.parametrize(
    ("stored", "query"),
    [("The ﬁeld oﬃce", "field office"), ("Ｒｏｏｍ １２", "room 12"), ("extra\u00adordi\u00adnary", "extraordinary"),
     ("plain office", "oﬃce"), ("room 12", "Ｒｏｏｍ １２"), ("zero\u200bwidth", "zerowidth"), ("Cafe\u0301", "café")],
)  # fmt: skip
def test_texts_and_queries_meet_in_one_form(stored: str, query: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{stored}\n\nSomething else.", encoding="utf-8")
    asked = list[str]()

    def embed(texts: Sequence[str]):  # type: ignore[no-untyped-def]
        import numpy as np

        asked.extend(texts)
        return np.eye(len(texts), 4, dtype=np.float32) + 0.1

    assert DocumentIndex.from_folder(tmp_path, embed=None).search(query)[0].text == stored
    DocumentIndex.from_folder(tmp_path, embed=embed).search(query)
    assert f"A. {search_form(stored)}" in asked and search_form(query) in asked
    assert all(search_form(one) == one for one in asked)


def test_pages_that_are_pictures_are_named_and_empty_ones_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lease.pdf").write_bytes(pdf(text("It begins in May."), SCAN, EMPTY, DRAWN, "", SCAN, SCAN))
    (tmp_path / "blank.pdf").write_bytes(pdf(text("One."), EMPTY))
    store = tmp_path / "store.sqlite3"
    index = DocumentIndex.from_folder(tmp_path, store=store, embed=None)
    (problem,) = index.refresh().problems.values()
    assert "lease.pdf: pages 2, 4 and 6-7 cannot be read" in problem and "ocrmypdf" in problem
    assert caplog.text.count("lease.pdf") == 1
    assert set(DocumentIndex.from_folder(tmp_path, store=store, embed=None).refresh().problems) == {"lease.pdf"}
    (tmp_path / "lease.pdf").write_bytes(pdf(text("It begins in June.")))
    assert index.refresh().problems == {}


def test_a_file_of_pictures_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(pdf(SCAN, SCAN))
    (tmp_path / "one.pdf").write_bytes(pdf(DRAWN))
    with pytest.raises(RetrievalError, match=r"one\.pdf: page 1 cannot be read.*scan\.pdf: all of its pages cannot"):
        DocumentIndex.from_folder(tmp_path)
    (tmp_path / "a.txt").write_text("Text.")
    assert set(DocumentIndex.from_folder(tmp_path, embed=None).refresh().problems) == {"one.pdf", "scan.pdf"}


def test_letters_without_a_meaning_are_no_text(tmp_path: Path) -> None:
    private = "/Encoding << /Type /Encoding /Differences [ 65 /uniE001 /uniE002 /uniE003 ] >>"
    (tmp_path / "a.pdf").write_bytes(pdf(text("ABCABC"), encoding=private))
    with pytest.raises(RetrievalError, match="page 1 cannot be read"):
        list(read_documents(tmp_path / "a.pdf", "a.pdf"))


def test_ocr_reads_the_pages_that_are_pictures(tmp_path: Path) -> None:
    (tmp_path / "lease.pdf").write_bytes(pdf(text("It begins in May."), SCAN, SCAN))
    store, asked = tmp_path / "store.sqlite3", list[Sequence[int]]()
    DocumentIndex.from_folder(tmp_path, store=store, embed=None)

    def ocr(path: Path, numbers: Sequence[int]) -> list[str]:
        assert path.read_bytes().startswith(b"%PDF")
        asked.append(numbers)
        return ["The deposit is two months of rent.", " "]

    index = DocumentIndex.from_folder(tmp_path, store=store, embed=None, ocr=ocr)  # read again, now that there is OCR
    assert index.search("deposit")[0].source == "lease.pdf#page=2" and asked == [[2, 3]]
    assert index.refresh().problems == {"lease.pdf": "lease.pdf: OCR found no text on page 3; check the scan"}
    with pytest.raises(RetrievalError, match="ocr returned 0 texts for 2 pages"):
        list(read_documents(tmp_path / "lease.pdf", "lease.pdf", ocr=lambda path, numbers: []))
    with pytest.raises(RetrievalError, match="ocr failed on lease.pdf: ZeroDivisionError"):
        list(read_documents(tmp_path / "lease.pdf", "lease.pdf", ocr=lambda path, numbers: [str(1 // 0)]))


@pytest.mark.parametrize(
    ("stored", "title"),
    [("Microsoft Word - Untitled1.doc", "Yearly report"), ("Microsoft PowerPoint - Talk.pptx", "Talk"), ("Tea", "Tea"),
     ("untitled", "Yearly report"), ("thesis.dvi", "thesis"), ("", "Yearly report"), ("Document 7", "Yearly report")],
)  # fmt: skip
def test_a_title_has_no_traces_of_the_program_that_made_it(stored: str, title: str, tmp_path: Path) -> None:
    (tmp_path / "yearly_report.pdf").write_bytes(pdf(text("Words."), title=stored))
    (document,) = read_documents(tmp_path / "yearly_report.pdf", "yearly_report.pdf")
    assert document.title == title
