"""`agentaudio tools`, run from the command line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from support import command_line
from support.command_line import Done
from support.sounds import tone

from agentaudio import Audio
from agentaudio.cli import main

CLOCK = "kind: python\nimport: agentaudio.tools.builtin.clock:get_date_time\nname: clock\n"
COMMAND = f"name: say\ndescription: Say it.\nkind: command\ncommand: [{sys.executable}, -c, 'print(1 + 1)']\n"


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> Done:
    return command_line.run(capfd, "tools", *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clock.yaml").write_text(CLOCK)
    (tmp_path / "say.yaml").write_text(COMMAND)
    (tmp_path / "wrong.yaml").write_text("name: x\nkind: htp\n")
    return tmp_path


def test_files_are_checked_line_by_line(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(capfd, "check", folder / "clock.yaml", folder / "say.yaml")[0] == 0
    code, out, err = run(capfd, "check", folder / "clock.yaml", folder / "wrong.yaml")
    assert code == 1 and "clock.yaml: clock" in out
    assert f"{folder / 'wrong.yaml'}:2: 'htp' is not a kind of tool; did you mean 'http'" in err
    assert run(capfd, "check") == (1, "", "error: give at least one file to check\n")
    assert "cannot be read" in run(capfd, "check", "missing.yaml")[2]


def test_tools_of_a_folder_are_listed_with_their_errors(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, _ = run(capfd, "list", folder, "calculate", "--json")
    rows = json.loads(out)
    assert code == 0 and [row["name"] for row in rows] == ["clock", "say", str(folder), "calculate"]
    assert "not a kind of tool" in rows[2]["error"] and rows[0]["parameters"]["type"] == "object"
    code, out, err = run(capfd, "list", folder)
    assert code == 0 and "Say it." in out and "wrong.yaml:2: 'htp' is not a kind of tool" in err


def test_a_tool_is_run_with_its_arguments(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(capfd, "run", "calculate", "--args", '{"expression": "6*7"}') == (0, "6*7 = 42\n", "")
    code, out, _ = run(capfd, "run", "clock", "--tools", folder / "clock.yaml", "--json")
    assert code == 0 and json.loads(out)["result"]["text"].startswith("It is ")
    allowed = run(capfd, "run", "say", "--tools", folder / "say.yaml", "--allow-commands")
    assert allowed == (0, "2\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("calculate", "--args", "{"), "error: --args is not JSON"),
        (("calculate", "--args", "[1]"), "error: --args must be a JSON object"),
        (("calculte",), "error: there is no tool 'calculte'; did you mean 'calculate'"),
        (("calculate", "--args", '{"expression": "1/0"}'), "failed: calculate failed: 1/0 divides by zero"),
        (("calculate",), "failed: calculate failed: calculate cannot take these arguments: expression: Field required"),
        (("say", "--tools", "say.yaml"), "error: say.yaml:3: commands are not allowed; allow them with"),
        (("calculate", "--out", "/proc/x.wav"), "error: cannot write to /proc"),
    ],
)
def test_a_call_that_fails_gives_a_one_line_error(
    capfd: pytest.CaptureFixture[str],
    folder: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(capfd, "run", *arguments)
    assert (code, out) == (1, "") and err.startswith(words) and err.count("\n") == 1


def test_the_sound_of_a_tool_is_saved(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone().save(tmp_path / "bell.wav")
    (tmp_path / "bell.yaml").write_text("kind: python\nimport: bell_tool:bell")
    (tmp_path / "bell_tool.py").write_text(
        "from agentaudio import Audio, tool\n@tool\ndef bell() -> Audio:\n    return Audio.load('bell.wav')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    code, out, _ = run(capfd, "run", "bell", "--tools", "bell.yaml", "--out", "out.flac")
    assert code == 0 and "A sound of 1.0 seconds." in out and "saved ./out.flac" in out
    assert Audio.load("out.flac").duration == 1.0


def test_the_schema_is_printed_whole(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "schema")
    assert code == 0 and "HttpTool" in json.loads(out)["$defs"]


@pytest.mark.system
def test_approval_is_asked_on_the_terminal(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "clock.yaml").write_text(CLOCK + "approval: true\n")
    arguments = ["tools", "run", "clock", "--tools", str(tmp_path / "clock.yaml")]
    code, _, err = run(capfd, *arguments[1:])
    assert code == 1 and err.startswith("denied: clock was not approved")

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "agentaudio", *arguments], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.write(ours, b"yes\n")
    out, asked = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0 and out.startswith(b"It is ")
    assert b"clock() wants to run. Allow it? [y/N]" in asked


def test_ask_uses_tools_from_a_file(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "say.yaml").write_text(COMMAND)
    (tmp_path / "script.json").write_text(json.dumps([{"calls": [{"name": "say"}]}, "Two."]))
    monkeypatch.chdir(tmp_path)
    asked = ["ask", "how much", "--model", "scripted:script.json", "--tools", "say.yaml"]
    with pytest.raises(SystemExit):
        main(asked)
    assert "say.yaml:3: commands are not allowed" in capfd.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*asked, "--allow-commands", "--json"])
    assert not ended.value.code
    (call,) = json.loads(capfd.readouterr().out)["tool_calls"]
    assert (call["status"], call["result"]["text"]) == ("done", "2")
