"""Headings, code and tables of Markdown become passages that can be understood by themselves."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.conversation import Passage
from agentaudio.retrieval.text.blocks import blocks, cells
from agentaudio.retrieval.text.splitting import MAX_PASSAGE_CHARS, Document, split


def passages(text: str) -> list[Passage]:
    return list(split(Document(text, "File", "f.md")))


@pytest.mark.parametrize(
    "code",
    [
        "```bash\n# install it\n\n# run it\n```",
        "~~~\n# install it\n```\n# run it\n~~~",
        "````md\n```\n# inner\n```\n# still code\n````",
        "- a list\n\n  ```yaml\n  key: 1\n# comment\n  ```",
        "<pre>\n# comment\n\n## another\n</pre>",
        "<PRE class='x'># comment\n# more</PRE >",
        "A line.\n\n    # indented code",
        "\t# indented by a tab",
        "#!/bin/sh",
        "#hashtag",
        "####### seven marks",
    ],
)
def test_what_looks_like_a_heading_in_code_is_none(code: str) -> None:
    found = passages(f"# Setup\n\nBefore.\n\n{code}\n\n## Use\n\nAfter.")
    assert {p.title for p in found[:-1]} == {"Setup"} and found[-1].title == "Setup: Use"
    assert [p.text for p in found][:: len(found) - 1] == ["Before.", "After."]


def test_a_comment_in_front_matter_is_no_heading() -> None:
    assert [p.title for p in passages("---\n# drafted in May\nlayout: page\n---\n# Tea\nGreen.")] == ["File", "Tea"]
    assert [p.title for p in passages("---\n\n# Tea\n\nGreen.\n\n---\n")][1] == "Tea"  # rules, not front matter


def test_a_fence_that_is_not_closed_ends_with_the_text() -> None:
    assert {p.title for p in passages("# Setup\n```\nmake\n# all\n\n# clean")} == {"Setup"}
    assert passages("# Setup\nWrite ```make``` here.\n# Use\nRun.")[-1].title == "Use"
    assert passages("<pre>\nnever closed\n# Use\nRun.")[-1].title == "Use"


@pytest.mark.parametrize(
    ("line", "title"), [("# C#", "C#"), ("# F # ##", "F #"), ("# Tea ###  ", "Tea"), ("# #", "File")]
)
def test_only_closing_marks_are_left_out_of_a_heading(line: str, title: str) -> None:
    assert passages(f"{line}\nText.")[0].title == title


def table(rows: int, width: int = 10, bars: str = "| {} |") -> str:
    lines = ["Item | Price | In stock", "--|:-:|--:", *(f"item{n} | {n} euros | {'x' * width}{n}" for n in range(rows))]
    return "\n".join(bars.format(line) for line in lines)


@pytest.mark.parametrize("bars", ["| {} |", "{}", "  |{}"])
def test_a_table_is_cut_between_rows_and_repeats_its_header(bars: str) -> None:
    text = f"# Shop\n\nWhat we sell:\n{table(90, bars=bars)}\n\nCome and see."
    first, *cut, last = passages(text)
    assert (first.text, last.text) == ("What we sell:", "Come and see.") and len(cut) > 4
    found = []
    for passage in cut:
        header, *rows = passage.text.split("\n")
        assert header == "Item | Price | In stock" and len(passage.text) <= MAX_PASSAGE_CHARS
        start = rows[0] if passage is not cut[0] else header
        assert text[passage.position :].startswith(start.split(" ")[0])
        found += rows
    assert found == [f"item{n} | {n} euros | {'x' * 10}{n}" for n in range(90)]


def test_a_header_of_several_lines_is_repeated() -> None:
    text = "Fees 2027 | |\nGroup | Adult | Child\n---|---|---\n" + "Swimming in the old pool | 120 | 60\n" * 40
    cut = passages(text)
    assert len(cut) > 1 and all(p.text.startswith("Fees 2027\nGroup | Adult | Child\nSwimming") for p in cut)


def test_a_row_longer_than_a_passage_is_cut_below_the_header() -> None:
    cut = passages("Name | About\n---|---\nAda | " + "many words " * 200)
    assert len(cut) > 3 and all(p.text.startswith("Name | About\n") and len(p.text) <= MAX_PASSAGE_CHARS for p in cut)
    assert sum(p.text.count("many words") for p in cut) >= 195
    wide = passages(f"{'a very wide header ' * 30}| b\n---|---\n" + "cell | other\n" * 100)
    assert all(len(p.text) <= MAX_PASSAGE_CHARS for p in wide)
    assert sum(p.text.count("cell | other") for p in wide) == 100


def test_a_table_in_code_and_bars_without_a_rule_are_text() -> None:
    assert [block.kind for block in blocks("```\na | b\n---|---\n```")] == ["code"]
    assert [block.kind for block in blocks("a | b\nc | d")] == ["text"]
    assert [block.kind for block in blocks("Title\n-----\n\na\n\n---\n")] == ["text", "text", "text"]
    assert cells(r"| a \| b | | `c` |") == ["a | b", "", "`c`"]


@given(st.lists(st.sampled_from(["# a", "## b #", "a | b", "|c|", "---|---", "|-|", "```", "~~~", "<pre>", "</pre>", "",
                                 "---", "    # x", "word", "- item."]), max_size=40))  # fmt: skip
def test_any_markdown_keeps_its_words_in_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = passages(text)
    assert [p.position for p in found] == sorted(p.position for p in found)
    said = sum(line in ("word", "- item.") for line in lines)
    assert sum(p.text.count("word") + p.text.count("item") for p in found) == said


@pytest.mark.parametrize("unit", ["<pre\n", "|\n", "a|b\n-|-\n", "# ", "-|", "~~~a\n", "a|b\n|" + " " * 9])
def test_hostile_markdown_takes_no_more_than_linear_time(unit: str) -> None:
    begun = time.process_time()
    passages(unit * (100_000 // len(unit)))
    assert time.process_time() - begun < 5
