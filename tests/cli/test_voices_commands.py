"""`agentaudio voices`, from an empty folder to a deleted voice."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support import command_line
from support.command_line import Done
from support.voices import Bands

from agentaudio.demo.run import questions_folder
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

Run = Callable[..., Done]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    return partial(command_line.run, capfd, "voices")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    for id in ("gina", "marcus"):
        demo_voices().get(id).clip.save(folder / f"{id}.wav")
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


def test_voices_are_found_by_sound_and_by_attributes_with_the_reason(run: Run) -> None:
    question = questions_folder() / "scottish-man.flac"
    code, output, _ = run("search", "--clip", question, "--min-score", "0.0", "--exclude", "angus", "--json")
    found = json.loads(output)["voices"]
    assert code == 0 and "angus" not in [one["id"] for one in found]
    assert all(one["signals"] and one["reason"] for one in found)
    women = json.loads(run("search", "--gender", "female", "--language", "French", "--json")[1])["voices"]
    assert [one["id"] for one in women] == ["claire"]
    assert "sounds alike" in run("search", "--clip", question, "--min-score", "0.0")[1].replace("\n", " ")
    assert "recall" in run("stats")[1]


def test_a_recording_is_added_shown_exported_revoked_and_removed(
    run: Run, clips: Path, library: Path, tmp_path: Path
) -> None:
    code, output, complaint = run(
        "add", clips / "gina.wav", "--voices", library, "--id", "ann", "--name", "Ann", "--tag", "calm", "--tag",
        "warm", "--licence", "CC0-1.0", "--basis", "speaker", "--holder", "Ann Example", "--until", "2999-12-31",
    )  # fmt: skip
    assert code == 0 and "1 voices added" in output, complaint
    prompt = VoiceLibrary(library).get("ann").permit.state_path("kokoro", "1", ".npz")
    assert prompt is not None
    prompt.parent.mkdir(parents=True)
    prompt.write_bytes(b"style")
    shown = json.loads(run("show", "ann", "--voices", library, "--json")[1])
    assert [(kept["model"], kept["version"], kept["bytes"]) for kept in shown["prompts"]] == [("kokoro", "1", 5)]
    assert shown["usable"] and shown["consent"]["until"] == "2999-12-31" and shown["tags"] == ["calm", "warm"]
    assert shown["automatic"] == ["description", "gender"] and shown["quality"]["speech_s"] > 4
    assert "Ann Example" in run("show", "ann", "--voices", library)[1]
    assert "ann" in run("search", "a calm warm voice", "--voices", library)[1]
    assert run("play", "ann", "--voices", library, "--out", tmp_path / "ann.wav")[0] == 0
    assert run("export", "ann", tmp_path / "ann.zip", "--voices", library)[0] == 0
    assert "clip.flac" in zipfile.ZipFile(tmp_path / "ann.zip").namelist()
    assert run("revoke", "ann", "--voices", library)[0] == 0
    assert run("search", "a calm warm voice", "--voices", library)[0] == 1
    assert "was revoked on" in run("play", "ann", "--voices", library)[2]
    assert "it was revoked on" in run("show", "ann", "--voices", library)[1]
    code, _, complaint = run("remove", "ann", "--voices", library)
    assert code == 1 and "add --yes" in complaint
    assert run("remove", "ann", "--voices", library, "--yes")[0] == 0
    assert "no voice 'ann'" in run("show", "ann", "--voices", library)[2]
    assert run("check", "--voices", library)[:2] == (0, "no problems\n")


def test_ingest_reports_refused_recordings(run: Run, clips: Path, library: Path) -> None:
    (clips / "letter.wav").write_bytes(b"Dear Sir or Madam")
    code, output, _ = run("ingest", clips, "--voices", library, "--licence", "CC0-1.0", "--language", "it")
    assert code == 1 and "2 voices added, 0 already present, 0 to check, 1 refused" in output
    assert "row 2" in output and "letter.wav is not a sound file" in " ".join(output.split())
    again = json.loads(run("ingest", clips, "--voices", library, "--json")[1])
    assert again["added"] == [] and len(again["skipped"]) == 2 and again["refused"][0]["row"] == 2
    listed = json.loads(run("list", "--voices", library, "--json")[1])["voices"]
    assert [(card["id"], card["language"]) for card in listed] == [("gina", "it"), ("marcus", "it")]
    figures = json.loads(run("stats", "--voices", library, "--json")[1])
    assert (figures["voices"], figures["usable"], figures["embedded"]) == (2, 0, 2)
    assert "voices 2" in run("stats", "--voices", library)[1]


def test_the_policy_is_shown_and_set(run: Run, clips: Path, library: Path) -> None:
    run("add", clips / "gina.wav", "--voices", library, "--description", "A calm voice.")
    assert "is strict" in run("policy", "--voices", library)[1]
    assert run("search", "calm", "--voices", library)[0] == 1
    assert "is without-both" in run("policy", "without-both", "--voices", library)[1]
    assert run("search", "calm", "--voices", library)[0] == 0


def test_adding_a_recording_again_fails_and_says_why(run: Run, clips: Path, library: Path) -> None:
    assert run("add", clips / "gina.wav", "--voices", library)[0] == 0
    code, output, _ = run("add", clips / "gina.wav", "--voices", library, "--id", "other")
    assert code == 1 and "0 voices added, 1 already present" in output
    code, output, _ = run("add", clips / "gina.wav", "--voices", library, "--id", "other", "--json")
    assert code == 1 and json.loads(output)["added"] == []


def test_words_that_look_like_markup_are_printed_unchanged(run: Run, clips: Path, library: Path) -> None:
    run("add", clips / "gina.wav", "--voices", library, "--name", "[/] Gina", "--description", "[red]calm[/red].")
    for command in (("list",), ("show", "gina")):
        code, output, complaint = run(*command, "--voices", library)
        assert code == 0 and "[/] Gina" in output and "[red]calm[/red]" in output, complaint
    assert "“[/]”" in run("search", "[/]", "--voices", library)[1]


def test_stray_files_are_found_and_repaired(run: Run, clips: Path, library: Path) -> None:
    run("add", clips / "gina.wav", "--voices", library)
    stray = library / "clips" / "stray.flac"
    stray.write_bytes(b"left by a kill")
    assert run("check", "--voices", library)[0] == 1
    assert json.loads(run("check", "--voices", library, "--repair", "--json")[1])[0]["repaired"] and not stray.exists()
    assert run("check", "--voices", library)[0] == 0


def test_a_library_is_embedded_again(run: Run, clips: Path, library: Path) -> None:
    VoiceLibrary.create(library, encoder=Bands()).add(
        Audio.load(clips / "gina.wav"), id="gina", name="Gina", description=""
    )
    code, _, complaint = run("add", clips / "marcus.wav", "--voices", library)
    assert code == 1 and "has embeddings of 'bands-32'; name that encoder with --encoder" in complaint
    assert "1 voices have embeddings of resemblyzer" in run("reindex", "--voices", library, "--encoder", "embedded")[1]
    assert run("add", clips / "marcus.wav", "--voices", library)[0] == 0
    assert "did you mean 'embedded'" in run("reindex", "--voices", library, "--encoder", "embeded")[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ingest", "/nowhere"), "no such recording, folder or manifest: /nowhere"),
        (("add", "x.wav", "--basis", "speaker"), "a consent needs both --basis and --holder"),
        (("add", "x.wav", "--evidence", "a form"), "needs --basis and --holder"),
        (("revoke", "nobody"), "not a voice library"),
    ],
)
def test_a_command_that_fails_gives_a_one_line_error(
    run: Run, library: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, _, complaint = run(*arguments, "--voices", library)
    assert code == 1 and words in complaint and complaint.count("\n") == 1
