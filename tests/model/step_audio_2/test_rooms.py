"""The rooms of Step-Audio 2 import each other in one direction."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from agentaudio.model import step_audio_2

HERE = Path(step_audio_2.__file__).parent
PACKAGE = "agentaudio.model.step_audio_2"
ALLOWED = {
    "tokens": set[str](),
    "versions": set[str](),
    "lane": set[str](),
    "network": {"tokens", "versions"},
    "language": {"tokens", "network.features"},
    "settings": set[str](),
    "decoding": {"tokens", "lane", "language", "network", "settings"},
    "memory": {"network"},
    "llama": {"tokens", "language", "network", "decoding", "memory"},
    "token2wav": {"lane", "tokens", "network.features", "network.resample"},
}
"""What each room may import of the others. The files at the root join them."""


def imported(file: Path) -> set[str]:
    """Modules of this package that a file imports, without the package's name."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}.")}


@pytest.mark.parametrize("room", ALLOWED)
def test_arrows_point_one_way(room: str) -> None:
    files = list((HERE / room).glob("*.py")) or [HERE / f"{room}.py"]
    allowed = ALLOWED[room] | {room}
    wrong = {
        f"{file.name} imports {name}"
        for file in files
        for name in imported(file)
        if not any(name == one or name.startswith(f"{one}.") for one in allowed)
    }
    assert files
    assert wrong == set()
