"""Commands and URLs in which a value would become code, a program, an option or another path."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from support.local_http import local_server

from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError, ToolError
from agentaudio.tools.context import RunContext
from agentaudio.tools.declarative.code import read_as_code
from agentaudio.tools.declarative.load import load_tools
from agentaudio.tools.tool import Tool

CONTEXT = RunContext(Conversation())

READ_AS_CODE = (
    ["sh", "-c", "echo {a}"],
    ["/bin/bash", "-lc", "echo {a}"],
    ["zsh", "-ec", "{a}"],
    ["dash", "{a}"],
    ["python3.12", "-c", "print({a})"],
    ["python", "-W", "ignore", "-c", "{a}"],
    ["perl", "-ne", "{a}"],
    ["perl", "-e{a}"],
    ["node", "--eval={a}"],
    ["node", "-p", "{a}"],
    ["ruby", "-e", "puts '{a}'"],
    ["php", "-r", "{a}"],
    ["env", "sh", "-c", "{a}"],
    ["env", "{a}"],
    ["env", "-S", "sh -c {a}"],
    ["busybox", "sh", "-c", "{a}"],
    ["busybox", "{a}"],
    ["xargs", "sh", "-c", "{a}"],
    ["sudo", "bash", "-c", "x {a}"],
    ["timeout", "5", "sh", "-c", "{a}"],
    ["find", ".", "-exec", "sh", "-c", "{a}", ";"],
    ["ssh", "host", "ls", "{a}"],
    ["cmd.exe", "/c", "dir {a}"],
    ["powershell", "-Command", "Get-Item", "{a}"],
    ["awk", "{a}", "file"],
    ["sed", "s/x/{a}/", "file"],
    ["sed", "-e", "{a}"],
    ["su", "-c", "{a}"],
    ["nice", "-n", "5", "sh", "-c", "{a}"],
    ["C:\\Windows\\cmd.exe", "/C", "{a}"],
    ["find", ".", "-exec", "{a}", ";"],
    ["find", ".", "-okdir", "{a}", ";"],
    ["fd", "-x", "{a}"],
    ["git", "-c", "{a}"],
    ["git", "-c{a}", "log"],
    ["git", "clone", "--upload-pack={a}", "x"],
    ["nice", "git", "-c", "{a}"],
    ["tar", "cf", "x", "--to-command={a}"],
    ["bsdtar", "-I", "{a}"],
    ["rsync", "-e", "{a}", "x", "y"],
    ["zip", "x", "y", "-TT", "{a}"],
    ["sort", "--compress-program={a}"],
    ["split", "--filter", "{a}"],
    ["man", "-P", "{a}"],
    ["nc", "-e", "{a}"],
    ["java", "-jar", "{a}"],
    ["sqlite3", "x.db", "{a}"],
    ["socat", "EXEC:{a}", "-"],
    ["crontab", "{a}"],
    ["m4", "{a}"],
    ["deno", "eval", "{a}"],
    ["deno", "run", "{a}"],
    ["npx", "--yes", "{a}"],
    ["pipx", "run", "{a}"],
    ["pip3", "install", "x", "{a}"],
    ["npm", "exec", "{a}"],
    ["go", "run", "{a}"],
)
ARGUMENTS = (
    ["echo", "{a}"],
    ["sh", "script.sh", "{a}"],
    ["sh", "-c", 'echo "$1"', "sh", "{a}"],
    ["python3", "tool.py", "-c", "{a}"],
    ["python", "-c", "import sys; print(sys.argv)", "{a}"],
    ["env", "date", "+{a}"],
    ["timeout", "5", "ls", "{a}"],
    ["perl", "./convert.pl", "--eval={a}"],
    ["awk", "{{print $1}}", "{a}"],
    ["sh", "-c", "date"],
    ["grep", "-e", "{a}", "notes"],
    ["find", "notes", "-name", "{a}"],
    ["find", ".", "-exec", "grep", "-c", "{a}", "x", ";"],
    ["git", "log", "--author", "{a}"],
    ["git", "commit", "-m", "{a}"],
    ["tar", "cf", "x.tar", "{a}"],
    ["sort", "-c", "{a}"],
    ["npx", "cowsay", "{a}"],
    ["npm", "run", "greet", "{a}"],
    ["docker", "run", "image", "{a}"],
    ["java", "-jar", "x.jar", "{a}"],
    ["mytool", "run", "{a}"],
)


@pytest.mark.parametrize("command", READ_AS_CODE, ids=" ".join)
def test_a_value_that_would_be_code_is_found(command: list[str]) -> None:
    assert read_as_code(command, command[0]) is not None


@pytest.mark.parametrize("command", ARGUMENTS, ids=" ".join)
def test_values_may_be_arguments(command: list[str]) -> None:
    assert read_as_code(command, command[0]) is None


def test_links_to_a_shell_are_followed(tmp_path: Path) -> None:
    (tmp_path / "bash").write_text("")
    (tmp_path / "greet").symlink_to(tmp_path / "bash")
    assert read_as_code(["greet", "-c", "{a}"], str(tmp_path / "greet")) == "{a}"


def command(tmp_path: Path, *words: str) -> Tool:
    path = tmp_path / "one.yaml"
    path.write_text(f"name: one\ndescription: d\nkind: command\ncommand: {json.dumps(words)}\nparameters: {{a: x}}\n")
    (made,) = load_tools(path, allow_commands=True)
    return made


def test_a_file_with_a_shell_names_the_line_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"one.yaml:4: 'echo \{a\}' would be read as code.*sh.*-c.*\$1"):
        command(tmp_path, "sh", "-c", "echo {a}")


def test_an_argument_of_fixed_code_is_not_code(tmp_path: Path) -> None:
    made = command(tmp_path, "sh", "-c", 'echo "got $1"', "sh", "{a}")
    result = asyncio.run(made.call(CONTEXT, {"a": "$(id); `id` && echo x"}))
    assert "got $(id); `id` && echo x" in result.text


@pytest.mark.parametrize("value", ["", "..", "../etc", "x/../../etc", "..\\etc"])
def test_a_value_cannot_leave_the_folder_of_a_path(tmp_path: Path, value: str) -> None:
    made = command(tmp_path, "cat", "notes/{a}")
    with pytest.raises(ToolError, match=r"cannot be part of the path notes/\{a\}"):
        asyncio.run(made.call(CONTEXT, {"a": value}))


@pytest.mark.parametrize("value", ["-x", "--output=/etc/passwd", "-", "--", "-5"])
def test_a_value_cannot_be_an_option(tmp_path: Path, value: str) -> None:
    with pytest.raises(ToolError, match="begins with a hyphen"):
        asyncio.run(command(tmp_path, "echo", "{a}").call(CONTEXT, {"a": value}))


@pytest.mark.parametrize("value", ["", ".", "..", "../admin", "x/..", "..\\admin"])
def test_a_value_cannot_make_another_path_of_a_url(tmp_path: Path, value: str) -> None:
    with local_server() as server:
        path = tmp_path / "one.yaml"
        path.write_text(
            f"name: one\ndescription: d\nkind: http\nurl: {server.url}/users/{{a}}/posts?q={{a}}\n"
            "allow_private: true\nparameters: {a: x}\n"
        )
        server.answers["/users/x%20y/posts"] = (200, {"content-type": "text/plain"}, b"posts")
        (made,) = load_tools(path)
        assert "posts" in asyncio.run(made.call(CONTEXT, {"a": "x y"})).text
        with pytest.raises(ToolError, match="cannot be part of the URL"):
            asyncio.run(made.call(CONTEXT, {"a": value}))
        assert len(server.asked) == 1
