"""The ledger of weights: what ships, and what is refused."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import WeightsError
from agentaudio.weights.ledger import LEDGER, Archive, Hub, Release, Wheels, find, ledger, read_ledger, validate

ENTRY = """
[tiny]
purpose = "tests"
licence = "CC0-1.0"
credit = "nobody"
home = "https://example.org/"
files."a.bin" = { size = 3, sha256 = "%s" }
[[tiny.sources]]
kind = "release"
urls."a.bin" = "https://example.org/a.bin"
""" % ("0" * 64)


def test_every_file_of_the_shipped_ledger_has_a_source() -> None:
    for name, entry in ledger().items():
        sourced: set[str] = set()
        for source in entry.sources:
            match source:
                case Hub():
                    sourced |= {file for file in entry.files if source.path(file)}
                case Archive():
                    sourced |= entry.files.keys()
                case Release():
                    sourced |= source.urls.keys()
                case Wheels():
                    sourced |= source.members.keys()
        assert sourced == entry.files.keys(), name


def test_unknown_weights_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(WeightsError, match=r"no weights named 'whisper-bas'; did you mean 'whisper-base'\?"):
        find("whisper-bas", ledger())


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("tiny]", "../tiny]", "is not TOML"),
        ("[tiny]", '["../tiny"]', "wrong at"),
        ('"a.bin" = {', '"../a.bin" = {', "tiny.files"),
        ('"a.bin" = {', '"/a.bin" = {', "tiny.files"),
        ('"a.bin" = {', '"b/.a.bin" = {', "tiny.files"),
        ("size = 3", "size = 0", "tiny.files.a.bin.size"),
        ("size = 3", "size = true", "tiny.files.a.bin.size"),
        ('"00', '"G0', "tiny.files.a.bin.sha256"),
        ("https://example.org/a", "file:///etc/passwd", "tiny.sources.0.release.urls.a.bin"),
        ('urls."a.bin"', 'urls."c.bin"', "'c.bin', which is not one of the files"),
        ("licence", "license", "tiny.licen"),
        ('kind = "release"', 'kind = "torrent"', "tiny.sources.0"),
    ],
)
def test_a_wrong_ledger_is_refused_with_the_place_of_the_mistake(old: str, new: str, place: str) -> None:
    text = ENTRY.replace(old, new)
    assert text != ENTRY
    with pytest.raises(WeightsError, match=place) as caught:
        read_ledger(text)
    assert "\n" not in str(caught.value)


@given(st.text() | st.tuples(st.integers(0, len(ENTRY)), st.text(max_size=5)).map(lambda at: ENTRY[: at[0]] + at[1]))
def test_any_text_is_a_ledger_or_refused(text: str) -> None:
    try:
        entries = read_ledger(text)
    except WeightsError:
        return
    for entry in entries.values():
        assert all(".." not in name.split("/") and not name.startswith("/") for name in entry.files)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(data=st.data())
def test_a_ledger_with_one_value_changed_is_valid_or_refused_in_one_line(data: st.DataObject) -> None:
    tables = tomllib.loads(LEDGER.read_text(encoding="utf-8"))
    at: Any = tables
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.integers(0, 4)) == 0:
            at[key] = data.draw(VALUES)
            break
        at = at[key]
    try:
        validate(tables)
    except WeightsError as error:
        assert "\n" not in str(error) and len(str(error)) < 700
