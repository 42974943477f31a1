"""The published figures of mutation testing are complete and explained, and the documentation gives the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURES = json.loads((ROOT / "docs" / "figures" / "mutation.json").read_text(encoding="utf-8"))["targets"]


def test_fewer_than_one_in_ten_mutants_of_each_file_survive() -> None:
    assert {name: target["survival"] for name, target in FIGURES.items() if target["survival"] >= 0.1} == {}


def test_every_survivor_has_a_reason() -> None:
    bare = [
        (name, item["was"]) for name, target in FIGURES.items() for item in target["survivors"] if not item["reason"]
    ]
    assert bare == []


def test_the_documentation_gives_the_same_figures() -> None:
    page = (ROOT / "docs" / "mutation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\(.+?\) \| (\d+) \| (\d+) \((.+?) %\) \|", page, re.MULTILINE)
    assert rows == [
        (name, str(target["mutants"]), str(target["survived"]), f"{100 * target['survived'] / target['mutants']:.1f}")
        for name, target in FIGURES.items()
    ]
