"""`WordNumbers`: the numbers of lists and headings in a Word file, which it computes when it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentaudio.retrieval.documents.list_numbers import letters, roman
from agentaudio.text.chinese_spoken_form import number_characters

Element = Any  # of lxml, which has no types

_NAMESPACE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LEVELS = 9
_LONGEST_LABEL = 100
_LONGEST_LINK = 5


@dataclass(slots=True)
class Level:
    """How one level of a list is numbered (ECMA-376, 17.9.6).

    text: with %1 to %9 for the numbers of the levels
    restarts: the level, from 1, after which it begins again; None is any higher one, 0 none
    style: id of the paragraph style that belongs to it
    """

    start: int = 1
    format: str = "decimal"
    text: str = ""
    decimal_only: bool = False
    restarts: int | None = None
    style: str = ""


class WordNumbers:
    """Counts the paragraphs of lists, in the order in which they are shown.

    numbering: the root of the numbering part; None without one
    styles: the paragraph properties of each style and the id of its base, by the style's id
    """

    def __init__(self, numbering: Element | None, styles: Mapping[str, tuple[Element | None, str]]) -> None:
        self._styles = styles
        self._lists = dict[str, tuple[str, list[Level], dict[int, int]]]()
        self._counts = dict[str, list[int | None]]()
        self._begun = set[str]()
        if numbering is not None:
            self._read(numbering)

    def label(self, properties: Element | None) -> str:
        """The number of the next paragraph, such as "2.1" or "(c)"; empty for bullets and outside lists.

        properties: of the paragraph
        """
        found = self._place(properties)
        if found is None or found[0] not in self._lists:
            return ""
        id, level = found
        counted, levels, starts = self._lists[id]
        counts = self._counts.setdefault(counted, [None] * _LEVELS)
        if id not in self._begun:
            self._begun.add(id)
            for place in starts:
                counts[place] = None
        first = starts.get(level, levels[level].start)
        before = counts[level]
        counts[level] = first if before is None else before + 1
        for place in range(level):
            if counts[place] is None:
                counts[place] = starts.get(place, levels[place].start)
        for place in range(level + 1, _LEVELS):
            restarts = levels[place].restarts
            if restarts is None or level < restarts:
                counts[place] = None
        return _label(levels, level, counts)

    def _place(self, properties: Element | None) -> tuple[str, int] | None:
        """The list and the level of a paragraph, by itself or by its style."""
        id, level = _numbered(properties)
        style = _value(properties, "pStyle")
        seen = set[str]()
        while style and style not in seen and (id is None or level is None):
            seen.add(style)
            inherited, base = self._styles.get(style, (None, ""))
            styled, styled_level = _numbered(inherited)
            if id is None and styled is not None:
                id = styled
                linked = [number for number, one in enumerate(self._levels(id)) if one.style == style]
                level = level if level is not None else linked[0] if linked else styled_level
            style = base
        return None if id is None or id == "0" else (id, level or 0)

    def _levels(self, id: str) -> list[Level]:
        return self._lists[id][1] if id in self._lists else []

    def _read(self, numbering: Element) -> None:
        abstract = {_attribute(one, "abstractNumId"): one for one in _children(numbering, "abstractNum")}
        numbers = {_attribute(one, "numId"): one for one in _children(numbering, "num")}
        for id, number in numbers.items():
            counted, kind = self._kind(number, numbers, abstract)
            levels = [Level() for _ in range(_LEVELS)]
            if kind is not None:
                _read_levels(levels, _children(kind, "lvl"))
            starts = dict[int, int]()
            for change in _children(number, "lvlOverride"):
                place = _integer(_attribute(change, "ilvl"), 0)
                _read_levels(levels, _children(change, "lvl"))
                start = change.find(_NAMESPACE + "startOverride")
                if start is not None and place < _LEVELS:
                    starts[place] = _integer(_attribute(start, "val"), 1)
            if kind is not None:
                self._lists[id] = (counted, levels, starts)

    def _kind(
        self, number: Element, numbers: Mapping[str, Element], abstract: Mapping[str, Element]
    ) -> tuple[str, Element | None]:
        """The definition of a list, also where it is given by a style, and its id."""
        id = _value(number, "abstractNumId")
        for _ in range(_LONGEST_LINK):
            kind = abstract.get(id)
            style = _value(kind, "numStyleLink")
            if not style:
                return id, kind
            linked, _ = _numbered(self._styles.get(style, (None, ""))[0])
            if linked is None or linked not in numbers:
                break
            id = _value(numbers[linked], "abstractNumId")
        return id, None


def _read_levels(levels: list[Level], elements: Iterable[Element]) -> None:
    for element in elements:
        place = _integer(_attribute(element, "ilvl"), 0)
        if place >= _LEVELS:
            continue
        restarts = _value(element, "lvlRestart")
        levels[place] = Level(
            start=_integer(_value(element, "start"), 1),
            format=_value(element, "numFmt") or "decimal",
            text=_value(element, "lvlText")[:_LONGEST_LABEL],
            decimal_only=element.find(_NAMESPACE + "isLgl") is not None,
            restarts=_integer(restarts, 0) if restarts else None,
            style=_value(element, "pStyle"),
        )


def _label(levels: list[Level], level: int, counts: list[int | None]) -> str:
    shown = levels[level]
    if shown.format in ("bullet", "none"):
        return ""

    def number(match: re.Match[str]) -> str:
        place = int(match[1]) - 1
        count = counts[place]
        made = _FORMATS.get("decimal" if shown.decimal_only else levels[place].format, str)
        return made(count if count is not None else levels[place].start)

    return " ".join(re.sub("%([1-9])", number, shown.text).split())


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, "th")
    return f"{number}{ending}"


def _chinese(number: int) -> str:
    return number_characters(str(number))


_FORMATS: Mapping[str, Callable[[int], str]] = {
    "decimal": str, "decimalZero": lambda number: f"{number:02}", "ordinal": _ordinal,
    "lowerLetter": letters, "upperLetter": lambda number: letters(number).upper(),
    "lowerRoman": roman, "upperRoman": lambda number: roman(number).upper(),
    "chineseCounting": _chinese, "chineseCountingThousand": _chinese, "japaneseCounting": _chinese,
    "taiwaneseCounting": _chinese, "taiwaneseCountingThousand": _chinese, "ideographDigital": _chinese,
    "decimalEnclosedCircle": lambda number: chr(0x245F + number) if 0 < number <= 20 else str(number),
    "decimalEnclosedParen": lambda number: f"({number})",
}  # fmt: skip


def _numbered(properties: Element | None) -> tuple[str | None, int | None]:
    """List and level that paragraph properties name."""
    numbering = None if properties is None else properties.find(_NAMESPACE + "numPr")
    if numbering is None:
        return None, None
    level = _value(numbering, "ilvl")
    return _value(numbering, "numId") or None, min(_integer(level, 0), _LEVELS - 1) if level else None


def _children(parent: Element, kind: str) -> list[Element]:
    found: list[Element] = parent.findall(_NAMESPACE + kind)
    return found


def _value(parent: Element | None, kind: str) -> str:
    """The value of a child; empty without one."""
    child = None if parent is None else parent.find(_NAMESPACE + kind)
    return "" if child is None else _attribute(child, "val")


def _attribute(element: Element, key: str) -> str:
    return element.get(_NAMESPACE + key) or ""


def _integer(text: str, default: int) -> int:
    return min(int(text), 1_000_000) if re.fullmatch(r"[0-9]{1,7}", text) else default
