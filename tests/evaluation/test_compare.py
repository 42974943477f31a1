"""Published figures follow from their cells; runs beside them are called reproduced by their interval alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from support.benchmarks import Answering, librispeech, measured

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import find_benchmark, installed_benchmarks
from agentaudio.evaluation.benchmarks.librispeech import BENCHMARK as LIBRISPEECH
from agentaudio.evaluation.compare import compare
from agentaudio.evaluation.measures import Figure
from agentaudio.evaluation.published import PublishedTable, model_title, published_tables
from agentaudio.evaluation.report import save_comparison
from agentaudio.evaluation.result import Result, load_result

AVERAGED = [table for table in published_tables() if table.means]


@pytest.mark.parametrize("table", AVERAGED, ids=lambda table: table.title)
def test_every_published_average_follows_from_its_cells(table: PublishedTable) -> None:
    tolerance = {2: 0.01, 1: 0.05}[table.decimals]
    (printed,) = table.means.values()
    wrong = [
        model
        for model, mean, found in zip(table.columns, printed, table.recomputed(), strict=True)
        if mean is not None and (found is None or abs(mean - found) > tolerance)
    ]
    assert wrong == list(table.misprinted)


def test_the_averages_of_eleven_tables_are_recomputed() -> None:
    assert len(AVERAGED) == 11
    assert sum(len(table.columns) for table in AVERAGED) == 68


def test_the_board_of_voicebench_is_compared_with_the_mean_of_sets_and_not_with_that_of_items() -> None:
    figures = (Figure("mean of sets", "", 60, 55, 65, 100), Figure("points", "", 56, 50, 62, 100),
               Figure("points", "bbh", 54, 50, 58, 100), Figure("points", "sd-qa", 36, 30, 40, 100))  # fmt: skip
    kept = {"benchmark": "voicebench", "model": "qwen2-audio", "data_sha256": "a" * 64}
    found = compare([Result(kept, "VoiceBench", "", 100, 100, {}, {}, "points", figures)], published=True)
    verdicts = {(row.place, row.name): row.verdicts.get("qwen2-audio") for row in found.rows}
    assert verdicts == {
        ("voicebench", "mean of sets"): "reproduced", ("voicebench", "points"): None,
        ("voicebench/bbh", "points"): "reproduced", ("voicebench/sd-qa", "points"): None,
    }  # fmt: skip


def test_every_published_row_names_a_benchmark_and_every_column_has_as_many_cells() -> None:
    known = installed_benchmarks()
    for table in published_tables():
        for place, row in {**table.rows, **table.means}.items():
            assert place == "mean" or place.partition("/")[0] in known, place
            assert len(row) == len(table.columns), place
        assert all(model_title(model) != model for model in table.columns)
        if table.figure:
            names = [measure.name for measure in find_benchmark("stepeval-toolcall").scorer.measures]
            assert table.figure in names


def result(model: str, value: float, low: float | None, high: float | None, **settings: object) -> Result:
    figures = (Figure("WER (kits)", "test-clean", value, low, high, 100, True), Figure("WER (kits)", "", 9, 8, 10, 200))
    kept = {"benchmark": "librispeech", "model": model, "data_sha256": "a" * 64, "limit": None, **settings}
    return Result(kept, "LibriSpeech", "WER", 100, 100, {}, {}, "WER (kits)", figures)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.2, 1.4, "reproduced"),
        (1.34, 1.4, "not reproduced"),
        (1.0, 1.32, "not reproduced"),
        (None, None, "too few items"),
    ],
)
def test_reproduced_means_that_the_published_value_lies_in_the_interval(
    low: float | None, high: float | None, verdict: str
) -> None:
    found = compare([result("step-audio-2-mini:weights", 1.36, low, high)], published=True)
    (row,) = [row for row in found.rows if row.place == "librispeech/test-clean"]
    assert row.published["step-audio-2-mini"] == 1.33 and "arXiv 2507.16632" in row.source
    assert list(row.verdicts.values()) == [verdict]


def test_a_run_of_another_model_reproduces_nothing_unless_it_is_said_to_stand_for_one() -> None:
    one = result("embedded", 1.33, 1.0, 2.0)
    assert all(not row.verdicts for row in compare([one], published=True).rows)
    said = compare([one], published=True, model="step-audio-2-mini")
    assert [row.verdicts for row in said.rows if row.verdicts] == [{"embedded": "reproduced"}]


def test_an_unknown_published_model_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(EvaluationError, match="'step-audio-2-mimi' are published; did you mean 'step-audio-2-mini'"):
        compare([result("embedded", 1.33, 1.0, 2.0)], published=True, model="step-audio-2-mimi")


def test_runs_that_cannot_be_compared_are_named_with_what_differs() -> None:
    one = result("embedded", 5, 4, 6)
    found = compare([one, result("embedded", 5, 4, 6, data_sha256="b" * 64), replace(one, scorer="CER")])
    assert found.labels == ("embedded", "embedded #2", "embedded #3")
    assert "have other data" in found.warnings[0] and "bbbbbbbbbbbb" in found.warnings[0]
    assert "scored in other ways" in found.warnings[1]
    unscored = replace(one, scored=90, problems={"broken clip": 10})
    assert compare([unscored]).warnings == ("librispeech: embedded has no score for 10 of 100: 10 broken clip",)


def test_runs_of_one_model_in_two_benchmarks_have_one_label() -> None:
    found = compare([result("embedded", 5, 4, 6), result("embedded", 7, 6, 8, benchmark="aishell-1")])
    assert found.labels == ("embedded",) and len(found.rows) == 4 and found.warnings == ()


def test_a_comparison_is_a_page_and_a_picture(tmp_path: Path) -> None:
    hostile = result("<script>alert(1)</script>", 5, 4, 6)
    found = compare([hostile, result("step-audio-2-mini", 1.3, 1, 2)], published=True)
    page = save_comparison(found, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script>" not in page and "Kimi-Audio" in page and "step-audio-2-mini: reproduced" in page
    with Image.open(save_comparison(found, tmp_path / "a.png")) as picture:
        assert picture.size[0] == 1200 and len(set(picture.convert("L").get_flattened_data())) > 50
    with pytest.raises(EvaluationError, match=r"ends in .html or .png"):
        save_comparison(found, tmp_path / "a.txt")


async def test_the_page_of_a_run_shows_items_with_sound_the_worst_first(tmp_path: Path) -> None:
    words = {"1-2-0000": "FIRST ONE", "1-2-0001": "<b>SECOND</b> ONE", "1-2-0002": "THIRD ONE"}
    data = librispeech(tmp_path / "data", words)
    (data / "test-clean/1/2/1-2-0002.flac").write_bytes(b"broken")
    said = {0.1: "first one", 0.2: "nothing like it"}
    await measured(LIBRISPEECH, data, tmp_path / "run", Answering(lambda seconds: said[seconds]))
    page = (tmp_path / "run" / "page.html").read_text(encoding="utf-8")
    at = [page.index(f"{name}</h2>") for name in ("1-2-0002", "1-2-0001", "1-2-0000")]
    assert at == sorted(at)
    assert "<b>SECOND" not in page and "nothing like it" in page
    assert (tmp_path / "run" / "../data/test-clean/1/2/1-2-0001.flac").exists() and "../data/test-clean/1/2/" in page


def test_a_folder_without_a_finished_run_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no finished run"):
        load_result(tmp_path)
    (tmp_path / "result.json").write_text('{"settings":', encoding="utf-8")
    with pytest.raises(EvaluationError, match="is not the result of a run"):
        load_result(tmp_path)
