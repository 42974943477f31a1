"""Blocks of Markdown or plain text: headings, paragraphs, code and tables, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
_FRONT_MATTER = re.compile(r"---[ \t]*\n(?:.*\S.*\n)*?---[ \t]*(?:\n|\Z)")
_LONGEST_FRONT_MATTER = 10_000
_PRE, _PRE_END = re.compile(r"\s*<pre\b", re.IGNORECASE), re.compile(r"</pre\s*>", re.IGNORECASE)
_BAR = re.compile(r"(?<!\\)\|")

Kind = Literal["heading", "text", "code", "table"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line feed. start: its offset in the whole text"""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """kind: what the lines are. A blank line stands only inside code.

    heading: the text of a heading, and its level of 1 to 6; 0 for other blocks
    header: number of lines above the rule of a table; its rule is not among the lines
    """

    kind: Kind
    lines: tuple[Line, ...]
    heading: str = ""
    level: int = 0
    header: int = 0


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text in order.

    What stands between code fences, in `<pre>` and in front matter is code, whatever it looks like. A fence that is
    not closed ends with the text, as in CommonMark. A table has a rule (`---|---`) below its first lines.
    """
    lines = _lines(text)
    last_pre = max((number for number, line in enumerate(lines) if _PRE_END.search(line.text)), default=-1)
    waiting: list[Line] = []
    place = 0
    if front := _FRONT_MATTER.match(text, 0, _LONGEST_FRONT_MATTER):
        place = text.count("\n", 0, front.end()) or 1
        yield Block("code", tuple(lines[:place]))
    while place < len(lines):
        line = lines[place]
        if end := _fence_end(lines, place) or _pre_end(lines, place, last_pre):
            yield from _text(waiting)
            yield Block("code", tuple(lines[place:end]))
            place = end
        elif heading := _HEADING.fullmatch(line.text):
            yield from _text(waiting)
            yield Block("heading", (line,), _heading(heading[2]), len(heading[1]))
            place += 1
        elif waiting and _is_rule(line.text) and _BAR.search(waiting[-1].text):
            end = _table_end(lines, place + 1)
            header = _header(waiting)
            yield from _text(waiting[: len(waiting) - len(header)])
            yield Block("table", (*header, *lines[place + 1 : end]), header=len(header))
            waiting, place = [], end
            continue
        else:
            if line.text.strip():
                waiting.append(line)
                place += 1
                continue
            yield from _text(waiting)
            place += 1
        waiting = []
    yield from _text(waiting)


def cells(row: str) -> list[str]:
    """The cells of a row of a table, without white space around them."""
    inner = row.strip()
    inner = inner.removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [" ".join(cell.replace("\\|", "|").split()) for cell in _BAR.split(inner)]


def _lines(text: str) -> list[Line]:
    found, start = [], 0
    for line in text.split("\n"):
        found.append(Line(start, line))
        start += len(line) + 1
    return found


def _text(lines: list[Line]) -> Iterator[Block]:
    if lines:
        yield Block("text", tuple(lines))


def _heading(text: str) -> str:
    """The text of a heading without closing marks, which have a space before them: `# C# #` is `C#`."""
    text = text.rstrip()
    unmarked = text.rstrip("#")
    return " ".join((unmarked if not unmarked or unmarked[-1].isspace() else text).split())


def _fence_end(lines: list[Line], place: int) -> int:
    """The line after code whose opening fence is this line; 0 when it is none."""
    fence = _FENCE.fullmatch(lines[place].text)
    if fence is None or (fence[1][0] == "`" and "`" in fence[2]):  # code within a line
        return 0
    for end in range(place + 1, len(lines)):
        closing = lines[end].text.strip()
        if len(closing) >= len(fence[1]) and not closing.strip(fence[1][0]):
            return end + 1
    return len(lines)


def _pre_end(lines: list[Line], place: int, last: int) -> int:
    """The line after preformatted text that begins in this line; 0 when none begins, or none ends by line `last`."""
    if not _PRE.match(lines[place].text):
        return 0
    return next((end + 1 for end in range(place, last + 1) if _PRE_END.search(lines[end].text)), 0)


def _is_rule(line: str) -> bool:
    """Whether a line parts the header of a table from its rows: two or more runs of dashes, or one between bars."""
    inner = line.strip()
    if "|" not in inner or inner.strip("|:- \t"):
        return False
    parts = inner.strip("|").split("|")
    return all(part.strip().strip(":") and not part.strip().strip(":").strip("-") for part in parts)


def _header(lines: list[Line]) -> list[Line]:
    """The last lines that have bars: the header of a table."""
    first = len(lines)
    while first and _BAR.search(lines[first - 1].text):
        first -= 1
    return lines[first:]


def _table_end(lines: list[Line], place: int) -> int:
    while place < len(lines) and _BAR.search(lines[place].text) and not _FENCE.fullmatch(lines[place].text):
        place += 1
    return place
