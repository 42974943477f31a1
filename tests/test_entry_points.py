"""Entry points of installed packages, which are read again only when the import path changes."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from agentaudio.entry_points import installed


def install(site: Path, name: str) -> Path:
    """The metadata of a package that offers a tool of its name, as pip leaves it."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[agentaudio.tools]\n{name} = {name}:tool\n")
    return info


def names() -> set[str]:
    return {point.name for point in installed("agentaudio.tools")} & {"hammer", "saw"}


def test_packages_that_are_installed_and_removed_while_the_program_runs_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names() == set()
    install(tmp_path, "hammer")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names() == {"hammer"}
    saw = install(tmp_path, "saw")
    assert names() == {"hammer", "saw"}
    shutil.rmtree(saw)
    assert names() == {"hammer"}


def test_a_relative_folder_of_the_path_is_that_of_the_present_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("hammer", "saw"):
        install(tmp_path / name, name)
    monkeypatch.chdir(tmp_path / "hammer")
    monkeypatch.syspath_prepend("")
    assert names() == {"hammer"}
    monkeypatch.chdir(tmp_path / "saw")
    assert names() == {"saw"}


def test_metadata_is_read_once_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = installed("agentaudio.models")
    assert {"embedded", "scripted"} <= {point.name for point in first}
    monkeypatch.setattr(importlib.metadata, "entry_points", None)
    assert installed("agentaudio.models") is first and installed("agentaudio.nothing") == ()
