"""Reads documents from files: text, Markdown, HTML, PDF, Word and recordings."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agentaudio.errors import AudioError, MissingExtra, RetrievalError
from agentaudio.retrieval.text.splitting import MAX_PASSAGE_CHARS, Document
from agentaudio.sound.audio import Audio
from agentaudio.sound.formats import SOUND_SUFFIXES
from agentaudio.sound.vad import VoiceActivity

Transcribe = Callable[[Audio], str]
"""The transcript of at most LONGEST_UTTERANCE_S seconds of sound; empty when no word was heard."""

TEXT, PAGES, PAPERS = (".txt", ".md"), (".html", ".htm"), (".pdf", ".docx")
SUFFIXES = (*TEXT, *PAGES, *PAPERS)
MAX_FILE_BYTES = 10_000_000
MAX_PAPER_BYTES = 200_000_000
MAX_PAGES = 5_000
LONGEST_UTTERANCE_S = 25.0


def read_documents(path: Path, source: str, transcribe: Transcribe | None = None) -> Iterator[Document]:
    """The documents in a file: one, or one for each page of a PDF and each passage of a recording.

    source: the source of its documents; pages and times are added as fragments

    Raises RetrievalError for a file that is too large or cannot be read, MissingExtra without the extra
    `documents` (PDF, Word) or `web` (HTML).
    """
    suffix = path.suffix.lower()
    limit = MAX_FILE_BYTES if suffix in TEXT + PAGES else MAX_PAPER_BYTES
    try:
        if (size := path.stat().st_size) > limit:
            raise RetrievalError(f"{source} has {size:,} bytes, more than {limit // 1_000_000} MB; split it")
        if suffix in TEXT:
            yield Document(_text(path, source), _named(path), source)
        elif suffix in PAGES:
            from agentaudio.retrieval.documents.html import article

            found = article(path.read_bytes(), name=source)
            yield Document(found.text, found.title or _named(path), source)
        elif suffix == ".pdf":
            yield from _pdf(path, source)
        elif suffix == ".docx":
            yield _docx(path, source)
        elif suffix in SOUND_SUFFIXES and transcribe is not None:
            yield from _recording(path, source, transcribe)
        else:
            raise RetrievalError(f"{source} is not a document; use {', '.join(SUFFIXES)}, or recordings to transcribe")
    except OSError as error:
        raise RetrievalError(f"cannot read {source}: {error.strerror}; check its permissions") from None


def _named(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ").capitalize()


def _text(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RetrievalError(f"{source} is not UTF-8 text; convert it, or move it out of the folder") from None


def _pdf(path: Path, source: str) -> Iterator[Document]:
    try:
        from pypdf import PdfReader
    except ImportError:
        raise MissingExtra("reading PDF files", "documents") from None
    try:
        reader = PdfReader(path)
        title = str((reader.metadata and reader.metadata.title) or "").strip() or _named(path)
        pages = len(reader.pages)
        if pages <= MAX_PAGES:
            for number, page in enumerate(reader.pages, start=1):
                yield Document(_unwrapped(page.extract_text()), title, f"{source}#page={number}")
    except Exception as error:  # damaged files make the parser raise exceptions of any type
        raise RetrievalError(f"{source} cannot be read as PDF ({error}); repair it or remove its password") from None
    if pages > MAX_PAGES:
        raise RetrievalError(f"{source} has {pages:,} pages, more than {MAX_PAGES:,}; split it")


def _unwrapped(text: str) -> str:
    """The text with words that were hyphenated at line ends joined again."""
    return re.sub(r"(?<=\w)-\n(?=[a-z])", "", text)


def _docx(path: Path, source: str) -> Document:
    try:
        import docx
    except ImportError:
        raise MissingExtra("reading Word files", "documents") from None
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
        if unpacked > MAX_PAPER_BYTES:
            raise RetrievalError(f"{unpacked:,} bytes when unpacked, more than {MAX_PAPER_BYTES:,}")
        opened = docx.Document(str(path))
        blocks = [_block(item) for item in opened.iter_inner_content()]
        title = opened.core_properties.title.strip()
    except Exception as error:  # as with PDF
        raise RetrievalError(f"{source} cannot be read as a Word file ({error}); save it again as .docx") from None
    return Document("\n\n".join(filter(None, blocks)), title or _named(path), source)


def _block(item: Any) -> str:
    """Markdown of a paragraph or heading, or a table with one line for each row."""
    if hasattr(item, "rows"):
        return "\n".join(" | ".join(cell.text.strip() for cell in row.cells) for row in item.rows)
    style = item.style.name if item.style is not None else ""
    level = 1 if style == "Title" else int(style[-1]) if re.fullmatch(r"Heading [1-6]", style) else 0
    text = item.text.strip()
    return f"{'#' * level} {text}" if level and text else text


def _recording(path: Path, source: str, transcribe: Transcribe) -> Iterator[Document]:
    """Transcripts of utterances, joined up to MAX_PASSAGE_CHARS, with their times in the source."""
    try:
        audio = Audio.load(path)
    except AudioError as error:
        raise RetrievalError(f"{source} cannot be decoded: {error}") from None
    begun, ended, said = 0.0, 0.0, ""
    for start, end in _utterances(audio):
        words = " ".join(transcribe(audio.slice(start, end)).split())
        if said and len(said) + len(words) > MAX_PASSAGE_CHARS:
            yield Document(said, _named(path), f"{source}#t={begun:.1f},{ended:.1f}")
            said = ""
        if words:
            begun = begun if said else start
            said, ended = f"{said} {words}".lstrip(), end
    if said:
        yield Document(said, _named(path), f"{source}#t={begun:.1f},{ended:.1f}")


def _utterances(audio: Audio) -> Iterator[tuple[float, float]]:
    for start, end in VoiceActivity().speech(audio):
        while end - start > LONGEST_UTTERANCE_S:
            yield start, start + LONGEST_UTTERANCE_S
            start += LONGEST_UTTERANCE_S
        yield start, end
