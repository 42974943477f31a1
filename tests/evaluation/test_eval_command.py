"""`agentaudio eval` from the command line, on real recordings of the benchmarks where they are at hand."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile
from support.benchmarks import SAMPLES, librispeech, needs_samples, sound

from agentaudio.cli import main
from agentaudio.evaluation.benchmarks.stepeval_toolcall import FILES


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(["eval", *arguments])
        found = capfd.readouterr()
        return Ran(int(ended.value.code or 0), found.out, found.err)

    return command


def samples() -> dict[str, dict[str, str]]:
    lines = (SAMPLES / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


def real_librispeech(folder: Path) -> Path:
    """Two utterances of LibriSpeech in its layout (CC BY 4.0)."""
    for row in samples().values():
        if row["id"].startswith("librispeech-"):
            name = row["id"].removeprefix("librispeech-")
            part = "test-clean" if "test" in row["benchmark"] else "dev-clean"
            place = folder / part / name.split("-")[0] / name.split("-")[1]
            place.mkdir(parents=True)
            heard, rate = soundfile.read(SAMPLES / row["audio"])
            soundfile.write(place / f"{name}.flac", heard, rate)
            (place / f"{name.rpartition('-')[0]}.trans.txt").write_text(f"{name} {row['reference']}\n")
    return folder


def real_big_bench(folder: Path) -> Path:
    """A question of Big Bench Audio (MIT) in its layout."""
    row = samples()["bba-formal_fallacies-17"]
    folder.mkdir()
    shutil.copy(SAMPLES / row["audio"], folder / "question_17.wav")
    said = {"id": 17, "category": row["category"], "official_answer": row["reference"], "file_name": "question_17.wav"}
    (folder / "metadata.jsonl").write_text(json.dumps({**said, "transcript": row["transcript"]}))
    return folder


def test_list_says_what_each_benchmark_needs_and_fetches_nothing(run: Any) -> None:
    listed = json.loads(run("list", "--json").out)
    by_name = {one["name"]: one for one in listed}
    assert by_name["big-bench-audio"]["needs_judge"] and by_name["mmau"]["licence"].startswith("Apache-2.0")
    assert "CC BY 4.0" in run("list").out


def test_a_run_prints_its_figures_and_is_compared_with_published_ones(run: Any, tmp_path: Path) -> None:
    librispeech(tmp_path / "data", {"1-2-0000": "I AM A SCRIPT", "1-2-0001": "WHATEVER YOU ASK"})
    done = run("run", "librispeech", "--model", "scripted", "--data", "data", "--out", "one", "--limit", "2")
    assert done.code == 0 and "2 of 2 answers scored" in done.out and "WER (kits)" in done.out
    assert "data sha256" in done.err
    compared = run("compare", "one", "--published", "--as-model", "step-audio-2-mini", "--save", "c.html", "--json")
    (row,) = [
        row for row in json.loads(compared.out)["rows"]
        if (row["place"], row["name"]) == ("librispeech/test-clean", "WER (kits)")
    ]  # fmt: skip
    assert row["verdicts"] == {"scripted": "not reproduced"} and (tmp_path / "c.html").exists()
    for chosen in (["--published"], ["--as-model", "step-audio-2-mini"]):
        assert "Step-Audio 2 mini" in run("compare", "one", *chosen).out
    # The same command with another profile scores the answers that are there.
    other = run("run", "librispeech", "--model", "scripted", "--data", "data", "--out", "one", "--limit", "2",
                "--profile", "none", "--json")  # fmt: skip
    figures = {one["name"]: one["value"] for one in json.loads(other.out)["figures"]}
    assert figures["WER (none)"] > 100 and "going on: 2 of 2 answers are there" in other.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["librispech", "--model", "scripted", "--data", "data"], "did you mean 'librispeech'"),
        (["librispeech", "--model", "scripted", "--data", "nowhere"], "there is no folder nowhere"),
        (["librispeech", "--model", "scripted", "--data", "data"], "is not laid out as LibriSpeech"),
        (
            ["big-bench-audio", "--model", "scripted", "--data", "data"],
            "are scored by a judge; name a model with --judge",
        ),
        (
            ["librispeech", "--model", "scripted", "--data", "data", "--seeds", "0"],
            "--seeds is 0; give a number from 1",
        ),
        (["librispeech", "--model", "scripted", "--data", "data", "--profile", "whispr"], "did you mean 'whisper'"),
        (["mmau", "--model", "scripted", "--data", "data", "--profile", "kits"], "are not normalised by a profile"),
        (["gone.py", "--model", "scripted", "--data", "data"], "there is no file gone.py"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], message: str, run: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = run("run", *arguments)
    assert done.code == 1 and message in " ".join(done.err.split())
    assert done.err.count("error:") == 1 and "Traceback" not in done.err


@pytest.mark.system
def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    librispeech(tmp_path / "data", {"1-2-0000": "I AM A SCRIPT"})
    (tmp_path / "file").write_text("where a folder must be")
    done = subprocess.run(
        [sys.executable, "-m", "agentaudio", "eval", "run", "librispeech", "--model", "scripted", "--data",
         str(tmp_path / "data"), "--out", str(tmp_path / "run")],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "file")}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    message = " ".join(done.stderr.split())
    assert done.returncode == 1 and "inspect-ai cannot work with its own files" in message
    assert "set XDG_DATA_HOME" in message and "Traceback" not in message


def test_answers_are_scored_anew_by_another_judge_without_being_asked_again(run: Any, tmp_path: Path) -> None:
    (tmp_path / "bba").mkdir()
    sound(tmp_path / "bba/1.wav")
    row = {"id": 1, "category": "navigate", "official_answer": "Yes", "file_name": "1.wav"}
    (tmp_path / "bba/metadata.jsonl").write_text(json.dumps(row))
    for name, verdict in (("no", "INCORRECT"), ("yes", "CORRECT")):
        (tmp_path / f"{name}.json").write_text(json.dumps([verdict]))
    common = ("run", "big-bench-audio", "--model", "scripted", "--data", "bba", "--json")
    first = run(*common, "--judge", "scripted:no.json", "--out", "one")
    assert "navigate has 1 items, and 250 are published" in first.err
    again = run(*common, "--judge", "scripted:yes.json", "--out", "two", "--answers-of", "one")
    assert [json.loads(done.out)["figures"][0]["value"] for done in (first, again)] == [0.0, 100.0]
    assert (tmp_path / "one/answers.jsonl").read_text() == (tmp_path / "two/answers.jsonl").read_text()
    (tmp_path / "two/answers.jsonl").write_text('{"key": "1#1", "text": "another answer"}\n')
    assert run(*common, "--judge", "scripted:yes.json", "--out", "two", "--answers-of", "one").code == 0
    assert "another answer" in (tmp_path / "two/answers.jsonl").read_text()
    wrong = run(*common, "--judge", "scripted:yes.json", "--out", "three", "--answers-of", "one", "--seeds", "2")
    assert wrong.code == 1 and "seeds 1 and not 2; they cannot be taken over" in " ".join(wrong.err.split())


def real_toolcall(folder: Path) -> Path:
    """Dialogues of StepEval-Audio-Toolcall's form around a real question, one a file."""
    (folder / "wav").mkdir(parents=True)
    shutil.copy(SAMPLES / samples()["aishell-BAC009S0724W0121"]["audio"], folder / "wav/a.wav")
    turn = {"from": "Human", "text": "", "value": {"type": "wav", "value": "wav/a.wav"}}
    for name in FILES:
        (folder / name).write_text(json.dumps([turn, {"from": "Assistant", "text": "", "value": "好的"}]))
    return folder


@needs_samples
@pytest.mark.parametrize("model", ["scripted", pytest.param("embedded", marks=pytest.mark.neural)])
def test_tool_calls_are_measured_on_a_real_recording(model: str, run: Any, tmp_path: Path) -> None:
    real_toolcall(tmp_path / "calls")
    result = json.loads(run("run", "stepeval-toolcall", "--model", model, "--data", "calls", "--json").out)
    assert (result["items"], result["scored"]) == (8, 8)
    assert {one["name"] for one in result["figures"]} >= {"trigger recall", "malformed calls"}


@needs_samples
def test_the_scripted_model_runs_through_real_recordings_of_two_benchmarks(run: Any, tmp_path: Path) -> None:
    real_librispeech(tmp_path / "ls")
    done = run("run", "librispeech", "--model", "scripted", "--data", "ls", "--json")
    assert json.loads(done.out)["scored"] == 2
    real_big_bench(tmp_path / "bba")
    (tmp_path / "judge.json").write_text('["INCORRECT"]')
    judge = ("--judge", "scripted:judge.json")
    done = run("run", "big-bench-audio", "--model", "scripted", "--data", "bba", *judge, "--out", "b", "--json")
    result = json.loads(done.out)
    assert (result["figures"][0]["value"], result["settings"]["judge"]) == (0.0, "scripted:judge.json")
    (sound,) = (tmp_path / "b/sounds").glob("*.wav")
    assert sound.stat().st_size > 10_000


@pytest.mark.neural
@needs_samples
def test_the_embedded_engine_hears_real_recordings_of_librispeech(run: Any, tmp_path: Path) -> None:
    real_librispeech(tmp_path / "ls")
    result = json.loads(run("run", "librispeech", "--model", "embedded", "--data", "ls", "--json").out)
    assert next(one["value"] for one in result["figures"] if one["name"] == "WER (kits)" and not one["group"]) < 10


@pytest.mark.neural
def test_the_benchmark_of_the_example_has_the_words_of_its_recordings(run: Any, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples/own_benchmark.py"
    runpy.run_path(str(example))["write_data"](tmp_path / "data")
    result = json.loads(run("run", str(example), "--model", "embedded", "--data", "data", "--json").out)
    assert (result["scored"], result["figures"][0]["value"]) == (2, 0.0)


@pytest.mark.neural
@needs_samples
def test_the_embedded_engine_answers_a_question_of_big_bench_audio_by_voice(run: Any, tmp_path: Path) -> None:
    real_big_bench(tmp_path / "bba")
    (tmp_path / "judge.json").write_text('["INCORRECT"]')
    arguments = ("--data", "bba", "--judge", "scripted:judge.json", "--recogniser", "whisper:base", "--json")
    result = json.loads(run("run", "big-bench-audio", "--model", "embedded", *arguments).out)
    assert result["scored"] == 1 and result["settings"]["recogniser"] == "whisper:base"
