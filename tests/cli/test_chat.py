"""`agentaudio chat`, typed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Done, run

from agentaudio.saved_conversation import load_conversation

Chat = Callable[..., Done]
TYPED = ("chat", "--typed", "--mute")


@pytest.fixture
def chat(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Chat:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "tea.txt").write_text("Green tea is steamed.")

    def chat(lines: str, *options: str) -> Done:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        return run(capfd, *TYPED, "--documents", documents, *options)

    return chat


def script(folder: Path, *steps: object) -> str:
    file = folder / "script.json"
    file.write_text(json.dumps(steps), encoding="utf-8")
    return f"scripted:{file}"


def test_typed_lines_are_answered_in_turn_until_quit(chat: Chat, tmp_path: Path) -> None:
    model = script(
        tmp_path, "good morning", {"calls": [{"name": "calculate", "arguments": {"expression": "6*7"}}]}, "42"
    )
    ended = chat("hello\nwhat is 6 times 7\n/quit\nnever read\n", "--model", model)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout
    assert said.index("good morning") < said.index("calculate(expression='6*7')") < said.index("says 42")
    assert "never read" not in said and "stopped" not in said


def test_the_end_of_the_input_ends_the_conversation(chat: Chat, tmp_path: Path) -> None:
    ended = chat("hello\n", "--model", script(tmp_path, "good morning"))
    assert ended.returncode == 0 and "good morning" in ended.stdout


class Unreadable(io.StringIO):
    def readline(self, *args: Any) -> Any:
        raise OSError("Input/output error")


@pytest.mark.parametrize(("stdin", "told"), [(None, ""), (Unreadable(), "Input/output error")])
def test_an_input_that_is_closed_or_fails_ends_the_conversation(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    stdin: io.StringIO | None, told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", stdin)
    ended = run(capfd, *TYPED, "--model", script(tmp_path, "good morning"))
    assert ended.returncode == 0 and told in ended.stdout


@pytest.mark.system
def test_a_process_of_its_own_ends_with_its_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agentaudio", *TYPED, "--model", script(tmp_path, "good morning")]
    ended = subprocess.run(command, input="hello\n", capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0 and "good morning" in ended.stdout and ended.stderr == ""


def test_commands_change_the_voice_list_tools_and_save(chat: Chat, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    lines = f"hello\n/voice zzz\n/voice albert\n/tools\n/replay\n/save {file}\n/fly\n/save\n/help\n/quit\n"
    ended = chat(lines, "--model", script(tmp_path, "good morning"))
    assert ended.returncode == 0, ended.stderr
    for part in ("zzz", "Albert: albert", "calculate", "there is no command /fly", "name the file", "/voice NAME"):
        assert part in ended.stdout, part
    assert ended.stdout.count("good morning") == 2
    assert [message.text for message in load_conversation(file)] == ["hello", "good morning"]


def test_a_tool_file_that_is_missing_is_told_in_one_line(chat: Chat, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    ended = chat("hello\n", "--model", script(tmp_path, "good"), "--tools", missing)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr and missing in ended.stderr


def test_a_turn_model_that_is_missing_is_told_with_the_command_that_fetches_it(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path))
    ended = chat("hello\n", "--model", script(tmp_path, "good"), "--turn-model", "smart-turn")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "agentaudio models fetch smart-turn" in " ".join(ended.stderr.split())


def test_the_model_reads_the_instructions(chat: Chat, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    model = script(tmp_path, "good morning")
    chat(f"hello\n/save {file}\n", "--model", model, "--instructions", "Be brief.")
    assert load_conversation(file).messages[0].text == "Be brief."


def test_a_stored_conversation_goes_on_where_it_was_left(chat: Chat, tmp_path: Path) -> None:
    options = "--model", script(tmp_path, "good morning", "good evening"), "--session", "ana"
    store = "--store", str(tmp_path / "talks.sqlite3")
    assert "good morning" in chat("hello\n", *options, *store).stdout
    again = chat("me again\n", *options, *store)
    assert again.returncode == 0, again.stderr
    assert "session ana goes on after 1 turns" in again.stdout and "good evening" in again.stdout
