"""Sound is played from a file without a name, so that nothing of it can stay behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.cli.console import play
from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio


def player(folder: Path, script: str) -> None:
    program = folder / "paplay"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_player_reads_the_whole_sound_while_the_temporary_folder_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, heard, seen = tmp_path / "temporary", tmp_path / "heard.wav", tmp_path / "seen"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    player(tmp_path, f'cat "$1" > {heard}; ls -A {temporary} > {seen}')
    play(tone())
    assert Audio.load(heard).duration == tone().duration and seen.read_text() == ""


def test_a_player_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    player(tmp_path, "exit 1")
    with pytest.raises(AudioError, match="no program on this machine can play sound"):
        play(tone())
