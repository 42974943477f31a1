"""Tool files as data: line numbers and syntax errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import OptionError
from agentaudio.tools.declarative.source import Source, read_source


def read(folder: Path, text: str | bytes, name: str = "tools.yaml") -> Source:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_source(path)


def test_yaml_is_read_with_line_numbers(tmp_path: Path) -> None:
    text = "# a comment\nname: x\nlist:\n  - 1\n  - {a: true, b: ~}\nquoted: 'true'\nlong: |\n  two\n  lines\nempty:\n"
    source = read(tmp_path, text)
    assert source.data == {
        "name": "x", "list": [1, {"a": True, "b": None}], "quoted": "true", "long": "two\nlines\n", "empty": None,
    }  # fmt: skip
    assert [source.lines[place] for place in (("name",), ("list", 1), ("list", 1, "b"), ("long",))] == [2, 5, 5, 7]


@pytest.mark.parametrize("word", ["no", "on", "yes", "off", "NO", "1:30", "0x10", "2026-01-01", "1_000", "=", "<<"])
def test_yaml_words_stay_strings(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, f"country: {word}").data == {"country": word}


def test_toml_is_read_with_line_numbers(tmp_path: Path) -> None:
    text = '[[tools]]\nname = "a"\n[tools.query]\nq = 1\n\n[[tools]]\nname = "b"\n'
    source = read(tmp_path, text, "tools.toml")
    assert source.data == {"tools": [{"name": "a", "query": {"q": 1}}, {"name": "b"}]}
    places: list[tuple[Any, ...]] = [("tools", 0, "query", "q"), ("tools", 1), ("tools", 1, "name")]
    assert [source.lines[place] for place in places] == [4, 6, 7]


BOMB = "a: &a [x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name: x\n\tkind: http", 2, "the line begins with a tab"),
        ("name: x\nsteps:\n  \t- a: 1", 3, "the line begins with a tab"),
        (BOMB, 1, "anchors and aliases"),
        ("name: *nothing", 1, "anchors and aliases"),
        ("name: !!python/object/apply:os.system [echo]", 1, "tags"),
        ("a: 1\nb: !!int '2'", 2, "tags"),
        ("a: 1\nb: 2\na: 3", 3, "'a' is given twice"),
        ("a: {b: 1, b: 2}", 1, "'b' is given twice"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("? [a]\n: 1", 1, "a key must be a string"),
        ("[" * 50, 1, "more than 20 deep"),
        ("a: [1,\nb: 2", 2, "expected"),
        ("a: 'open", 1, "end of stream"),
        ("a: b: c", 1, "not allowed here"),
        ("a: 1\nb: \xff".encode("latin-1"), 2, "UTF-8"),
        ("a: \x00", None, "not YAML"),
        ("a: " + "x" * 300_000, None, "split it"),
    ],
)
def test_invalid_yaml_is_refused_with_its_line(tmp_path: Path, text: str | bytes, line: int | None, words: str) -> None:
    with pytest.raises(OptionError, match=words) as refused:
        read(tmp_path, text)
    place = f"{tmp_path / 'tools.yaml'}:" + ("" if line is None else f"{line}:")
    assert str(refused.value).startswith(place) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb = ", 2, "Invalid value"),
        ("a = 1\n\na = 2", 3, "Cannot overwrite"),
        ("a = " + "[" * 10_000, 1, "nested too deeply"),
        ("a = 'open", 1, "Expected"),
    ],
)
def test_invalid_toml_is_refused(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(OptionError, match=words) as refused:
        read(tmp_path, text, "tools.toml")
    assert f"tools.toml:{line}: " in str(refused.value) or "nested" in words


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="nothing.yaml: cannot be read: No such file"):
        read_source(tmp_path / "nothing.yaml")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab:#-? '\"\n{}[]", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc:- ", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_data_written_as_yaml_is_read_back(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert read(folder, yaml.safe_dump(data, allow_unicode=True)).data == data


@given(st.text("ab:-\n\t {}[]&*!|>'\"#?%@`,\x07é", max_size=60), st.sampled_from(["yaml", "toml"]))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        read(folder, text, f"scribble.{suffix}")
    except OptionError as error:
        assert f"scribble.{suffix}:" in str(error)
