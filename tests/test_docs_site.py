"""The documentation as a site: docstrings as Markdown, links, and what pages load."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from build_docs import ROOT, STAGE, broken_links, staged
from docstring_lists import as_markdown


def test_the_parameters_of_a_docstring_become_a_list() -> None:
    docstring = """Make a thing.

    size, weight: how large it is, and
        how heavy
    name: what it is called

    Raises ThingError: never mind.
    """
    assert as_markdown(docstring).rstrip() == (
        "Make a thing.\n\n- `size`, `weight`: how large it is, and how heavy\n- `name`: what it is called\n\n"
        "Raises ThingError: never mind."
    )


def test_prose_that_follows_a_list_is_a_paragraph() -> None:
    assert as_markdown("A.\n\nx: one\nAnd so on.").splitlines() == ["A.", "", "- `x`: one", "", "And so on."]


def test_a_colon_in_the_middle_of_a_paragraph_makes_no_list() -> None:
    text = "Two kinds are known\nfirst: the one."
    assert as_markdown(text) == text


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("docs/voices.md", "voices.md"),
        ("README.md", "index.md"),
        ("SECURITY.md", "security.md"),
        ("agentaudio/turn.py", "source/agentaudio/turn.py.txt"),
        ("docs/figures/agent_loop.json", "figures/agent_loop.json"),
        ("examples/plugin_package", "source/examples/plugin_package/files.txt"),
    ],
)
def test_each_file_that_a_page_links_to_has_a_place_in_the_site(path: str, place: str) -> None:
    assert staged(ROOT / path) == STAGE / place


def test_each_page_is_in_the_menu() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = set(pages_of(settings["project"]["nav"]))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert listed - {"index.md", "changelog.md", "security.md", "contributing.md"} == pages


def pages_of(menu: Iterable[dict[str, Any]]) -> Iterator[str]:
    for entry in menu:
        for place in entry.values():
            yield from [place] if isinstance(place, str) else pages_of(place)


def test_links_that_lead_nowhere_and_foreign_scripts_are_found(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "a.html").write_text('<h1 id="top">A</h1><a href="part/b.html#here">b</a><a href="#top">up</a>')
    (tmp_path / "part" / "b.html").write_text(
        '<p id="here"></p><a href="../a.html#gone">a</a><a href="c.html">c</a><a href="https://x.example/">x</a>'
        '<script src="https://cdn.example/x.js"></script>'
    )
    assert sorted(broken_links(tmp_path)) == [
        "part/b.html loads https://cdn.example/x.js",
        "part/b.html: ../a.html#gone",
        "part/b.html: c.html",
    ]
