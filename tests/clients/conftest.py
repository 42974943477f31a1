"""Publishes which client holds what, where `make test-clients` asks for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CELL = "cell"
HELD = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def versions() -> dict[str, str]:
    """Of the clients, as their programs report them."""
    return {}


@pytest.fixture
def cell(
    request: pytest.FixtureRequest, versions: dict[str, str], record_property: Callable[[str, object], None]
) -> Iterator[None]:
    """The cell of the matrix to which a test belongs."""
    client, model = request.getfixturevalue("client").name, request.getfixturevalue("model")
    yield
    if (held := request.node.stash.get(HELD, None)) is not None:
        column = request.node.get_closest_marker("column").args[0]
        record_property(CELL, (client, versions.get(client), model, {column: held}))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Keep the outcome of a test for the end of its fixture `cell`."""
    report = yield
    if report.when == "call" and not report.skipped:
        item.stash[HELD] = report.passed
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note in the matrix whether a test held: for each client its version, and for each model what held."""
    file = os.environ.get("AGENTAUDIO_CLIENTS_FIGURES")
    cell = dict(report.user_properties).get(CELL)
    if not file or not isinstance(cell, tuple) or report.when != "teardown":
        return
    client, version, model, facts = cell
    path = Path(file)
    matrix: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    row = matrix.setdefault(client, {})
    row["version"] = version
    row[model] = row.get(model, {}) | facts
    path.write_text(json.dumps(matrix, indent=2) + "\n", encoding="utf-8")
