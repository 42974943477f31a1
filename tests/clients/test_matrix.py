"""The table of clients in the docs is the one that `make test-clients` has measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
COLUMNS = (
    "chat", "speech", "transcription", "voices", "spoken turn", "call", "interruption", "voice by a wish", "voice",
)  # fmt: skip


def cell(row: dict[str, Any], column: str) -> str:
    held = [model for model in ("scripted", "embedded") if row.get(model, {}).get(column)]
    tried = [model for model in ("scripted", "embedded") if column in row.get(model, {})]
    return "–" if not tried else "both" if len(held) == 2 else f"{held[0]} only" if held else "no"


def table(matrix: dict[str, Any]) -> str:
    rows = [("client", "version", *COLUMNS), ("---",) * (2 + len(COLUMNS))]
    rows += [(name, row["version"], *(cell(row, column) for column in COLUMNS)) for name, row in matrix.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_the_table_of_clients_shows_what_was_measured() -> None:
    matrix = json.loads((DOCS / "figures" / "clients.json").read_text(encoding="utf-8"))
    assert table(matrix) in (DOCS / "clients.md").read_text(encoding="utf-8")
