"""Voices that are stored and may not be used are counted, with the reasons."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.cli import main
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
