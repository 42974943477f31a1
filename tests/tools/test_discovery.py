"""Plugins of other packages, installed for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_strangers_tool_and_model_come_through_the_same_door(site: Path) -> None:
    code = (
        "from agentaudio import Agent, load_model\n"
        "agent = Agent(load_model('stranger:friend', mood='glad'), tools=['greet'])\n"
        "print(agent.run_sync('hi').text, list(agent.tools))"
    )
    assert run(site, code) == "I am glad, friend. ['greet']\n"


@pytest.mark.parametrize(
    ("expression", "error", "words"),
    [
        ("find_tools(['wrong'])", "OptionError", "is int, not a Tool"),
        ("find_tools(['broken'])", "OptionError", "(nowhere:at_all) does not load"),
        ("load_model('stranger', moood=1)", "OptionError", "does not take these options"),
        ("load_model('strangr')", "ModelNotFound", "did you mean 'stranger'"),
    ],
)
def test_broken_plugins_are_named(site: Path, expression: str, error: str, words: str) -> None:
    code = (
        "from agentaudio.tools.discovery import find_tools\nfrom agentaudio import load_model\n"
        f"try: {expression}\nexcept Exception as e: print(type(e).__name__, e)"
    )
    told = run(site, code)
    assert told.startswith(error) and words in told


def test_a_broken_plugin_does_not_hide_the_others_in_the_listing(site: Path) -> None:
    told = run(site, "from agentaudio.cli import main; main(['tools', 'list', '--json'])")
    assert '"name": "greet"' in told and '"name": "calculate"' in told and "nowhere:at_all" in told
