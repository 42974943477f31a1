"""Copies of a library, and repairs that keep every recording."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.errors import VoiceError
from agentaudio.voice_library.check import check
from agentaudio.voice_library.database import FILE
from agentaudio.voice_library.library import VoiceLibrary


def recordings(folder: Path) -> set[bytes]:
    return {file.read_bytes() for file in folder.rglob("*.flac")}


def filled(folder: Path, count: int = 3) -> VoiceLibrary:
    library = VoiceLibrary.create(folder)
    for number in range(count):
        library.add(tone(200 + 50 * number, 1.5), id=f"v{number}", name="V", description="")
    return library


def without_log(library: VoiceLibrary, to: Path) -> VoiceLibrary:
    return VoiceLibrary(shutil.copytree(library.folder, to, ignore=shutil.ignore_patterns("*-wal", "*-shm")))


def test_a_copy_without_the_write_ahead_log_is_whole_while_writer_and_reader_are_open(tmp_path: Path) -> None:
    library = filled(tmp_path / "original")
    reader = VoiceLibrary(library.folder)
    assert len(reader) == 3
    library.revoke("v1")
    library.add(tone(900, 1.5), id="late", name="Late", description="")
    copy = without_log(library, tmp_path / "copy")
    assert [voice.id for voice in copy] == ["v0", "v2", "late"] and check(copy) == []


def lost_cards(library: VoiceLibrary, empty: Path) -> VoiceLibrary:
    """The library with the database of an empty one, as a copy without the log used to be."""
    library.close()
    VoiceLibrary.create(empty).close()
    shutil.copy(empty / FILE, library.folder / FILE)
    for log in library.folder.glob(f"{FILE}-*"):
        log.unlink()
    return VoiceLibrary(library.folder)


def test_a_library_that_lost_all_cards_is_refused_and_keeps_every_file(tmp_path: Path) -> None:
    library = filled(tmp_path / "library")
    before = recordings(library.folder)
    bare = lost_cards(library, tmp_path / "empty")
    assert any("3 recordings and not one card" in problem.what for problem in check(bare))
    with pytest.raises(VoiceError, match=f"copied without {FILE}-wal"):
        check(bare, repair=True)
    assert recordings(bare.folder) == before and not (bare.folder / "set-aside").exists()


def test_recordings_without_a_card_are_set_aside(tmp_path: Path) -> None:
    library = filled(tmp_path / "library")
    before = recordings(library.folder)
    bare = lost_cards(library, tmp_path / "empty")
    bare.add(tone(700, 1.5), id="new", name="New", description="")
    problems = check(bare, repair=True)
    assert len(problems) == 3 and all("it is now set-aside/" in problem.what for problem in problems)
    assert before < recordings(bare.folder) and len(list((bare.folder / "set-aside").iterdir())) == 3
    assert check(bare) == [] and [voice.id for voice in bare] == ["new"]
    again = bare.add(tone(200, 1.5), id="again", name="Again", description="")
    assert (bare.folder / "set-aside" / again.path.name).exists()
    bare.remove("again")
    assert not (bare.folder / "set-aside" / again.path.name).exists()


def test_the_recording_of_a_deleted_voice_is_deleted_and_not_set_aside(tmp_path: Path) -> None:
    library = filled(tmp_path / "library")
    voice = library.get("v1")
    content = voice.path.read_bytes()
    library.revoke("v1")
    voice.path.parent.mkdir(exist_ok=True)
    voice.path.write_bytes(content)
    (problem,) = check(library, repair=True)
    assert "is the recording of a voice that was deleted" in problem.what
    assert content not in recordings(library.folder)


def test_half_written_clips_are_deleted(tmp_path: Path) -> None:
    library = filled(tmp_path / "library")
    half = library.get("v0").path.parent / ".0123.tmp"
    half.write_bytes(b"half")
    assert [problem.repaired for problem in check(library, repair=True)] == [True] and not half.exists()
