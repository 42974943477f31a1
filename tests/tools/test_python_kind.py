"""Tools of files that are Python functions of a module beside the file, and values that YAML reads as numbers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from agentaudio import RunContext, Tool
from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError
from agentaudio.tools.declarative.grants import Grants
from agentaudio.tools.declarative.load import load_tools, read_tools

MODULE = """
from {package}helpers_of_{name} import GREETING

def greet(who: str) -> str:
    "Greet somebody."
    return GREETING + who
"""


def call(one: Tool, **arguments: str) -> str:
    return asyncio.run(one.call(RunContext(Conversation()), arguments)).text


def local_tool(folder: Path, name: str, greeting: str = "Hello ", *, package: bool = False) -> Path:
    home = folder / name if package else folder
    home.mkdir(parents=True, exist_ok=True)
    module = home / "inside.py" if package else home / f"{name}.py"
    module.write_text(MODULE.format(name=name, package="." if package else ""))
    (home / f"helpers_of_{name}.py").write_text(f"GREETING = {greeting!r}")
    (folder / "tool.yaml").write_text(f"kind: python\nimport: {name}{'.inside' if package else ''}:greet")
    return folder / "tool.yaml"


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.mark.parametrize("package", [False, True])
def test_a_module_beside_the_file_is_found_where_its_code_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: bool
) -> None:
    name = f"greetings_{package}".lower()
    file = local_tool(tmp_path / "a", name, package=package)
    with pytest.raises(OptionError, match=rf"tool.yaml:2: {name}.* beside this file is code.*allow_commands=True"):
        load_tools(file)
    _, (problem,) = read_tools(file, Grants(looking=True))
    assert "is code" in str(problem) and name not in sys.modules
    monkeypatch.chdir(tmp_path / "a")
    (one,) = load_tools("tool.yaml", allow_commands=True)
    (again,) = load_tools(file, allow_commands=True)
    assert call(one, who="Ann") == call(again, who="Ann") == "Hello Ann"
    with pytest.raises(OptionError, match="is code, which is not allowed"):
        load_tools(file)


def test_modules_of_one_name_beside_two_files_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    load_tools(local_tool(tmp_path / "a", "farewells"), allow_commands=True)
    with pytest.raises(OptionError, match=r"farewells.py is also a module beside a tool file in .*/a; rename one"):
        load_tools(local_tool(tmp_path / "b", "farewells", "Bye "), allow_commands=True)


def test_an_installed_module_is_not_replaced_by_one_beside_the_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'greet'.*an installed module hides calendar.py beside this file"):
        load_tools(local_tool(tmp_path, "calendar"), allow_commands=True)


def test_a_module_that_is_nowhere_says_where_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "tool.yaml").write_text("kind: python\nimport: nowhere_at.all:greet")
    with pytest.raises(OptionError, match=r"install it, or put nowhere_at.py beside this file"):
        load_tools(tmp_path / "tool.yaml")


HEAD = "name: x\ndescription: d\nkind: http\nurl: https://example.com/\nparameters:\n"


@pytest.mark.parametrize(
    ("setting", "line", "words"),
    [
        ("  zip: {default: 01234}", 6, '01234 is a number, which has no leading zeros; write "01234" for a string'),
        ("  zip:\n    enum: [007, 008]", 7, 'write "007"'),
        ("  zip: x\nquery: {code: 0049}", 7, 'write "0049"'),
        ("  zip: {default: 1234}", 6, "'zip' is a string, but default has the number 1234; write \"1234\""),
        ("  zip:\n    type: string\n    enum: [a, 2]", 8, "'zip' is a string, but enum has the number 2; write \"2\""),
        ("  flag: {default: true}", 6, "'flag' is a string, but default has the boolean true; write \"true\""),
        ("  version: {type: string, default: 1.10}", 6, "default has the number 1.1"),
    ],
)
def test_a_number_in_place_of_a_string_is_refused_with_the_line(
    tmp_path: Path, setting: str, line: int, words: str
) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(HEAD + setting)
    with pytest.raises(OptionError) as refused:
        load_tools(path)
    assert f"{path}:{line}: " in str(refused.value) and words in str(refused.value)


def test_quoted_digits_are_strings_and_defaults_have_the_type_of_their_parameter(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(
        HEAD + '  zip: {default: "01234"}\n  days: {type: integer, default: "5"}\n  zero: {type: integer, default: 0}'
    )
    (one,) = load_tools(path)
    assert one.arguments.check("x", {}) == {"zip": "01234", "days": 5, "zero": 0}
    assert one.parameters["properties"]["days"]["default"] == 5
