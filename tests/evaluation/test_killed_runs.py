"""Runs that are killed at any moment go on where they stopped, and end as if nothing had happened."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import read_eval_log
from support import eval_child
from support.benchmarks import sound
from support.eval_child import Forks, arguments, environment, plugin

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.ledger import Ledger
from agentaudio.evaluation.result import load_result

ITEMS, KILLS = 80, 20


def data_in(folder: Path, number: int) -> Path:
    rows = [{"id": n, "category": "navigate", "official_answer": "Yes", "file_name": f"{n}.wav"} for n in range(number)]
    folder.mkdir()
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for n in range(number):
        sound(folder / f"{n}.wav", (n + 1) / 10)
    return folder


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Forks]:
    folder = plugin(tmp_path / "plugin")
    forks = Forks(folder, tmp_path / "generated.txt")
    yield forks
    forks.close()


def whole(children: Forks, data: Path, run: Path) -> None:
    children.start(arguments(data, run))
    assert children.wait() == 0


def content(run: Path) -> dict[str, Any]:
    """The log of a run without times and ids that are drawn."""
    (path,) = (run / "logs").glob("*.eval")
    log = read_eval_log(str(path))
    assert log.status == "success" and log.samples is not None and log.results is not None
    samples = {
        (str(one.id), one.epoch): (
            one.input, one.target, one.metadata, one.output.completion,
            {name: score.model_dump() for name, score in (one.scores or {}).items()}, one.error,
        )
        for one in log.samples
    }  # fmt: skip
    figures = {name: metric.value for score in log.results.scores for name, metric in score.metrics.items()}
    return {"samples": samples, "figures": figures, "result": load_result(run)}


def keys(run: Path) -> set[str]:
    """The items whose answers are kept, as the next run sees them."""
    path = run / "answers.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return {json.loads(line)["key"].partition("#")[0] for line in lines if line.endswith(b"\n")}


@pytest.mark.hostile
def test_a_command_killed_twenty_times_ends_as_one_that_was_not(tmp_path: Path, children: Forks) -> None:
    data = data_in(tmp_path / "data", ITEMS)
    whole(children, data, tmp_path / "whole")
    generated = tmp_path / "generated.txt"
    generated.write_text("")
    drawn = random.Random(17)
    run = tmp_path / "killed"
    for kill in range(KILLS):
        kept, before = keys(run), len(generated.read_text().splitlines())
        if kill % 4 == 0:  # while the interpreter starts and imports
            cold = [sys.executable, str(eval_child.__file__), *arguments(data, run)]
            child = subprocess.Popen(cold, env=environment(tmp_path / "plugin", generated), stderr=subprocess.DEVNULL)
            time.sleep(drawn.uniform(0.1, 3.0))
            child.kill()
            child.wait()
        else:
            children.start(arguments(data, run))
            wanted = before + drawn.randint(1, 3)
            while not children.ended() and len(generated.read_text().splitlines()) < wanted:
                time.sleep(0.01)
            time.sleep(drawn.uniform(0.0, 0.3))  # between answers, between an answer and its verdict, or in a write
            children.kill()
        again = set(generated.read_text().splitlines()[before:])
        assert not again & kept, "an item that was finished was generated again"
        assert kept <= keys(run)
    kept = keys(run)
    assert 0 < len(kept) < ITEMS, "the kills were to fall within the run"
    before = len(generated.read_text().splitlines())
    whole(children, data, run)
    assert not set(generated.read_text().splitlines()[before:]) & kept
    assert content(run) == content(tmp_path / "whole")
    assert not (run / "log-parts").exists()


@pytest.mark.hostile
def test_a_command_killed_at_its_end_goes_on_without_new_answers(tmp_path: Path, children: Forks) -> None:
    data = data_in(tmp_path / "data", 20)
    run, generated = tmp_path / "run", tmp_path / "generated.txt"
    whole(children, data, run)
    expected = content(run)
    for steps in range(4):
        # Left: no verdicts, parts of the log that are not joined, a log without a result, and a half-written one.
        for left in ("result.json", "page.html", *(["votes.jsonl"] if steps == 0 else [])):
            (run / left).unlink()
        (log,) = (run / "logs").iterdir()
        if steps == 1:
            (run / "log-parts").mkdir()
            log.rename(run / "log-parts" / log.name)
        elif steps == 3:
            log.write_bytes(log.read_bytes()[:1000])
        whole(children, data, run)
        assert content(run) == expected and len(generated.read_text().splitlines()) == 20


def test_a_line_that_was_cut_off_is_dropped_and_all_before_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    ledger = Ledger(path)
    ledger.keep("a", {"text": "one"})
    ledger.keep("b", {"text": "ünö \n two"})
    ledger.close()
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        again = Ledger(path)
        found = [again.get(key) for key in ("a", "b")]
        ends = [place for place, byte in enumerate(content, start=1) if byte == ord("\n")]
        assert len(again) == sum(end <= cut for end in ends)
        again.keep("c", {"text": "three"})
        again.close()
        last = Ledger(path)
        assert last.get("c") == {"text": "three"}
        last.close()
        assert found[0] == ({"text": "one"} if cut >= ends[0] else None)


def test_a_line_that_is_not_of_a_run_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"key": "a"}\nnot json\n{"key": "b"}\n', encoding="utf-8")
    with pytest.raises(EvaluationError, match="line 2 of .*answers.jsonl is not what a run writes"):
        Ledger(path)


def test_a_ledger_has_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    first = Ledger(path)
    first.keep("a", {"text": "one"})
    with pytest.raises(EvaluationError, match="another run works in .*; wait for its end, or choose another folder"):
        Ledger(path)
    first.keep("b", {"text": "two"})
    first.close()
    path.write_bytes(path.read_bytes() + b"not json\n")
    for _ in range(2):  # a file that is refused is not held
        with pytest.raises(EvaluationError, match="line 3"):
            Ledger(path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    second = Ledger(path)
    assert list(second) == ["a", "b"]
    second.close()


def test_a_full_disk_is_one_clear_error_that_leaves_no_half_of_a_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "answers.jsonl")
    ledger.keep("a", {"text": "kept"})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # as a full disk, a write stops in the middle
    try:
        with pytest.raises(EvaluationError, match="cannot write to .*what was finished before is kept"):
            ledger.keep("b", {"text": "x" * 200})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ledger.keep("c", {"text": "later"})
    ledger.close()
    again = Ledger(tmp_path / "answers.jsonl")
    assert [again.get(key) for key in "abc"] == [{"text": "kept"}, None, {"text": "later"}]
