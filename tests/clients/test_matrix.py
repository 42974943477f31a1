"""The table of clients in the docs is the one that `make test-clients` has measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.clients import CLIENTS, COLUMNS, MODELS, REALTIME, Client

DOCS = Path(__file__).parents[2] / "docs"


def cell(client: Client, row: dict[str, Any], column: str) -> str:
    if ("realtime" if column in REALTIME else column) not in client.tasks:
        return "–"
    held = [model for model in MODELS if row.get(model, {}).get(column)]
    if not any(column in row.get(model, {}) for model in MODELS):
        return "not yet"
    return "both" if len(held) == len(MODELS) else "".join(held) or "no"


def table(matrix: dict[str, Any]) -> str:
    rows = [["client", "version", *COLUMNS], ["---"] * (2 + len(COLUMNS))]
    for client in CLIENTS:
        row = matrix[client.name]
        rows.append([client.name, row["version"], *(cell(client, row, column) for column in COLUMNS)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_the_table_of_clients_shows_what_was_measured() -> None:
    matrix = json.loads((DOCS / "figures" / "clients.json").read_text(encoding="utf-8"))
    assert table(matrix) in (DOCS / "clients.md").read_text(encoding="utf-8")
