"""A library on disk: voices are stored and read back unchanged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio import Audio
from agentaudio.errors import ConsentError, VoiceError, VoiceNotFound
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent


def test_voices_are_there_after_opening_again(library: VoiceLibrary) -> None:
    again = VoiceLibrary(library.folder)
    assert [voice.id for voice in again] == ["walter", "ruby", "robot", "secret"]
    assert again.get("Ruby").card == library.get("ruby").card
    assert again.get("walter").clip.duration == pytest.approx(2)


def test_removed_voices_leave_no_file(library: VoiceLibrary) -> None:
    path = library.get("walter").path
    library.remove("walter")
    assert not path.exists()
    with pytest.raises(VoiceNotFound, match="no voice 'walter'"):
        library.get("walter")


@pytest.mark.parametrize(
    ("consent", "licence", "words"),
    [
        (None, "CC0-1.0", "no consent"),
        (Consent(basis="speaker", holder="Ann", scope=("research",)), "CC0-1.0", "covers research, not synthesis"),
        (
            Consent(basis="speaker", holder="Ann", scope=("synthesis",), until=date(2020, 1, 1)),
            "CC0-1.0",
            "ended on 2020",
        ),
        (Consent(basis="speaker", holder="Ann", scope=("synthesis",)), None, "no licence"),
    ],
)
def test_a_voice_is_used_only_with_licence_and_consent(
    library: VoiceLibrary, consent: Consent | None, licence: str | None, words: str
) -> None:
    voice = library.add(tone(), id="ann", name="Ann", description="", consent=consent, licence=licence)
    with pytest.raises(ConsentError, match=words):
        voice.require("synthesis")


@pytest.mark.parametrize(
    ("id", "clip", "words"),
    [
        ("../escape", tone(), "id: String should match"),
        ("UPPER", tone(), "id: String should match"),
        ("walter", tone(), "a voice 'walter' already"),
        ("new", Audio.silence(2, 16_000), "is silent"),
        ("new", tone(duration_s=0.3), "lasts 0.3 s; give 1 to 30 s"),
        ("new", tone(duration_s=31), "lasts 31.0 s"),
    ],
)
def test_an_invalid_voice_is_refused_and_leaves_no_files(
    library: VoiceLibrary, id: str, clip: Audio, words: str
) -> None:
    before = sorted(library.folder.rglob("*"))
    with pytest.raises(VoiceError, match=words):
        library.add(clip, id=id, name="New", description="")
    assert sorted(library.folder.rglob("*")) == before


def test_a_clip_that_changed_after_it_was_added_is_refused(library: VoiceLibrary) -> None:
    path = library.get("ruby").path
    tone(500, 2).save(path)
    with pytest.raises(VoiceError, match=r"\.flac changed after it was added"):
        _ = VoiceLibrary(library.folder).get("ruby").clip
    path.unlink()
    with pytest.raises(VoiceError, match="cannot read"):
        _ = VoiceLibrary(library.folder).get("ruby").clip


def damage(sql: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as db:
            db.executescript(sql)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damage("PRAGMA user_version = 99"), "has format 99, this version .* upgrade agentaudio"),
        (damage("PRAGMA application_id = 1"), "another kind of SQLite file"),
        (damage("DROP TABLE about"), "is damaged"),
        (lambda file: file.write_bytes(b"not a database at all" * 100), "is damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:5000]), "is damaged"),
        (lambda file: file.write_bytes(b""), "another kind"),
        (lambda file: file.rename(file.with_name("voices.json")), "format 1, which is not supported any more"),
    ],
)
def test_a_library_that_cannot_be_read_is_named(tmp_path: Path, change: Callable[[Path], object], words: str) -> None:
    VoiceLibrary.create(tmp_path).close()
    change(tmp_path / "library.sqlite3")
    with pytest.raises(VoiceError, match=words):
        VoiceLibrary(tmp_path)


def test_a_card_that_cannot_be_read_is_named(library: VoiceLibrary) -> None:
    library.close()
    damage("""UPDATE cards SET card = '{"id": 3}' WHERE voice = 2""")(library.folder / "library.sqlite3")
    with pytest.raises(VoiceError, match="holds a card that cannot be read"):
        list(library)


def test_a_folder_without_voices_is_not_a_library(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="not a voice library"):
        VoiceLibrary(tmp_path)
    VoiceLibrary.create(tmp_path)
    with pytest.raises(VoiceError, match="already"):
        VoiceLibrary.create(tmp_path)


@pytest.mark.parametrize("wanted", ["Zoë Ångström", "zoe angstrom", "ZOE ÅNGSTROM", "Zoe\u0308 Ångström"])
def test_a_name_is_found_with_or_without_its_accents(library: VoiceLibrary, wanted: str) -> None:
    library.add(tone(220, 1.5), id="one", name="Zoë Ångström", description="")
    assert library.get(wanted).id == "one"
