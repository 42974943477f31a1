"""Speaker encoders of other packages, by their entry points."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.cli import main
from agentaudio.errors import OptionError
from agentaudio.voice_library.encoders import load_encoder
from agentaudio.voice_library.export import export_voice
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

ROOT = Path(__file__).parents[2]
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


@pytest.mark.system
def test_the_example_package_works_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The files that pip would install: the module, and the metadata built from pyproject.toml.
    site = shutil.copytree(ROOT / "examples" / "encoder_package", tmp_path / "site")
    build = "import setuptools.build_meta as build; build.prepare_metadata_for_build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=site, check=True, capture_output=True)
    monkeypatch.syspath_prepend(str(site))
    for id in ("marcus", "gina", "klaus"):
        demo_voices().get(id).clip.save(tmp_path / "clips" / f"{id}.wav")
    library = ("--voices", str(tmp_path / "library"))
    rights = ("--licence", "CC0-1.0", "--basis", "speaker", "--holder", "A")
    clip = str(tmp_path / "clips" / "gina.wav")
    ask = ("ask", "--text", "what is 2 plus 3", "--model", "embedded-lite", "--mute", *library)
    for command, code in (
        (("voices", "ingest", str(tmp_path / "clips"), "--encoder", "timbre", *rights, *library), 0),
        (("voices", "search", "--clip", clip, "--encoder", "timbre", *library), 0),
        (("voices", "search", "--clip", clip, "--encoder", "embedded", *library), 1),
        (("voices", "reindex", "--encoder", "timbre", *library), 0),
        ((*ask, "--encoder", "timbre"), 0),
        ((*ask, "--encoder", "timbr"), 1),
        (("voices", "search", "--clip", clip, "--encoder", "timbre:big", *library), 1),
    ):
        with pytest.raises(SystemExit) as ended:
            main(list(command))
        assert int(ended.value.code or 0) == code, command
    printed = capsys.readouterr()
    assert "gina" in printed.out and "did you mean 'timbre'" in printed.err and "takes no argument" in printed.err


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


def test_names_tags_and_accents_are_found_without_their_marks_and_in_any_case(tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path / "library")
    library.add(tone(200, 1.5), id="v1", name="Žofie Ångström", description="", accent="Québécois", tags=["Ärgerlich"])
    library.add(tone(300, 1.5), id="v2", name="अदिति", description="", accent="हिन्दी", tags=["मधुर"])
    rows = [library.select(accent="quebecois"), library.select(tags=["argerlich"]), library.select(accent="QUÉBÉCOIS")]
    assert [found.tolist() for found in rows] == [[1]] * 3
    assert library.select(accent="हनद").tolist() == [] and library.select(tags=["मधुर"]).tolist() == [2]
    assert library.edit("zofie ANGSTROM", name="Łucja").id == "v1" and library.edit("lucja", age="old").id == "v1"
    assert export_voice(library, "LUCJA", tmp_path / "out").is_dir()
    assert library.revoke("łucja").id == "v1" and library.card("v1").revoked
    library.remove("Lucja")
    library.remove("अदिति")
    assert not library.has("v1") and len(library) == 0
