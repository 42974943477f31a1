"""A library on disk: what goes in comes out, and nothing else."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from support import tone

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
    library.remove("walter")
    assert "walter" not in (library.folder / "voices.json").read_text()
    assert not list(library.folder.rglob("*walter*"))
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
def test_what_cannot_be_a_voice_is_refused_and_leaves_nothing(
    library: VoiceLibrary, id: str, clip: Audio, words: str
) -> None:
    before = sorted(library.folder.rglob("*"))
    with pytest.raises(VoiceError, match=words):
        library.add(clip, id=id, name="New", description="")
    assert sorted(library.folder.rglob("*")) == before


def test_a_clip_that_changed_after_it_was_added_is_refused(library: VoiceLibrary) -> None:
    tone(500, 2).save(library.folder / "clips" / "ruby.flac")
    with pytest.raises(VoiceError, match=r"ruby\.flac changed after it was added"):
        _ = VoiceLibrary(library.folder).get("ruby").clip
    (library.folder / "clips" / "ruby.flac").unlink()
    with pytest.raises(VoiceError, match="cannot read"):
        _ = VoiceLibrary(library.folder).get("ruby").clip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "this version reads format 1"),
        ({"voices": [{"id": "x"}]}, "voice 1: name: Field required"),
        ("not json", "cannot read"),
    ],
)
def test_an_index_that_cannot_be_read_is_named(library: VoiceLibrary, change: object, words: str) -> None:
    index = library.folder / "voices.json"
    if isinstance(change, dict):
        index.write_text(json.dumps(json.loads(index.read_text()) | change))
    else:
        index.write_text(str(change))
    with pytest.raises(VoiceError, match=words):
        VoiceLibrary(library.folder)


def test_clips_outside_the_library_are_never_read(library: VoiceLibrary) -> None:
    index = library.folder / "voices.json"
    data = json.loads(index.read_text())
    data["voices"][0]["clip"] = "../../elsewhere.flac"
    index.write_text(json.dumps(data))
    with pytest.raises(VoiceError, match="leads out of the library"):
        VoiceLibrary(library.folder)


def test_a_folder_without_voices_is_no_library(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="not a voice library"):
        VoiceLibrary(tmp_path)
    VoiceLibrary.create(tmp_path)
    with pytest.raises(VoiceError, match="already"):
        VoiceLibrary.create(tmp_path)
