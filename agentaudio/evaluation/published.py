"""Published figures, from `published.yaml`, with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table of a paper.

    source: where it is printed
    figure: measure that it gives, such as "trigger recall"; "" for the headline of the benchmark
    columns: models, by the names of `published.yaml`
    rows: values by benchmark or benchmark/part, one for each model; None where none is printed
    weights: of the rows in the means; 1 for each where the paper takes the plain mean
    means: averages that are printed, by name
    misprinted: models whose printed average does not follow from their cells
    decimals: of the printed values
    """

    title: str
    source: str
    figure: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]
    weights: tuple[float, ...]
    means: Mapping[str, tuple[float | None, ...]]
    misprinted: tuple[str, ...]
    decimals: int

    def recomputed(self) -> list[float | None]:
        """The average of each model, from its cells; None where a cell is missing."""
        found: list[float | None] = []
        for column in range(len(self.columns)):
            cells = [row[column] for row in self.rows.values()]
            known = [cell for cell in cells if cell is not None]
            total = sum(weight * cell for weight, cell in zip(self.weights, known, strict=False))
            found.append(total / sum(self.weights) if len(known) == len(cells) else None)
        return found

    def values(self, place: str) -> dict[str, float]:
        """The printed values of a row or an average, by model; {} when it is not in the table."""
        row = {**self.rows, **self.means}.get(place, ())
        return {model: cell for model, cell in zip(self.columns, row, strict=False) if cell is not None}


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """All tables, in the order of the file."""
    return tuple(_table(one, _content()["sources"]) for one in _content()["tables"])


def published_models() -> tuple[str, ...]:
    """The names of all models with published figures."""
    return tuple(dict.fromkeys(model for table in published_tables() for model in table.columns))


def model_title(name: str) -> str:
    """The name of a published model for people."""
    return str(_content()["models"].get(name, name))


@cache
def _content() -> dict[str, Any]:
    text = files("agentaudio.evaluation").joinpath("published.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _table(one: Mapping[str, Any], sources: Mapping[str, str]) -> PublishedTable:
    rows = {name: _cells(row) for name, row in one["rows"].items()}
    return PublishedTable(
        title=one["title"],
        source=sources[one["source"]],
        figure=one.get("figure", ""),
        columns=tuple(one["columns"]),
        rows=rows,
        weights=tuple(map(float, one.get("weights", [1] * len(rows)))),
        means={name: _cells(row) for name, row in one.get("means", {}).items()},
        misprinted=tuple(one.get("misprinted", ())),
        decimals=one.get("decimals", 2),
    )


def _cells(row: list[Any]) -> tuple[float | None, ...]:
    return tuple(None if cell == "-" else float(cell) for cell in row)
