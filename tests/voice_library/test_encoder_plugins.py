"""Speaker encoders of other packages, by their entry points."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.cli import main
from agentaudio.errors import OptionError
from agentaudio.voice_library.encoders import load_encoder
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

ENCODER = """
import numpy as np

class Loudness:
    name, dim, same_speaker_above = "loudness-1", 2, 0.99

    def __init__(self, argument):
        self.argument = argument

    def encode(self, audio):
        vector = np.array([audio.peak, 1.0], np.float32)
        return vector / np.linalg.norm(vector)

def nothing(argument):
    return argument

def broken(argument):
    raise KeyError("weights")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with encoders, as pip installs it."""
    site = tmp_path / "site"
    about = site / "their_encoders-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "their_encoders.py").write_text(ENCODER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-encoders\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[agentaudio.encoders]\nloudness = their_encoders:Loudness\nnothing = their_encoders:nothing\n"
        "broken = their_encoders:broken\nabsent = their_encoders:absent\n"
    )
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.usefixtures("installed")
def test_an_encoder_of_another_package_works_from_the_shell(tmp_path: Path) -> None:
    assert load_encoder("loudness:some/folder").argument == "some/folder"  # type: ignore[attr-defined]
    clip = demo_voices().get("marcus").clip.save(tmp_path / "marcus.wav")
    library = tmp_path / "library"
    with pytest.raises(SystemExit) as added:
        main(["voices", "add", str(clip), "--voices", str(library), "--encoder", "loudness"])
    assert not added.value.code and VoiceLibrary(library).encoder_name == "loudness-1"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "why"),
    [("nothing", "has no 'name'"), ("broken", "KeyError"), ("absent", "AttributeError"), ("loudnes", "loudness")],
)
def test_an_encoder_that_is_none_is_an_option_error(name: str, why: str) -> None:
    with pytest.raises(OptionError, match=why):
        load_encoder(name)


def test_commands_take_ids_and_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = VoiceLibrary.create(tmp_path / "library")
    library.add(tone(200, 1.5), id="voice-1", name="Zoë Q", description="")
    library.add(tone(300, 1.5), id="voice-2", name="Ben", description="")
    for command in (["show", "zoe q"], ["export", "ZOË Q", str(tmp_path / "z.zip")], ["revoke", "zoe q"],
                    ["show", "Zoe Q"], ["remove", "Ben", "--yes"]):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(["voices", *command, "--voices", str(library.folder)])
        assert not ended.value.code, command
    assert "deleted voice-2" in capsys.readouterr().out and len(library) == 0
