"""Placeholders in texts: each is filled in once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import ToolError
from agentaudio.tools.declarative.placeholder import fill, fill_all, placeholders

VALUES: dict[str, Any] = {
    "city": "Rome", "n": 3, "yes": True, "nothing": None, "place": {"at": [1.5, {"deep": "x"}]}, "braces": "{city}",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("in {city}", "in Rome"),
        ("{n}{yes}{nothing}", "3true"),
        ("{place.at.0} {place.at.1.deep}", "1.5 x"),
        ("{{city}} {{{city}}}", "{city} {Rome}"),
        ("{braces}", "{city}"),
        ("{not a name} {} {1} {", "{not a name} {} {1} {"),
    ],
)
def test_names_in_braces_are_filled_in_once(text: str, filled: str) -> None:
    assert fill(text, VALUES) == filled


def test_a_value_alone_keeps_its_type() -> None:
    given = {"a": "{n}", "b": ["{yes}", "{nothing}", "n={n}"], "c": {"d": "{place.at}"}, "e": 7}
    filled = {"a": 3, "b": [True, None, "n=3"], "c": {"d": [1.5, {"deep": "x"}]}, "e": 7}
    assert fill_all(given, VALUES) == filled
    assert list(placeholders(given)) == ["n", "yes", "nothing", "n", "place.at"]


@pytest.mark.parametrize("name", ["place.where", "place.at.7", "city.x", "n.0", "gone"])
def test_missing_values_are_named(name: str) -> None:
    with pytest.raises(ToolError, match=f"has no {name}"):
        fill(f"{{{name}}}", VALUES)


@given(st.text(max_size=30))
def test_values_survive_url_encoding(value: str) -> None:
    value = value.encode("utf-8", "replace").decode()
    address = fill("https://example.com/{value}/end", {"value": value}, lambda text: quote(text, safe=""))
    head, middle, end = address.split("/")[2:]
    assert (head, unquote(middle), end) == ("example.com", value, "end")


@given(st.text(st.characters(exclude_characters="{}"), max_size=30))
def test_a_text_without_braces_stays_as_it_is(text: str) -> None:
    assert fill(text, VALUES) == text and fill_all(text, VALUES) == text
