"""Tools by name, from files and folders, and from installed plugins."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentaudio import Agent
from agentaudio.errors import OptionError, ToolNotFound
from agentaudio.model.scripted import Scripted
from agentaudio.tools.discovery import find_tools

ROOT = Path(__file__).parents[2]

PLUGIN = """
from agentaudio import tool
from agentaudio.model.scripted import Scripted

@tool
def greet(name: str) -> str:
    "Greet someone."
    return f"Hello {name}"

not_a_tool = 7

def load(argument, *, mood="fine"):
    return Scripted([f"I am {mood}, {argument}."])
"""

ENTRY_POINTS = """
[agentaudio.tools]
greet = stranger:greet
wrong = stranger:not_a_tool
broken = nowhere:at_all
[agentaudio.models]
stranger = stranger:load
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder as pip leaves it: a module, and the metadata with its entry points."""
    (tmp_path / "stranger.py").write_text(PLUGIN)
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return tmp_path


def run(site: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(site), "PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_third_party_tools_and_models_are_found_by_entry_point(site: Path) -> None:
    code = (
        "from agentaudio import Agent, load_model\n"
        "agent = Agent(load_model('stranger:friend', mood='glad'), tools=['greet'])\n"
        "print(agent.run_sync('hi').text, list(agent.tools))"
    )
    assert run(site, code) == "I am glad, friend. ['greet']\n"


BROKEN = {
    "find_tools(['wrong'])": ("OptionError", "is int, not a Tool"),
    "find_tools(['broken'])": ("OptionError", "(nowhere:at_all) does not load"),
    "load_model('stranger', moood=1)": ("OptionError", "no option 'moood'; did you mean 'mood'?"),
    "load_model('strangr')": ("ModelNotFound", "did you mean 'stranger'"),
}


def test_broken_plugins_are_named(site: Path) -> None:
    code = "from agentaudio.tools.discovery import find_tools\nfrom agentaudio import load_model\n"
    for expression in BROKEN:
        code += f"try: {expression}; print('nothing was raised')\nexcept Exception as e: print(type(e).__name__, e)\n"
    lines = run(site, code).splitlines()
    assert len(lines) == len(BROKEN), lines
    for (expression, (error, words)), line in zip(BROKEN.items(), lines, strict=True):
        assert line.startswith(error) and words in line, expression


def test_a_broken_plugin_does_not_hide_the_others_in_the_listing(site: Path) -> None:
    output = run(site, "from agentaudio.cli import main; main(['tools', 'list', '--json'])")
    assert '"name": "greet"' in output and '"name": "calculate"' in output and "nowhere:at_all" in output


@pytest.mark.system
def test_the_example_package_is_found_when_it_is_installed(tmp_path: Path) -> None:
    # The files that pip would install: the module, and the metadata built from pyproject.toml.
    site = shutil.copytree(ROOT / "examples" / "plugin_package", tmp_path / "site")
    build = "import setuptools.build_meta as build; build.prepare_metadata_for_build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=site, check=True, capture_output=True)
    output = run(
        site,
        "from agentaudio.model.scripted import Scripted\nfrom agentaudio import Agent\n"
        "model = Scripted([{'calls': [{'name': 'roll_dice', 'arguments': {'count': 3, 'sides': 2}}]}, 'Rolled.'])\n"
        "print(Agent(model, tools=['roll_dice']).run_sync('roll').tool_calls[0].result.text)",
    )
    assert re.fullmatch(r"[12], [12], [12]: [3-6] in all\n", output)


def test_a_name_in_two_packages_is_reported_and_the_built_in_is_used(site: Path) -> None:
    info = site / "another-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentaudio.tools]\ncalculate = stranger:not_a_tool\ngreet = nowhere:x\n")
    output = run(
        site,
        "import logging; logging.basicConfig(format='%(message)s', stream=__import__('sys').stdout)\n"
        "from agentaudio.tools.discovery import crowded_names, find_tools\nprint(sorted(crowded_names().items()))\n"
        "print(find_tools(['calculate'])['calculate']('1+1'))",
    )
    assert "('calculate', ['agentaudio', 'another']), ('greet', ['another', 'stranger'])" in output
    assert "tool 'calculate' is offered by agentaudio and another; the tool of agentaudio is used\n1+1 = 2" in output


CLOCK = "kind: python\nimport: agentaudio.tools.builtin.clock:get_date_time\nname: {name}\n"


def test_files_folders_names_and_functions_stand_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(CLOCK.format(name="one"))
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "two.yml").write_text(CLOCK.format(name="two"))
    (folder / "three.toml").write_text('kind = "python"\nimport = "agentaudio.tools.builtin.clock:get_date_time"\n')
    (folder / "notes.md").write_text("no tool")

    def four() -> str:
        return "4"

    found = find_tools([tmp_path / "one.yaml", str(folder), "calculate", four])
    assert list(found) == ["one", "get_date_time", "two", "calculate", "four"]
    with pytest.raises(OptionError, match="two tools are named 'get_date_time'"):
        find_tools([folder, "get_date_time"])


def test_broken_files_in_a_folder_are_logged_and_the_others_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in {
        "a.yaml": CLOCK.format(name="clock"),
        "b.yaml": CLOCK.format(name="clock"),
        "c.yaml": "name: x\n\tkind: http",
        "d.yaml": "kind: python\nimport: nowhere:at_all",
        "e.toml": "kind = ",
    }.items():
        (tmp_path / name).write_text(text)
    agent = Agent(Scripted(["hi"]), tools=[tmp_path])
    assert list(agent.tools) == ["clock"] and agent.run_sync("hello").text == "hi"
    logged = [record.message for record in caplog.records]
    for name in ("b.yaml", "c.yaml", "d.yaml", "e.toml"):
        assert any(f"{name}:" in line for line in logged)
    assert len(logged) == 4 and all(line.startswith("a tool is left out: ") for line in logged)


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        ("missing.yaml", OptionError, "missing.yaml: cannot be read"),
        ("no/such/folder", OptionError, "there is no folder of tools"),
        (Path("."), OptionError, "contains no tool files; add files ending in .yaml"),
        ("empty", ToolNotFound, "no tool 'empty' is installed; to use the folder, write empty/"),
        (7, OptionError, "7 is not a tool; give a name, a file"),
    ],
)
def test_places_without_tools_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: Any, error: type[Exception], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        find_tools([wanted])
