"""Numbered lists of pages keep the numbers that a reader sees."""

from __future__ import annotations

import pytest

from agentaudio.retrieval.documents.html import article

pytest.importorskip("trafilatura", reason="needs the extra 'web'")

FIRST = "Boil the water until it bubbles for a while"
SECOND = "Pour it slowly over the leaves in the pot"
LEAD = "<p>This is how tea is made in the north of the country, in a few steps that everybody can follow at home.</p>"


def lines(items: str) -> list[str]:
    page = f"<html><body><article><h1>Tea</h1>{LEAD}{items}</article></body></html>"
    return [line for line in article(page.encode()).text.split("\n") if FIRST in line or SECOND in line]


@pytest.mark.parametrize(
    ("attributes", "first", "second"),
    [
        ("", "1. ", "2. "), ('start="5"', "- 5. ", "- 6. "), ('type="a"', "- a. ", "- b. "),
        ("TYPE=I START=4", "- IV. ", "- V. "),
        ("reversed", "- 2. ", "- 1. "), ('start="0" class="x"', "- 0. ", "- 1. "), ('start="x"', "1. ", "2. "),
    ],
)  # fmt: skip
def test_lists_are_numbered_as_they_are_shown(attributes: str, first: str, second: str) -> None:
    found = lines(f"<ol {attributes}><li>{FIRST}.</li><li>{SECOND}.</li></ol>")
    assert found == [f"{first}{FIRST}.", f"{second}{SECOND}."]


def test_an_item_may_state_its_number() -> None:
    assert lines(f"<ol><li value=7>{FIRST}.<li>{SECOND}.</ol>") == [f"- 7. {FIRST}.", f"- 8. {SECOND}."]
