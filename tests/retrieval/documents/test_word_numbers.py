"""Numbered lists and headings of Word files keep the numbers that a reader sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.documents.index import DocumentIndex

pytest.importorskip("docx", reason="needs the extra 'documents'")

import docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls


def level(number: int, text: str, kind: str = "decimal", start: int = 1, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{number}"><w:start w:val="{start}"/><w:numFmt w:val="{kind}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def with_lists(*abstract: str, lists: dict[int, str]) -> Any:
    """A document whose numbering is replaced.

    abstract: the levels of each definition, which are numbered from 1
    lists: for each list, the number of its definition and what it overrides
    """
    made = docx.Document()
    root = made.part.numbering_part.element
    for child in list(root):
        root.remove(child)
    for id, levels in enumerate(abstract, 1):
        root.append(parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{id}">{levels}</w:abstractNum>'))
    for id, content in lists.items():
        kind, _, overrides = content.partition(" ")
        root.append(
            parse_xml(f'<w:num {nsdecls("w")} w:numId="{id}"><w:abstractNumId w:val="{kind}"/>{overrides}</w:num>')
        )
    return made


def add(made: Any, text: str, id: int | None = None, depth: int = 0, style: str | None = None) -> None:
    paragraph = made.add_paragraph(text, style=style)
    if id is not None:
        numbering = f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{depth}"/><w:numId w:val="{id}"/></w:numPr>'
        paragraph._p.get_or_add_pPr().append(parse_xml(numbering))


def lines(made: Any, tmp_path: Path) -> list[str]:
    made.save(str(tmp_path / "a.docx"))
    (document,) = read_documents(tmp_path / "a.docx", "a.docx")
    return document.text.split("\n\n")


OUTLINE = level(0, "%1.") + level(1, "%1.%2") + level(2, "(%3)", "lowerLetter")


def test_numbers_of_each_level_count_and_begin_again(tmp_path: Path) -> None:
    made = with_lists(OUTLINE, lists={5: "1"})
    for text, depth in (("Dogs", 0), ("big", 1), ("loud", 2), ("slow", 2), ("small", 1), ("Cats", 0), ("grey", 1)):
        add(made, text, 5, depth)
    add(made, "Between.")
    add(made, "Birds", 5)
    assert lines(made, tmp_path) == [
        "1. Dogs", "1.1 big", "(a) loud", "(b) slow", "1.2 small", "2. Cats", "2.1 grey", "Between.", "3. Birds",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "start", "text", "shown"),
    [
        ("upperRoman", 9, "%1.", ["IX.", "X."]), ("lowerRoman", 3, "%1)", ["iii)", "iv)"]),
        ("upperLetter", 26, "%1", ["Z", "AA"]), ("decimalZero", 9, "%1", ["09", "10"]),
        ("ordinal", 11, "%1", ["11th", "12th"]), ("ordinal", 21, "%1", ["21st", "22nd"]),
        ("chineseCounting", 9, "第%1条", ["第九条", "第十条"]), ("decimalEnclosedCircle", 1, "%1", ["①", "②"]),
        ("decimal", 0, "Article %1 –", ["Article 0 –", "Article 1 –"]), ("someOtherKind", 4, "§ %1", ["§ 4", "§ 5"]),
        ("bullet", 1, "·", ["", ""]), ("none", 1, "%1", ["", ""]), ("upperRoman", 4000, "%1", ["4000", "4001"]),
    ],
)  # fmt: skip
def test_numbers_are_written_in_their_format(
    tmp_path: Path, kind: str, start: int, text: str, shown: list[str]
) -> None:
    made = with_lists(level(0, text, kind, start), lists={1: "1"})
    add(made, "one", 1)
    add(made, "two", 1)
    assert lines(made, tmp_path) == [
        f"{label} {word}".strip() for label, word in zip(shown, ("one", "two"), strict=True)
    ]


def test_lists_of_one_definition_go_on_and_overrides_begin_again(tmp_path: Path) -> None:
    again = '1 <w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride>'
    other = f'1 <w:lvlOverride w:ilvl="0">{level(0, "Step %1:")}</w:lvlOverride>'
    made = with_lists(OUTLINE, lists={1: "1", 2: "1", 3: again, 4: other})
    for text, id in (("a", 1), ("b", 2), ("c", 3), ("d", 3), ("e", 4)):
        add(made, text, id)
    assert lines(made, tmp_path) == ["1. a", "2. b", "7. c", "8. d", "Step 9: e"]


def test_levels_may_go_on_and_show_decimals_only(tmp_path: Path) -> None:
    made = with_lists(
        level(0, "%1.", "upperRoman") + level(1, "%1.%2", more='<w:lvlRestart w:val="0"/><w:isLgl/>'), lists={1: "1"}
    )
    for text, depth in (("a", 0), ("b", 1), ("c", 0), ("d", 1)):
        add(made, text, 1, depth)
    assert lines(made, tmp_path) == ["I. a", "1.1 b", "II. c", "2.2 d"]


def test_styles_number_their_paragraphs_and_a_paragraph_may_have_none(tmp_path: Path) -> None:
    made = with_lists(
        level(0, "%1", more='<w:pStyle w:val="Heading1"/>') + level(1, "%1.%2", more='<w:pStyle w:val="Heading2"/>'),
        lists={1: "1"},
    )
    for name in ("Heading 1", "Heading 2"):
        properties = made.styles[name].element.get_or_add_pPr()
        properties.append(parse_xml(f'<w:numPr {nsdecls("w")}><w:numId w:val="1"/></w:numPr>'))
    add(made, "Rules", style="Heading 1")
    add(made, "Pets", style="Heading 2")
    add(made, "Dogs wait outside.")
    add(made, "Foreword", 0, style="Heading 1")
    add(made, "It was late.")
    add(made, "Fees", style="Heading 1")
    add(made, "None.")
    assert lines(made, tmp_path)[:2] == ["# 1 Rules", "## 1.1 Pets"]
    passages = DocumentIndex.from_folder(tmp_path, embed=None).passages
    assert [passage.title for passage in passages] == ["1 Rules: 1.1 Pets", "Foreword", "2 Fees"]


def test_the_lists_of_a_new_document_are_numbered(tmp_path: Path) -> None:
    made = docx.Document()
    for text, style in (("Boil", "List Number"), ("soft", "List Bullet"), ("Pour", "List Number")):
        made.add_paragraph(text, style=style)
    assert lines(made, tmp_path) == ["1. Boil", "soft", "2. Pour"]


@pytest.mark.parametrize(
    "levels",
    [
        '<w:lvl w:ilvl="99999999999999999999"/>', '<w:lvl/>', level(0, "%9%8%7"), level(0, "%1" * 5000),
        level(0, "%1", start=999999999999999999999), '<w:numStyleLink w:val="Normal"/>', '<w:numStyleLink w:val="x"/>',
    ],
)  # fmt: skip
def test_damaged_definitions_cost_no_text(tmp_path: Path, levels: str) -> None:
    made = with_lists(levels, lists={1: "1", 2: "77"})
    for id in (1, 2, 3):
        add(made, "words", id, 0)
    found = lines(made, tmp_path)
    assert len(found) == 3 and all(line.endswith("words") and len(line) < 500 for line in found)
