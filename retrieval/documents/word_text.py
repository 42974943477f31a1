"""`WordText`: the text of WordprocessingML as Markdown, as a reader of the accepted document sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agentaudio.retrieval.documents.word_numbers import Element, WordNumbers

_NAMESPACE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_TRANSPARENT = frozenset(
    "sdtContent ins moveTo customXml smartTag hyperlink fldSimple dir bdo ruby rubyBase oMathPara oMath".split()
)
"""Elements of which only the content is shown."""
_CHARACTERS = {"tab": " ", "ptab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_SYMBOL_FONTS = 0xD800
"""From here on, characters have a meaning only in a font such as Wingdings, or none."""
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,4}")


def name(element: Element) -> str:
    """The name of an element without its namespace; empty for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, key: str) -> str | None:
    """An attribute of WordprocessingML; None when it is missing."""
    value: str | None = element.get(_NAMESPACE + key)
    return value


class WordText:
    """Reads content of a Word file: merged cells once, insertions but no deletions, fields as their results.

    levels: heading levels of 1 to 6, by the ids of styles
    notes: footnotes and endnotes, by kind and id; they are read where they are referred to, in brackets
    numbers: of lists and headings, which stand before their text
    """

    def __init__(
        self, *, levels: Mapping[str, int], notes: Mapping[tuple[str, str], Element], numbers: WordNumbers
    ) -> None:
        self._numbers = numbers
        self._levels = levels
        self._notes = dict(notes)
        self._boxes: list[Element] = []

    def blocks(self, parent: Element) -> Iterator[str]:
        """Markdown of each paragraph, heading, table and text box, without empty ones."""
        for child in _shown(parent):
            kind = name(child)
            if kind == "p":
                yield from self._paragraph(child)
            elif kind == "tbl":
                yield from self._table(child)

    def _paragraph(self, paragraph: Element) -> Iterator[str]:
        before = len(self._boxes)
        number = self._numbers.label(_child(paragraph, "pPr"))
        text = "\n".join(line for part in self._inline(paragraph).split("\n") if (line := " ".join(part.split())))
        boxes, self._boxes = self._boxes[before:], self._boxes[:before]
        if text:
            text = f"{number} {text}" if number else text
            level = self._level(paragraph)
            yield f"{'#' * level} {' '.join(text.split())}" if level else text
        for box in boxes:
            yield from self.blocks(box)

    def _level(self, paragraph: Element) -> int:
        properties = _child(paragraph, "pPr")
        style = _child(properties, "pStyle")
        level = 0 if style is None else self._levels.get(attribute(style, "val") or "", 0)
        outline = _child(properties, "outlineLvl")
        number = "" if outline is None else attribute(outline, "val") or ""
        return int(number) + 1 if not level and number in tuple("012345") else level

    def _inline(self, parent: Element) -> str:
        return "".join(self._piece(child) for child in _shown(parent))

    def _piece(self, element: Element) -> str:
        kind = name(element)
        if kind == "r":
            return "" if _is_on(_child(_child(element, "rPr"), "vanish")) else self._inline(element)
        if kind == "t":
            return element.text or ""
        if kind in _CHARACTERS:
            return _CHARACTERS[kind]
        if kind == "sym":
            code = attribute(element, "char") or ""
            plain = _HEXADECIMAL.fullmatch(code) and 32 <= int(code, 16) < _SYMBOL_FONTS
            return chr(int(code, 16)) if plain else ""
        if kind in ("footnoteReference", "endnoteReference"):
            return self._note(kind.removesuffix("Reference"), attribute(element, "id") or "")
        if kind in ("drawing", "pict", "object"):
            self._boxes += _text_boxes(element)
            return ""
        # Formulas nest their text in many kinds of elements.
        return self._inline(element) if element.tag.startswith(_MATH) else ""

    def _note(self, kind: str, id: str) -> str:
        note = self._notes.pop((kind, id), None)  # a note that refers to itself would have no end
        text = "" if note is None else " ".join(" ".join(self.blocks(note)).split())
        return f" ({text})" if text else ""

    def _table(self, table: Element) -> Iterator[str]:
        rows = [row for row in _shown(table) if name(row) == "tr"]
        if all(len(_cells(row)) <= 1 for row in rows):  # a frame around text
            for row in rows:
                for cell in _cells(row):
                    yield from self.blocks(cell)
            return
        written = [(row, self._row(row)) for row in rows]
        written = [(row, cells) for row, cells in written if any(cells)]
        lines = [" | ".join(cells) for _, cells in written]
        header = _header_rows(written)
        if 0 < header < len(lines):
            width = max(2, *(len(cells) for _, cells in written))
            lines.insert(header, " | ".join(["---"] * width))
        if lines:
            yield "\n".join(lines)

    def _row(self, row: Element) -> list[str]:
        """The text of each column; empty where a cell goes on from the left or from above."""
        skipped = _child(_child(row, "trPr"), "gridBefore")
        columns = [""] * _number(skipped)
        for cell in _cells(row):
            columns.append("" if _goes_on(cell) else self._cell(cell))
            columns += [""] * (_number(_child(_child(cell, "tcPr"), "gridSpan"), 1) - 1)
        return columns

    def _cell(self, cell: Element) -> str:
        """One line. A table within becomes its cells with commas, and its rows with semicolons between."""
        parts = []
        for child in _shown(cell):
            if name(child) == "p":
                parts += [block.lstrip("# ") for block in self._paragraph(child)]
            elif name(child) == "tbl":
                inner = [self._row(row) for row in _shown(child) if name(row) == "tr"]
                parts.append("; ".join(", ".join(filter(None, row)) for row in inner if any(row)))
        return " ".join(" ".join(parts).split()).replace("|", "\\|")


def _shown(parent: Element) -> Iterator[Element]:
    """The children that are shown, without the elements that wrap them."""
    for child in parent:
        kind = name(child)
        if kind == "sdt":
            if _is_on(_child(_child(child, "sdtPr"), "showingPlcHdr")):
                continue  # "Click here to enter text"
            content = _child(child, "sdtContent")
            if content is not None:
                yield from _shown(content)
        elif kind == "AlternateContent":
            yield from _shown(_first_version(child))
        elif kind in _TRANSPARENT:
            yield from _shown(child)
        elif not (kind == "tr" and _child(_child(child, "trPr"), "del") is not None):
            yield child


def _first_version(alternatives: Element) -> Element:
    """The preferred one of several forms of the same content."""
    return next((form for form in alternatives if name(form) in ("Choice", "Fallback")), ())


def _text_boxes(parent: Element) -> Iterator[Element]:
    for child in parent:
        kind = name(child)
        if kind == "txbxContent":
            yield child
        else:
            yield from _text_boxes(_first_version(child) if kind == "AlternateContent" else child)


def _child(parent: Element | None, kind: str) -> Element | None:
    return None if parent is None else parent.find(_NAMESPACE + kind)


def _is_on(element: Element | None) -> bool:
    return element is not None and attribute(element, "val") not in ("0", "false", "off")


def _number(element: Element | None, default: int = 0) -> int:
    value = "" if element is None else attribute(element, "val") or ""
    return min(int(value), 1_000) if value.isdecimal() else default


def _cells(row: Element) -> list[Element]:
    return [cell for cell in _shown(row) if name(cell) == "tc"]


def _goes_on(cell: Element) -> bool:
    """Whether a cell is merged with the one above it."""
    merged = _child(_child(cell, "tcPr"), "vMerge")
    return merged is not None and attribute(merged, "val") != "restart"


def _header_rows(rows: list[tuple[Element, list[str]]]) -> int:
    """How many of the first rows name the columns: those marked so, or else the first and a title above it.

    A row that shares a merged cell with the header belongs to it.
    """
    header = 0
    while header < len(rows) and _is_on(_child(_child(rows[header][0], "trPr"), "tblHeader")):
        header += 1
    if not header:
        while header < 2 and header < len(rows) and rows[header][1][0] and sum(map(bool, rows[header][1])) == 1:
            header += 1
        header += 1
    while header < len(rows) and any(map(_goes_on, _cells(rows[header][0]))):
        header += 1
    return header
