"""The task of a worker process that reads a Word file. Only that process imports this module."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
from docx.opc.constants import RELATIONSHIP_TYPE as RELATED
from docx.oxml import parse_xml
from docx.oxml.ns import qn

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.word_numbers import Element, WordNumbers
from agentaudio.retrieval.documents.word_text import WordText, attribute


def text(request: dict[str, Any], _: bytes | bytearray) -> tuple[dict[str, str], bytes]:
    """The text of a .docx file as Markdown.

    request: `path`, `source` (for messages), `max_bytes` of the file when it is unpacked
    returns: `title`, empty when unknown, and `text`

    Raises RetrievalError for a file that is damaged or unpacks to too much.
    """
    source, most = request["source"], request["max_bytes"]
    try:
        with zipfile.ZipFile(request["path"]) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
        if unpacked > most:
            raise RetrievalError(f"{unpacked:,} bytes when unpacked, more than {most:,}")
        opened = docx.Document(request["path"])
        numbers = WordNumbers(_numbering(opened), dict(_styles(opened)))
        reader = WordText(levels=_levels(opened), notes=dict(_notes(opened)), numbers=numbers)
        blocks = [*_headers_and_footers(opened, reader), *reader.blocks(opened.element.body)]
        title = opened.core_properties.title.strip()
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # damaged files make the parser raise exceptions of any type
        if str(error).startswith("unknown error"):
            raise MemoryError from None  # what lxml says when it could not get memory even for its message
        raise RetrievalError(f"{source} cannot be read as a Word file ({error}); save it again as .docx") from None
    return {"title": title, "text": "\n\n".join(blocks)}, b""


def _levels(opened: Any) -> dict[str, int]:
    """The level of headings, by the ids of their styles. A style without a level has that of its base."""
    levels = dict[str, int]()
    for style in opened.styles:
        base, seen = style, set[str]()
        while base is not None and base.style_id not in seen:
            seen.add(base.style_id)
            named = str(base.name or "")
            heading = re.fullmatch(r"heading ([1-6])", named, re.IGNORECASE)
            if named == "Title" or heading:
                levels[style.style_id] = int(heading[1]) if heading else 1
                break
            base = getattr(base, "base_style", None)
    return levels


def _styles(opened: Any) -> Iterator[tuple[str, tuple[Element | None, str]]]:
    """Paragraph properties and base of each style, by its id."""
    for style in opened.styles:
        base = style.element.find(qn("w:basedOn"))
        yield style.style_id, (style.element.find(qn("w:pPr")), "" if base is None else attribute(base, "val") or "")


def _numbering(opened: Any) -> Element | None:
    """The definitions of the lists; None in a file without lists."""
    for relation in opened.part.rels.values():
        if relation.reltype == RELATED.NUMBERING and not relation.is_external:
            return parse_xml(relation.target_part.blob)
    return None


def _notes(opened: Any) -> Iterator[tuple[tuple[str, str], Element]]:
    """Footnotes and endnotes, by kind and id."""
    for kind, related in (("footnote", RELATED.FOOTNOTES), ("endnote", RELATED.ENDNOTES)):
        for relation in opened.part.rels.values():
            if relation.reltype == related and not relation.is_external:
                for note in parse_xml(relation.target_part.blob):
                    if attribute(note, "type") in (None, "normal"):
                        yield (kind, attribute(note, "id") or ""), note


def _headers_and_footers(opened: Any, reader: WordText) -> list[str]:
    """Their different texts. Those of page numbers alone are left out."""
    found = dict[str, None]()
    for relation in opened.part.rels.values():
        if relation.reltype in (RELATED.HEADER, RELATED.FOOTER) and not relation.is_external:
            for block in reader.blocks(relation.target_part.element):
                if any(letter.isalpha() for letter in block):
                    found[block.lstrip("# ")] = None
    return list(found)
