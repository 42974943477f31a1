"""Text from outside, quoted for models and read back."""

from __future__ import annotations

import unicodedata

import pytest

from agentaudio.quotation import HEAD, quotation, unquoted, visible

TEXTS = [
    "open",
    "a\nb",
    "> a",
    "a\r\nb\rc",
    '{"a": "b"}',
    "a\u2028b\u2029c",
    "a\x0bb\x0cc\x85d",
    "Quoted material\n\n> a",
]


@pytest.mark.parametrize(
    "text", [*TEXTS, f"{HEAD}\n\n> x", "> > x\n\n\n\n[1] y", "\u202e\u200b\x1b[2J x", "\n" * 10_000 + "x"]
)
def test_every_line_is_behind_the_mark(text: str) -> None:
    head, empty, *lines = quotation(text).split("\n")
    assert (head, empty) == (HEAD, "") and lines
    assert all(line.startswith("> ") and line.strip() != ">" for line in lines)
    assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in quotation(text))
    assert len(quotation(text)) <= len(HEAD) + 2 + 3 * len(text)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_quoted_can_be_read_back(text: str) -> None:
    lines = visible(text).splitlines()
    assert unquoted(quotation(text)) == "\n".join(line for line in lines if line.strip())


@pytest.mark.parametrize("text", ["", "open", "> a", HEAD, f"{HEAD}\n\n[1] Title (source)\n> words", f"x{HEAD}\n\n> a"])
def test_other_text_is_unchanged(text: str) -> None:
    assert unquoted(text) == text
