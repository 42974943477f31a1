"""`agentaudio eval agent`: its files, its exit code, and what it compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentaudio.cli import eval_agent, main
from agentaudio.evaluation.suites.record import DialogueRun

SUITE = """
name: mine
agent: {tools: [calculate]}
dialogues:
- id: greeting
  turns:
  - type: hello
    expect: {no_tool: true, says: good day}
- id: sum
  turns:
  - type: two plus two
    expect: {tool: calculate, arguments: {expression: {computes: 4}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "suite.yaml").write_text(SUITE)
    write_script(tmp_path, "Good day.")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_script(folder: Path, says: str) -> None:
    (folder / "script.json").write_text(json.dumps([{"say": says}]))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["eval", "agent", "suite.yaml", "--model", "scripted:script.json", "--out", "out", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def figures(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_run_leaves_its_result_a_report_for_ci_and_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 1
    assert {path.name for path in (folder / "out").iterdir()} >= {"result.json", "junit.xml", "report.html"}
    printed = capsys.readouterr()
    assert "passed greeting" in printed.out and "50.0 % (" in printed.out
    assert "missed dialogue sum failed" in printed.err


def test_the_exit_code_follows_what_the_suite_requires(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "suite.yaml").write_text(SUITE + "require: {pass_at_1: 0.5}\n")
    assert run("--json") == 0
    assert figures(capsys)["missed"] == []
    (folder / "suite.yaml").write_text(SUITE + "require: {pass_at_1: 0.6}\n")
    assert run("--json") == 1
    assert figures(capsys)["missed"] == ["pass_at_1 is 0.500, below 0.6"]


def test_no_worse_looks_only_for_what_has_broken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 1
    assert run("--gate", "no-worse") == 0
    write_script(folder, "Go away.")
    capsys.readouterr()
    assert run("--gate", "no-worse") == 1
    printed = capsys.readouterr()
    assert "broken greeting" in printed.out
    assert "dialogue greeting is broken" in printed.err


def test_a_run_is_compared_with_the_result_that_is_named(folder: Path) -> None:
    assert run() == 1
    (folder / "out").rename(folder / "kept")
    write_script(folder, "Go away.")
    assert run("--gate", "no-worse", "--against", "kept") == 1
    assert run("--gate", "no-worse", "--against", "kept/result.json") == 1


def test_repeats_give_pass_hat(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--repeats", "3", "--only", "greeting", "--json") == 0
    found = figures(capsys)
    assert (found["pass^3"]["value"], found["repeats"], found["dialogues"]) == (1.0, 3, 1)


def test_a_part_of_a_suite_leaves_the_result_of_the_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ran(*arguments: str) -> object:
        with pytest.raises(SystemExit) as ended:
            main(["eval", "agent", "suite.yaml", "--model", "scripted:script.json", *arguments])
        return ended.value.code

    assert ran() == 1 and ran("--only", "sum") == 1
    write_script(folder, "Go away.")
    assert ran("--gate", "no-worse") == 1
    assert "dialogue greeting is broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--repeats", "0"], "--repeats is 0; give a number from 1 to 1000"),
        (["--gate", "no-worse"], "there is no earlier result in out"),
        (["--against", "suite.yaml"], "suite.yaml is not the result of a suite"),
        (["--only", "sums"], "no dialogue and no kind 'sums'; did you mean 'sum'"),
    ],
)
def test_what_cannot_be_run_is_said(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on_and_keeps_no_options_on_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(run: DialogueRun, place: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(eval_agent, "_show", stopped)
        assert run("--option", "delay_s=0.0625") == 130
    (unfinished,) = (folder / "out").glob("unfinished*")
    kept = unfinished.read_text()
    assert '"dialogue": "greeting"' in kept and "0.0625" not in kept
    assert run("--option", "delay_s=0.0625", "--only", "sum") == 1
    assert "going on" not in capsys.readouterr().out
    assert run("--option", "delay_s=0.0625") == 1
    assert "going on with a run that was stopped: 1 done" in capsys.readouterr().out
    assert not unfinished.exists()
    assert run("--option", "delay_s=0.03125") == 1
    assert "going on" not in capsys.readouterr().out
