"""Publishes which client holds what, where `make test-clients` asks for it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

CELL = "cell"
"""Name of the property of a test that says to which cell of the matrix it belongs."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the matrix: for each client its version, and for each model what held. What it has not, is left out."""
    file = os.environ.get("AGENTAUDIO_CLIENTS_FIGURES")
    if not file:
        return
    path = Path(file)
    matrix: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            cell = dict(report.user_properties).get(CELL)
            if cell is None:
                continue
            client, version, model, column, figures = cell
            row = matrix.setdefault(client, {})
            row["version"] = version or row.get("version")
            row.setdefault(model, {})[column] = outcome == "passed"
            row[model] |= figures
    path.write_text(json.dumps(matrix, indent=2) + "\n", encoding="utf-8")
