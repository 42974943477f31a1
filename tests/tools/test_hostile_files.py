"""Tool files with values that parsers stumble over, and files that cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agentaudio.errors import OptionError
from agentaudio.tools.declarative.load import load_tools

pytestmark = pytest.mark.hostile

HEAD = 'name = "x"\ndescription = "d"\nkind = "http"\nurl = "https://a/"\n'


@pytest.mark.parametrize(
    "text",
    [
        "timeout_s = " + "9" * 5_000,
        "timeout_s = 1" + "_000" * 3_000,
        "retries = -" + "1" * 10_000,
        "timeout_s = 0x" + "f" * 50_000,
        "timeout_s = 1e999999999",
        "cache_s = nan",
        "timeout_s = inf",
        "description = 9999-99-99",
        "x = 2020-01-01T99:99:99Z",
        "a." * 50_000 + "a = 1",
        "[" + "a." * 50_000 + "a]",
        "x = {" + "a . " * 20_000 + "a = 1}",
        "\"a b\".'c'." * 10_000 + "a = 1",
        "a." * 51 + "a = 1",
        "x = " + "[" * 50_000,
        'x = "\\ud800"',
        'x = "\\U00110000"',
        "template = " + "1" * 4_301,
    ],
)
def test_a_toml_file_with_extreme_values_is_an_error_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(HEAD + text)
    with pytest.raises(OptionError, match="a.toml") as refused:
        load_tools(file)
    assert len(str(refused.value)) < 2_000


@pytest.mark.parametrize("kind", ["pipe", "device", "large", "folder"])
def test_a_file_that_is_not_one_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "a.yaml"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    else:
        with file.open("wb") as made:
            made.truncate(10**12)
    with pytest.raises(OptionError, match="a.yaml: (cannot be read|the file has more than 200000 bytes)"):
        load_tools(file)


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/proc/self/environ", "folder", "missing"])
def test_a_secret_that_is_not_a_regular_file_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    file = tmp_path / "a.toml"
    file.write_text(f'{HEAD}[secrets]\nK = {{file = "{name}"}}\n')
    if name == "/proc/self/environ":
        with pytest.raises(OptionError, match="not granted"):
            load_tools(file, allow_secrets=[tmp_path])
        return
    with pytest.raises(OptionError, match="the secret K cannot be read"):
        load_tools(file, allow_secrets=["/dev", tmp_path])


@pytest.mark.parametrize(
    "folder", ["a" * 300, "~nobody-of-this-name/a", "a\0b", "\udcff", "loop/x", "a.toml/x", "/" * 5_000 + "x"]
)
@pytest.mark.parametrize("kind", ["documents", "command", "secret"])
def test_a_path_that_no_file_can_have_is_an_error_with_its_line(tmp_path: Path, kind: str, folder: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    data: dict[str, object] = {"name": "x", "description": "d", "kind": kind, "folder": folder}
    if kind == "command":
        data["command"] = ["ls"]
    elif kind == "secret":
        data = {
            "name": "x",
            "description": "d",
            "kind": "http",
            "url": "https://a/",
            "secrets": {"K": {"file": folder}},
        }
    file = tmp_path / "a.yaml"
    file.write_text(json.dumps(data))
    with pytest.raises(OptionError, match="a.yaml:1: ") as refused:
        load_tools(file, allow_commands=True, allow_secrets=[tmp_path])
    assert str(refused.value).isprintable()


def test_names_in_a_file_reach_the_error_without_what_a_terminal_obeys(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        json.dumps({"name": "x", "description": "d", "kind": "http", "url": "https://a/", "\x1b[2J\u202e": 1})
    )
    with pytest.raises(OptionError, match=r"there is no setting \\x1b\[2J\\u202e"):
        load_tools(file)
