"""Voices that are stored and may not be used are counted, with the reasons."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.cli import main
from agentaudio.errors import VoiceError
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.voice_library.check import check
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.voice import Consent, Policy
from agentaudio.voice_library.withheld import in_words, withheld

FREE = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))


@pytest.fixture
def mixed(tmp_path: Path) -> VoiceLibrary:
    library = VoiceLibrary.create(tmp_path / "mixed")
    over = FREE.model_copy(update={"until": date.today() - timedelta(days=1)})
    research = FREE.model_copy(update={"scope": ("research",)})
    for number, (licence, consent) in enumerate(
        [("CC0-1.0", FREE), (None, FREE), (None, None), ("CC0-1.0", None), ("CC0-1.0", over), ("CC0-1.0", research)]
    ):
        clip = tone(200 + 40 * number, 1.5)
        library.add(clip, id=f"v{number}", name="V", description="A calm man.", licence=licence, consent=consent)
    return library


def test_reasons_are_counted_and_follow_the_policy(mixed: VoiceLibrary) -> None:
    reasons = withheld(mixed)
    assert sum(reasons.values()) == 5 and reasons["it has no licence"] == 2
    assert any("consent ended" in reason for reason in reasons) and any("not synthesis" in reason for reason in reasons)
    mixed.set_policy(Policy(without_licence=True, without_consent=True))
    assert sum(withheld(mixed).values()) == 2
    assert withheld(demo_voices()) == {} and in_words({}) == ""


def test_an_ingest_says_which_of_its_voices_are_withheld(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for id in ("marcus", "gina"):
        demo_voices().get(id).clip.save(clips / f"{id}.wav")
    library = VoiceLibrary.create(tmp_path / "library")
    report = ingest(library, clips, common={"licence": "CC0-1.0"})
    assert len(report.added) == 2 and {note.what for note in report.withheld} == {"it has no consent"}
    free = VoiceLibrary.create(tmp_path / "free")
    assert ingest(free, clips, common={"licence": "CC0-1.0", "consent": FREE}).withheld == []


@pytest.mark.parametrize("command", [["list"], ["search", "a calm man"], ["search", "a robot"]])
def test_the_shell_says_what_is_withheld(
    mixed: VoiceLibrary, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["voices", *command, "--voices", str(mixed.folder)])
    printed = " ".join(capsys.readouterr().out.split())
    assert "5 voices are withheld" in printed and "it has no licence (2)" in printed


def test_an_edited_card_takes_effect_in_searches_at_once(mixed: VoiceLibrary) -> None:
    search = VoiceSearch(mixed)
    assert [match.voice.id for match in search.search("a calm man", k=9)] == ["v0"]
    mixed.edit("v2", licence="CC-BY-4.0", consent=FREE, description="A hoarse woman.", gender="female", tags=["odd"])
    assert [match.voice.id for match in search.search("a hoarse woman")] == ["v2"]
    assert [mixed.at([row])[0].id for row in mixed.select(tags=["odd"])] == ["v2"]
    assert [entry["event"] for entry in mixed.log("v2")] == ["added", "edited"] and check(mixed) == []
    mixed.edit("v2", gender=None, licence=None)
    assert search.search("a hoarse woman") == [] and mixed.refusal("v2", "synthesis") == "it has no licence"
    later = mixed.add(tone(950, 1.5), id="later", name="L", description="")
    assert mixed.get("later") == later and len({*mixed.select().tolist()}) == len(mixed) == 7


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"sha256": "0" * 64}, "cannot be edited"),
        ({"gender": "robot"}, "gender: "),
        ({"colour": "red"}, "editable are"),
    ],
)
def test_an_edit_that_is_not_valid_changes_nothing(mixed: VoiceLibrary, fields: dict[str, str], why: str) -> None:
    before = mixed.card("v0")
    with pytest.raises(VoiceError, match=why):
        mixed.edit("v0", **fields)
    assert mixed.card("v0") == before
    mixed.revoke("v1")
    with pytest.raises(VoiceError, match="was revoked"):
        mixed.edit("v1", licence="CC0-1.0")


def test_the_shell_mends_all_cards(mixed: VoiceLibrary, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["voices", "edit", "--all", "--voices", str(mixed.folder), "--licence", "CC0-1.0", "--basis", "speaker",
              "--holder", "Ann"])  # fmt: skip
    assert withheld(mixed) == {} and "edited v5" in capsys.readouterr().out
