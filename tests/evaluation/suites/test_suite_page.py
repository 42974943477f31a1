"""docs/evaluation.md gives the figures of the demo's suite as they were measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

from support.benchmark_modules import benchmark

from agentaudio.evaluation.suites.load import load_suite

ROOT = Path(__file__).parents[3]
MODELS = json.loads((ROOT / "docs" / "figures" / "agent_suite.json").read_text(encoding="utf-8"))["models"]


def test_the_page_gives_the_figures_that_were_measured() -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    table = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in re.findall(r"^\|.+\|$", page, re.M)]
    assert [row for row in benchmark("agent_suite").rows(MODELS) if row not in table] == []


def test_the_table_is_written_in_place_of_the_one_before(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(re.sub(r"^\| pass@1 .*$", "| pass@1 | older |", text, flags=re.M), encoding="utf-8")
    benchmark("agent_suite").write_table(MODELS, page)
    assert page.read_text(encoding="utf-8") == text


def test_every_model_that_runs_here_was_measured_on_the_whole_suite() -> None:
    ids = {dialogue.id for dialogue in load_suite("demo").suite.dialogues}
    assert set(MODELS) == set(benchmark("agent_suite").MODELS)
    assert all(set(found["passed"]) == ids for found in MODELS.values())
