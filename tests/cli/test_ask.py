"""Options of `agentaudio ask`, and what is checked before the question is asked; `doctor` knows every extra."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from support.command_line import run
from support.local_http import local_server
from support.openai_server import DONE, delta

ROOT = Path(__file__).parents[2]


OUT = {"a.xyz": "cannot write '.xyz' files; use one of: .flac", "answer": "a file without a suffix", ".": "is a folder"}


@pytest.mark.parametrize("out", OUT)
def test_where_the_answer_goes_is_checked_before_the_question_is_asked(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (("ask", "hi", "--model", "scripted"), ("voices", "play", "gina")):
        code, output, complaint = run(capfd, *command, "--out", out)
        assert code == 1 and OUT[out] in complaint and output == ""
    assert run(capfd, "voices", "play", "gina", "--out", "A.WAV")[0] == 0


def test_an_answer_may_be_muted(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ask = ("ask", "what is 2 plus 2", "--model", "embedded-lite", "--json")
    assert json.loads(run(capfd, *ask, "--mute")[1])["audio"] is None
    assert json.loads(run(capfd, *ask)[1])["audio"] is not None
    assert "--mute and --out exclude each other" in run(capfd, *ask, "--mute", "--out", tmp_path / "a.wav")[2]


def test_instructions_reach_the_model(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"".join([delta(role="assistant", content="Arr."), delta("stop"), DONE])
    with local_server() as server:
        server.answers["/v1/chat/completions"] = 200, {"content-type": "text/event-stream"}, answer
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        parts = ("chat=openai:x", "recogniser=none", "synthesiser=none")
        options = [word for part in parts for word in ("--option", part)]
        code, _, complaint = run(
            capfd, "ask", "hi", "--model", "cascade", *options, "--instructions", "Talk like a pirate called Bess."
        )  # fmt: skip
        assert code == 0, complaint
        assert b"pirate called Bess" in server.asked[-1].body


def test_without_portaudio_the_remedy_is_the_system_library(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    code, _, complaint = run(capfd, "ask", "mic", "--model", "scripted")
    assert code == 1 and "PortAudio library not found); install it: apt install libportaudio2" in complaint


def test_the_line_of_an_answer_that_breaks_off_ends_before_the_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with local_server() as server:
        half = delta(role="assistant", content="Half an")
        server.answers["/v1/chat/completions"] = 200, {"content-type": "text/event-stream"}, half
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        options = ("--option", "chat=openai:x", "--option", "recogniser=none", "--option", "synthesiser=none")
        code, output, complaint = run(capfd, "ask", "hi", "--model", "cascade", *options)
    assert code == 1 and output.endswith("says Half an\n") and "broke off" in complaint


def test_doctor_knows_every_extra_and_gives_whole_commands(capfd: pytest.CaptureFixture[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    checks = json.loads(run(capfd, "doctor", "--json")[1])["checks"]
    named = {found[1] for check in checks if (found := re.search(r"agentaudio\[(.+)\]", check["remedy"]))}
    assert named == set(extras) - {"dev"}
    assert "portaudio" in next(check for check in checks if check["what"] == "PortAudio")["remedy"]
    whats = [check["what"] for check in checks]
    assert len(set(whats)) == len(whats)
    assert {re.split("[>=]", one)[0] for one in extras["embedded"]} <= set(whats)
    lines = run(capfd, "doctor")[1].splitlines()
    for check in checks:
        assert check["found"] or any(line.endswith(f": {check['remedy']}") for line in lines)
