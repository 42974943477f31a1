"""The limits in SECURITY.md are those of the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| (?P<values>[^|]+ \| [^|]+) \| (?P<places>[^|]+) \|$", re.M)
PLACE = re.compile(r"`([\w/]+)\.py`((?:(?:, | and )`[A-Z][A-Z0-9_]+`)+)")


def limits() -> list[tuple[str, str, str]]:
    """The module, name and stated values of each limit."""
    found = []
    for row in ROW.finditer((ROOT / "SECURITY.md").read_text("utf-8")):
        for file, names in PLACE.findall(row["places"]):
            module = file.replace("/", ".")
            module = module if module.startswith("agentaudio.") else f"agentaudio.{module}"
            found += [(module, name, row["values"]) for name in re.findall("[A-Z][A-Z0-9_]+", names)]
    return found


@pytest.mark.parametrize(("module", "name", "values"), limits())
def test_each_limit_is_a_setting_with_the_stated_value(module: str, name: str, values: str) -> None:
    value = getattr(importlib.import_module(module), name)
    numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", values)]
    if isinstance(value, int | float):
        assert any(abs(value - number * scale) < 1e-9 for number in numbers for scale in (1, 1_000_000)), value


def test_many_limits_are_stated() -> None:
    assert len(limits()) > 40
