"""Splits documents into passages: at paragraphs, at sentences where a paragraph is long, and between rows of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentaudio.conversation import Passage
from agentaudio.retrieval.text.blocks import Block, Line, blocks, cells
from agentaudio.text.sentences import sentence_spans

MAX_PASSAGE_CHARS = 700
_LONGEST_HEADER = MAX_PASSAGE_CHARS // 2


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one source, as Markdown or plain text.

    source: a path or URL; a fragment names a part of it, such as `#page=3` (RFC 8118) or `#t=12.5,18` in
        seconds (W3C Media Fragments)
    """

    text: str
    title: str
    source: str


def split(document: Document) -> Iterator[Passage]:
    """Passages of at most MAX_PASSAGE_CHARS in order, with white space reduced to single spaces.

    A passage's title is the last first-level heading and the last heading below it, so that the passage can be
    found and understood by itself. Its position is a character offset in the document's text.

    A table becomes passages of whole rows, one in a line, with ` | ` between the cells. When it is cut, each passage
    begins with the header of the table; the position is that of its first row. Only a row that is longer than a
    passage is cut.
    """
    title, section = document.title, ""
    for block in blocks(document.text):
        if block.kind == "heading":
            title, section = (block.heading or title, "") if block.level == 1 else (title, block.heading)
            continue
        named = f"{title}: {section}" if section and section != title else title
        for place, piece in _table(block) if block.kind == "table" else _prose(document.text, block):
            yield Passage(piece, named, document.source, place)


def _prose(text: str, block: Block) -> Iterator[tuple[int, str]]:
    """(start, text) of pieces made of as many whole sentences as fit. An empty line ends a piece."""
    paragraph: list[Line] = []
    for line in (*block.lines, Line(0, "")):
        if line.text.strip():
            paragraph.append(line)
        elif paragraph:
            start, last = paragraph[0].start, paragraph[-1]
            for place, piece in _pieces(text[start : last.start + len(last.text)]):
                yield start + place, piece
            paragraph = []


def _pieces(paragraph: str) -> Iterator[tuple[int, str]]:
    begun, piece = 0, ""
    for place, sentence in _sentences(paragraph):
        if piece and len(piece) + 1 + len(sentence) > MAX_PASSAGE_CHARS:
            yield begun, piece
            piece = ""
        if not piece:
            begun = place
        piece = f"{piece} {sentence}".lstrip()
    if piece:
        yield begun, piece


def _sentences(paragraph: str) -> Iterator[tuple[int, str]]:
    for start, end in sentence_spans(paragraph):
        for first, last in _cut(paragraph, start, end, MAX_PASSAGE_CHARS):
            if sentence := " ".join(paragraph[first:last].split()):
                yield first, sentence


def _cut(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """Start and end of pieces of at most `longest` characters, cut between words where possible."""
    while start < end:
        cut = end
        if end - start > longest:
            cut = text.rfind(" ", start + 1, start + longest) + 1 or start + longest
        yield start, cut
        start = cut


def _table(block: Block) -> Iterator[tuple[int, str]]:
    """(start, text) of pieces made of as many whole rows as fit below the header of the table."""
    rows = [(line.start + len(line.text) - len(line.text.lstrip(" \t|")), _row(line.text)) for line in block.lines]
    rows = [(place, row) for place, row in rows if row]
    header = "\n".join(row for line in block.lines[: block.header] if (row := _row(line.text)))
    if len(header) > _LONGEST_HEADER:
        header = ""  # its rows are then like others
    begun, piece = 0, ""
    for place, row in rows:
        for first, last in _cut(row, 0, len(row), MAX_PASSAGE_CHARS - len(header) - 1):
            part = row[first:last].strip()
            if piece and len(piece) + 1 + len(part) > MAX_PASSAGE_CHARS:
                yield begun, piece
                begun, piece = place, header
            if not piece:
                begun = place
            piece = f"{piece}\n{part}".lstrip("\n")
    if piece:
        yield begun, piece


def _row(line: str) -> str:
    return " | ".join(cells(line)).strip(" |")
