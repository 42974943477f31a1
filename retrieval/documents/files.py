"""Reads documents from files: text, Markdown, HTML, PDF, Word and recordings."""

from __future__ import annotations

import importlib.util
import logging
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from agentaudio.errors import AudioError, MissingExtra, RetrievalError
from agentaudio.files import open_regular, open_within
from agentaudio.retrieval.documents.charset import of_file
from agentaudio.retrieval.documents.html import article
from agentaudio.retrieval.text.splitting import MAX_PASSAGE_CHARS, Document
from agentaudio.sound.audio import Audio
from agentaudio.sound.formats import SOUND_SUFFIXES
from agentaudio.sound.vad import VoiceActivity
from agentaudio.workers.limits import DOCUMENT
from agentaudio.workers.pool import DOCUMENTS

log = logging.getLogger(__name__)

Transcribe = Callable[[Audio], str]
"""The transcript of at most LONGEST_UTTERANCE_S seconds of sound; empty when no word was heard."""

Ocr = Callable[[Path, Sequence[int]], Sequence[str]]
"""The texts of pages of a PDF file, which are given by their numbers from 1; empty where nothing can be read."""

TEXT, PAGES, PAPERS = (".txt", ".md"), (".html", ".htm"), (".pdf", ".docx")
SUFFIXES = (*TEXT, *PAGES, *PAPERS)
MAX_FILE_BYTES = 10_000_000
MAX_PAPER_BYTES = 200_000_000
MAX_PAGES = 5_000
LONGEST_UTTERANCE_S = 25.0
SPEECH_RATE_HZ = 16_000
"""Highest rate of a recording in memory, as recognisers use it: an hour takes 230 MB."""


def read_documents(
    path: Path,
    source: str,
    transcribe: Transcribe | None = None,
    *,
    ocr: Ocr | None = None,
    within: Path | None = None,
    on_problem: Callable[[str], object] = log.warning,
) -> Iterator[Document]:
    """The documents in a file: one, or one for each page of a PDF and each passage of a recording.

    source: the source of its documents; pages and times are added as fragments
    ocr: reads pages of a PDF that are pictures
    on_problem: gets a message when parts of the file cannot be read, such as those pages
    within: the folder in which the file must lie once links are resolved; None allows any place

    HTML, PDF and Word files are parsed in a worker process, within the limits `PAGE` and `DOCUMENT`.

    Raises RetrievalError for a file that is too large, reaches a limit or cannot be read, MissingExtra without the
    extra `documents` (PDF, Word) or `web` (HTML).
    """
    suffix = path.suffix.lower()
    limit = MAX_FILE_BYTES if suffix in TEXT + PAGES else MAX_PAPER_BYTES
    try:
        with open_regular(path) if within is None else open_within(within, path) as file:
            if (size := os.fstat(file.fileno()).st_size) > limit:
                raise RetrievalError(f"{source} has {size:,} bytes, more than {limit // 1_000_000} MB; split it")
            if suffix in TEXT:
                yield Document(_text(file.read(limit), source), _named(path), source)
            elif suffix in PAGES:
                found = article(file.read(limit), name=source)
                yield Document(found.text, found.title or _named(path), source)
            elif suffix == ".pdf":
                yield from _pdf(path, source, ocr, on_problem)
            elif suffix == ".docx":
                yield _docx(path, source)
            elif suffix in SOUND_SUFFIXES and transcribe is not None:
                yield from _recording(file, path, source, transcribe)
            else:
                known = ", ".join(SUFFIXES)
                raise RetrievalError(f"{source} is not a document; use {known}, or recordings to transcribe")
    except OSError as error:
        raise RetrievalError(f"cannot read {source}: {error.strerror}; check its permissions") from None


def _named(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem).replace("_", " ").replace("-", " ").capitalize()


def _text(content: bytes, source: str) -> str:
    text = of_file(content)
    if text is None:
        raise RetrievalError(f"{source} is not text; rename it after what it is, or move it out of the folder")
    # As in text mode, every line ends in a line feed.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _pdf(path: Path, source: str, ocr: Ocr | None, on_problem: Callable[[str], object]) -> Iterator[Document]:
    found = _read_apart(path, source, "pypdf", "pdf_task:pages", {"max_pages": MAX_PAGES})
    title, texts, unread = found["title"] or _named(path), found["pages"], found["unread"]
    if unread and ocr is not None:
        try:
            read = ocr(path, unread)
        except Exception as error:  # of the caller's function
            raise RetrievalError(f"ocr failed on {source}: {error!r}; mend it, or leave it out") from error
        if len(read) != len(unread):
            raise RetrievalError(f"ocr returned {len(read)} texts for {len(unread)} pages of {source}; return one each")
        for number, text in zip(unread, read, strict=True):
            texts[number - 1] = text
        unread = [number for number in unread if not texts[number - 1].strip()]
    if unread:
        problem = _unread(source, unread, len(texts), ocr is not None)
        if not any(text.strip() for text in texts):
            raise RetrievalError(problem)
        on_problem(problem)
    for number, text in enumerate(texts, start=1):
        yield Document(text, title, f"{source}#page={number}")


def _unread(source: str, numbers: Sequence[int], count: int, tried: bool) -> str:
    """A message about pages without text. tried: whether OCR was tried"""
    which = "all of its pages" if len(numbers) == count > 1 else f"page {_ranges(numbers)}"
    if len(numbers) > 1 and len(numbers) < count:
        which = f"pages {_ranges(numbers)}"
    if tried:
        return f"{source}: OCR found no text on {which}; check the scan"
    return (
        f"{source}: {which} cannot be read, as there is no text but a picture; run OCR, such as ocrmypdf, or give ocr="
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Rising numbers in words, such as "1, 3-5 and 9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    named = ["-".join(map(str, run)) for run in runs]
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


def _docx(path: Path, source: str) -> Document:
    found = _read_apart(path, source, "docx", "word_task:text", {"max_bytes": MAX_PAPER_BYTES})
    return Document(found["text"], found["title"] or _named(path), source)


def _read_apart(path: Path, source: str, parser: str, task: str, request: dict[str, Any]) -> dict[str, Any]:
    """The answer of a task in a worker process. parser: the package that it needs."""
    if importlib.util.find_spec(parser) is None:
        raise MissingExtra(f"reading {path.suffix} files", "documents")
    limits = DOCUMENT.with_time_for(path.stat().st_size)
    request = {"path": str(path.absolute()), "source": source, **request}
    found, _ = DOCUMENTS.run(
        lambda job: job.ask(
            f"agentaudio.retrieval.documents.{task}", request, limits=limits, what=source, error=RetrievalError
        )
    )
    answer: dict[str, Any] = found
    return answer


def _recording(file: BinaryIO, path: Path, source: str, transcribe: Transcribe) -> Iterator[Document]:
    """Transcripts of utterances, joined up to MAX_PASSAGE_CHARS, with their times in the source."""
    try:
        audio = Audio.load(file, highest_rate=SPEECH_RATE_HZ)
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
