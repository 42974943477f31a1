"""Files of every kind become documents with the position of their text as source."""

from __future__ import annotations

import logging
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from agentaudio.errors import RetrievalError
from agentaudio.model.scripted import Scripted, ScriptStep
from agentaudio.resources import transcriber
from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.sound.audio import Audio


def pdf(*pages: str) -> bytes:
    """A PDF 1.4 file with one line of text on each page."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    body, places = "%PDF-1.4\n", []
    for number, text in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    ).encode("ascii")


def test_documents_of_a_pdf_name_their_page(tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="needs the extra 'documents'")
    (tmp_path / "annual_report.pdf").write_bytes(pdf("Sales grew by ten percent.", "Costs fell a little."))
    index = DocumentIndex.from_folder(tmp_path, embed=None)
    (passage,) = index.search("costs")
    assert (passage.source, passage.title) == ("annual_report.pdf#page=2", "Annual report")
    assert passage.text == "Costs fell a little."
    assert logging.getLogger("pypdf").level == logging.NOTSET, "log levels belong to the program"


def test_headings_and_tables_of_a_word_file_are_kept(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx", reason="needs the extra 'documents'")
    made = docx.Document()
    made.add_heading("Staff rules", level=1)
    made.add_heading("Holidays", level=2)
    made.add_paragraph("Everybody has thirty days.")
    table = made.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Sick leave", "ten days"
    made.save(str(tmp_path / "rules.docx"))
    index = DocumentIndex.from_folder(tmp_path)
    assert [(p.title, p.text) for p in index.passages] == [
        ("Staff rules: Holidays", "Everybody has thirty days."),
        ("Staff rules: Holidays", "Sick leave | ten days"),
    ]


def test_a_saved_web_page_is_read_without_its_menus(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura", reason="needs the extra 'web'")
    (tmp_path / "page.html").write_text(
        "<html><head><title>Bells</title></head><body><nav><a href='/'>Home</a></nav><article><h1>Bells</h1>"
        f"<p>{'A bell is cast from bronze, and its tone depends on its profile. ' * 4}</p></article></body></html>"
    )
    (passage,) = DocumentIndex.from_folder(tmp_path).passages
    assert passage.title == "Bells" and passage.text.startswith("A bell is cast") and "Home" not in passage.text


def test_documents_of_a_recording_name_their_time(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")
    folder = files("agentaudio.demo") / "questions"
    first, second = (Audio.load(str(folder / name)) for name in ("great-wall.flac", "distance-of-the-moon.flac"))
    pause = Audio.silence(60.0, first.sample_rate)
    Audio.concat([first, pause, second]).save(tmp_path / "interview.wav")
    said = iter(["How long is the wall? " * 30, "How far away is the moon?", *[""] * 20])
    index = DocumentIndex.from_folder(tmp_path, transcribe=lambda audio: next(said))
    (moon,) = index.search("moon", 1)
    begin, end = map(float, moon.source.removeprefix("interview.wav#t=").split(","))
    assert moon.title == "Interview" and 0 < begin < end < first.duration + 60 + second.duration
    with pytest.raises(RetrievalError, match="has no documents"):
        DocumentIndex.from_folder(tmp_path)


@pytest.mark.parametrize("step", [{"heard": "How far is the moon?", "say": "Far."}, "How far is the moon?"])
def test_a_model_may_transcribe(step: ScriptStep) -> None:
    assert transcriber(Scripted([step]))(Audio.silence(1.0, 16_000)) == "How far is the moon?"


def test_a_word_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("docx", reason="needs the extra 'documents'")
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("word/document.xml", "w", force_zip64=True) as member:
            for _ in range(201):
                member.write(b"\0" * 1_000_000)
    with pytest.raises(RetrievalError, match=r"bomb\.docx cannot be read .*201,000,000 bytes when unpacked"):
        list(read_documents(tmp_path / "bomb.docx", "bomb.docx"))


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.wav"])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"%PDF-1.4\n%%EOF", b"PK\x03\x04", b"RIFF\xff\xff\xff\xffWAVE"])
def test_damaged_files_are_named(name: str, content: bytes, tmp_path: Path) -> None:
    for module in ("pypdf", "docx"):
        pytest.importorskip(module, reason="needs the extra 'documents'")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RetrievalError, match=name):
        list(read_documents(tmp_path / name, name, transcribe=lambda audio: ""))


def test_large_and_unknown_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"a " * 6_000_000)
    with pytest.raises(RetrievalError, match="more than 10 MB; split it"):
        list(read_documents(tmp_path / "large.txt", "large.txt"))
    (tmp_path / "image.png").write_bytes(b"x")
    with pytest.raises(RetrievalError, match="is not a document; use .txt"):
        list(read_documents(tmp_path / "image.png", "image.png"))
    with pytest.raises(RetrievalError, match="cannot read gone.txt"):
        list(read_documents(tmp_path / "gone.txt", "gone.txt"))
