"""Splits documents into passages: at paragraphs, and at sentences where a paragraph is long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentaudio.conversation import Passage
from agentaudio.text.sentences import sentence_spans

MAX_PASSAGE_CHARS = 700

_PARAGRAPH = re.compile(r"\S.*?(?=\n[^\S\n]*\n|\n(?=#{1,6}\s)|\Z)", re.DOTALL)
_HEADING = re.compile(r"(#{1,6})\s+(\S.*)")


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
    """
    title, section = document.title, ""
    for found in _PARAGRAPH.finditer(document.text):
        paragraph, start = found.group(), found.start()
        if heading := _HEADING.match(paragraph):
            name = " ".join(heading[2].split()).rstrip("# ")
            title, section = (name, "") if len(heading[1]) == 1 else (title, name)
            _, newline, rest = paragraph.partition("\n")
            if not rest.strip():
                continue
            start += len(paragraph) - len(rest.lstrip())
            paragraph = rest.strip()
        named = f"{title}: {section}" if section and section != title else title
        for place, piece in _pieces(paragraph):
            yield Passage(piece, named, document.source, start + place)


def _pieces(paragraph: str) -> Iterator[tuple[int, str]]:
    """(start, text) of pieces made of as many whole sentences as fit."""
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
        while start < end:
            # Tables and unbroken text can be longer than a passage: cut them between words where possible.
            cut = end
            if end - start > MAX_PASSAGE_CHARS:
                cut = paragraph.rfind(" ", start + 1, start + MAX_PASSAGE_CHARS) + 1 or start + MAX_PASSAGE_CHARS
            if sentence := " ".join(paragraph[start:cut].split()):
                yield start, sentence
            start = cut
