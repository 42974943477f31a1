"""Ingest: usable recordings become voices, and each refused row has a reason."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.sounds import tone
from support.voices import Bands, in_another_process

from agentaudio.errors import AgentAudioError, VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.check import check
from agentaudio.voice_library.ingest import IngestReport, ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.manifest import read_manifest

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

FREE = {"licence": "CC0-1.0", "consent": {"basis": "synthetic", "holder": "nobody", "scope": ["synthesis"]}}


def speech(id: str = "angus") -> Audio:
    return demo_voices().get(id).clip


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary.create(tmp_path / "library", encoder=Bands())


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    return folder


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def reasons(report: IngestReport) -> dict[int, str]:
    return {note.row: note.what for note in report.refused}


def test_a_recording_becomes_a_voice_that_is_measured_and_described(library: VoiceLibrary, clips: Path) -> None:
    rest = Audio.silence(3, 16_000)
    path = Audio.concat([rest, speech("gina"), rest]).save(clips / "Gina's Clip.wav")
    report = ingest(library, path, common=FREE)
    assert report.added == ["gina-s-clip"] and not report.refused
    voice = library.get("gina-s-clip")
    card = voice.card
    assert speech("gina").duration - 0.6 < voice.clip.duration < speech("gina").duration + 0.6
    assert card.description == "A high voice, probably a woman's." and card.gender == "female"
    assert set(card.automatic) == {"description", "tags", "gender"} and card.tags == ("high",)
    assert card.quality is not None and card.quality.speech_s == pytest.approx(4.2, abs=0.3)
    assert card.quality.clipped == 0 and 6_000 < card.quality.bandwidth_hz <= 8_000
    assert card.quality.snr_db is not None and card.quality.snr_db > 40
    assert voice.require("synthesis") is voice and len(library.select(embedded=True)) == 1


def test_descriptions_written_by_people_are_not_overwritten(library: VoiceLibrary, clips: Path) -> None:
    speech("gina").save(clips / "gina.flac")
    manifest = written(clips / "voices.jsonl", [{"file": "gina.flac", "tags": ["mine"], "gender": "neutral"}])
    ingest(library, manifest, common={"language": "it"})
    card = library.get("gina").card
    assert (card.tags, card.gender, card.language, card.automatic) == (("mine",), "neutral", "it", ("description",))


def test_the_best_fifteen_seconds_of_a_long_recording_are_taken(library: VoiceLibrary, clips: Path) -> None:
    rest = Audio.silence(8, 16_000)
    talk = Audio.concat([speech(id) for id in ("marcus", "walter", "angus", "ruby")])
    Audio.concat([rest, speech("marcus"), rest, talk, rest]).save(clips / "long.flac")
    assert ingest(library, clips).added == ["long"]
    card = library.get("long").card
    assert 12 < card.duration_s <= 15 and card.quality is not None and card.quality.speech_s > 11


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "txt"])
def test_manifests_of_every_kind_say_the_same(library: VoiceLibrary, clips: Path, kind: str) -> None:
    speech("gina").save(clips / "a b.wav")
    description = "A warm voice, like that of 海绵宝宝 — “yes”"
    row: dict[str, Any] = {"file": "a b.wav", "description": description}
    manifest = clips / f"voices.{kind}"
    if kind == "txt":
        manifest.write_text(f"\ufeffa b.wav, {description}\n\n", encoding="utf-8")
    else:
        row |= {"id": "warm", "name": "Warm", "tags": "calm; old", "licence": "CC0-1.0"}
        row |= {"consent_basis": "speaker", "consent_holder": "Ann", "consent_scope": "synthesis;demo"}
        row |= {"consent_until": "2999-01-01"}
        if kind == "csv":
            with manifest.open("w", encoding="utf-8-sig", newline="") as file:
                table = csv.DictWriter(file, row)
                table.writeheader()
                table.writerow(row)
        elif kind == "jsonl":
            written(manifest, [row])
        else:
            pyarrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
            from pyarrow import parquet

            parquet.write_table(pyarrow.Table.from_pylist([row]), manifest)
    report = ingest(library, manifest)
    assert len(report.added) == 1, report
    card = library.get(report.added[0]).card
    assert card.description == description and card.automatic == ()
    if kind != "txt":
        assert (card.id, card.name, card.tags, card.licence) == ("warm", "Warm", ("calm", "old"), "CC0-1.0")
        assert card.consent is not None and card.consent.scope == ("synthesis", "demo")
        assert str(card.consent.until) == "2999-01-01"


def test_three_bad_rows_of_seventy_are_reported_and_the_others_land(library: VoiceLibrary, clips: Path) -> None:
    content = bytearray(speech("marcus").slice(0, 1.4).to_bytes("wav"))
    rows: list[dict[str, Any]] = []
    for number in range(70):
        content[-2:] = struct.pack("<h", number)  # each a recording of its own
        (clips / f"{number}.wav").write_bytes(content)
        rows.append({"file": f"{number}.wav", "id": f"v{number}", "description": "d"})
    (clips / "30.wav").write_bytes(b"Dear Sir or Madam")
    rows[45]["file"] = "nowhere.wav"
    rows[66]["id"] = "v3"
    progress: list[tuple[int, int]] = []
    encoderless = VoiceLibrary.create(clips.parent / "plain")
    report = ingest(
        encoderless, written(clips / "all.jsonl", rows), on_progress=lambda done, total: progress.append((done, total))
    )
    assert len(report.added) == len(encoderless) == 67
    assert set(reasons(report)) == {31, 46, 67}
    assert "not a sound file" in reasons(report)[31] and "no such file" in reasons(report)[46]
    assert "there is a voice 'v3' already" in reasons(report)[67]
    assert progress[-1] == (70, 70)


def test_recordings_that_are_already_present_are_skipped(library: VoiceLibrary, clips: Path) -> None:
    speech("gina").save(clips / "gina.wav")
    shutil.copy(clips / "gina.wav", clips / "copy.wav")
    speech("gina").save(clips / "same-sound.flac")
    speech("marcus").save(clips / "marcus.wav")
    first = ingest(library, clips, workers=4)
    assert len(first.added) == 2 and [note.what for note in first.skipped] == ["it is the recording of 'copy'"] * 2
    again = ingest(library, clips)
    assert again.added == [] and len(again.skipped) == 4 and len(library) == 2
    library.revoke("marcus")
    assert "which was revoked on" in reasons(ingest(library, clips))[3]


def test_two_files_of_one_name_are_two_voices(library: VoiceLibrary, clips: Path) -> None:
    for folder, id in (("one", "gina"), ("two", "marcus")):
        (clips / folder).mkdir()
        speech(id).save(clips / folder / "Clip 1.wav")
    assert ingest(library, clips).added[0] == "clip-1"
    assert len(library) == 2 and all(voice.id.startswith("clip-1") for voice in library)
    assert len(ingest(library, clips).skipped) == 2


def test_odd_voices_are_flagged(tmp_path: Path, clips: Path) -> None:
    library = VoiceLibrary.create(tmp_path / "flagged", encoder=EmbeddedSpeakerEncoder())
    speech("gina").slice(0, 2.5).save(clips / "1-gina.wav")
    speech("gina").save(clips / "2-gina-again.wav")
    (speech("marcus") + speech("carmen")).save(clips / "3-both.wav")
    speech("klaus").save(clips / "4-klaus.wav")
    report = ingest(library, clips)
    assert len(report.added) == 4
    flags = {note.row: note.what for note in report.flagged}
    assert set(flags) == {1, 2, 3}
    assert "holds only 2." in flags[1]
    assert "it sounds like '1-gina' (cosine 0." in flags[2] and "two speakers" in flags[3]


def test_any_encoder_tells_two_speakers_by_the_halves(library: VoiceLibrary, clips: Path) -> None:
    (speech("bruno") + speech("lily")).save(clips / "both.wav")
    assert "two speakers" in ingest(library, clips).flagged[0].what


def long_silence_in_little(path: Path, seconds: int) -> None:
    """A FLAC file whose header claims that many seconds."""
    soundfile.write(path, np.zeros(16_000), 16_000)
    content = bytearray(path.read_bytes())
    claimed = seconds * 16_000
    content[21] = content[21] & 0xF0 | claimed >> 32
    content[22:26] = struct.pack(">I", claimed & 0xFFFFFFFF)
    path.write_bytes(content)


def test_recordings_that_cannot_be_voices_are_refused_with_the_reason(library: VoiceLibrary, clips: Path) -> None:
    (clips / "a-letter.wav").write_bytes(b"Dear Sir or Madam" * 100)
    (clips / "b-cut.flac").write_bytes(speech().to_bytes("flac")[:30_000])
    long_silence_in_little(clips / "c-bomb.flac", 36_000)
    speech().slice(0.5, 0.8).save(clips / "d-short.wav")
    Audio.silence(5, 16_000).save(clips / "e-silent.wav")
    tone(440, 5).save(clips / "f-tone.wav")
    (clips / "g-empty.wav").write_bytes(b"")
    soundfile.write(clips / "h-nan.wav", np.full(50_000, np.nan), 16_000, subtype="FLOAT")
    speech().save(clips / "i-good.wav")
    (clips / "j-folder.wav").mkdir()
    report = ingest(library, clips)
    assert report.added == ["i-good"] and check(library) == []
    words = ("not a sound file", "decoder lost sync", "says it lasts 600 minutes; the limit is 10", "0.3 s of sound",
             "0.0 s of speech", "of speech; give at least 1 s", "is empty", "NaN")  # fmt: skip
    for number, word in enumerate(words, 1):
        assert word in reasons(report)[number], report.refused


def test_files_outside_the_folder_are_refused_however_they_are_named(library: VoiceLibrary, clips: Path) -> None:
    outside = speech("marcus").save(clips.parent / "outside.wav")
    speech("gina").save(clips / "inside.wav")
    (clips / "link.wav").symlink_to(outside)
    (clips / "within.wav").symlink_to(clips / "inside.wav")
    (clips / "circle.wav").symlink_to(clips / "circle.wav")
    (clips / "up").symlink_to(clips.parent)
    os.mkfifo(clips / "pipe.wav")
    bad = ("../outside.wav", str(outside), "link.wav", "up/outside.wav", "/etc/passwd", "\0", "x" * 5_000, "circle.wav",
           "pipe.wav", "", "..")  # fmt: skip
    rows: list[dict[str, Any]] = [{"file": name} for name in (*bad, str(clips / "inside.wav"))]
    rows += [{"id": "nameless"}, {"file": 3}]
    report = ingest(library, written(clips / "all.jsonl", rows))
    assert report.added == ["inside"]
    assert set(reasons(report)) == {*range(1, len(bad) + 1), 13, 14}, report
    for row in (1, 2, 3, 4, 5, 11):
        assert "leads out of" in reasons(report)[row]
    assert ingest(library, clips).added == []  # the folder itself: the same links are not followed


def test_a_file_name_that_is_not_valid_text_is_refused_and_the_others_are_added(
    library: VoiceLibrary, clips: Path
) -> None:
    speech("gina").save(clips / "gina.wav")
    try:
        Path(os.fsdecode(os.fsencode(clips) + b"/caf\xe9.wav")).write_bytes((clips / "gina.wav").read_bytes())
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    report = ingest(library, clips)
    assert report.added == ["gina"]
    (refused,) = report.refused
    assert "is not a file name" in refused.what
    (refused.file + refused.what).encode()


def test_ids_that_are_paths_never_become_files(library: VoiceLibrary, clips: Path) -> None:
    speech("gina").save(clips / "gina.wav")
    report = ingest(library, written(clips / "all.jsonl", [{"file": "gina.wav", "id": "../../escape"}]))
    assert "id: String should match pattern" in reasons(report)[1]
    assert check(library) == [] and not list(clips.parent.rglob("*escape*"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "no column 'file'"),
        ("a.csv", b"path,licence\nx.wav,CC0\n", "no column 'file'"),
        ("a.csv", b"file,licens\nx.wav,CC0\n", "column 'licens', which no card has; did you mean 'licence'"),
        ("a.parquet", b"PAR1 no", "not a Parquet file|extra 'parquet'"),
        ("a.doc", b"x", "neither a manifest nor a recording"),
        ("a.jsonl", None, "no such recording, folder or manifest"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(AgentAudioError, match=words):
        list(read_manifest(tmp_path / name))


def test_rows_that_cannot_be_read_are_numbered_as_an_editor_counts_them(clips: Path) -> None:
    (clips / "x.wav").write_bytes(b"x")
    table = clips / "a.csv"
    table.write_bytes(
        b'file,description\nx.wav,"two\nlines"\nx.wav,one,more\nx.wav,\xff\xfe\nx.wav\nx.wav,' + b"y" * 2_000_000
    )
    found = {entry.number: entry.problem for entry in read_manifest(table)}
    assert found[3] is None and found[6] is None
    assert "more values than" in str(found[4]) and "not UTF-8" in str(found[5]) and "cannot be read" in str(found[7])
    lines = clips / "a.jsonl"
    lines.write_bytes(
        b'{"file": "x.wav"}\n[1]\n{"file": \n' + b"[" * 100_000 + b'\n\n{"file": "x.wav", "colour": 1}\n\xff\n'
    )
    problems = {entry.number: str(entry.problem) for entry in read_manifest(lines)}
    assert [number for number, problem in problems.items() if problem != "None"] == [2, 3, 4, 6, 7]
    assert "no field 'colour'" in problems[6]


@settings(max_examples=share(50))
@given(st.binary(max_size=300))
def test_any_bytes_are_a_manifest_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    for name in ("any.csv", "any.jsonl", "any.txt"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(b"file,name\n" + content if name == "any.csv" else content)
        try:
            entries = list(read_manifest(path))
        except VoiceError:
            continue
        assert all(entry.problem or entry.file.is_file() for entry in entries)


INGEST = """
import sys
sys.path.insert(0, sys.argv[3])
from support.voices import Bands
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary
library = VoiceLibrary(sys.argv[1], encoder=Bands())
ingest(library, sys.argv[2], on_progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.system
def test_an_ingest_that_was_killed_goes_on_where_it_stopped(library: VoiceLibrary, clips: Path) -> None:
    ids = [voice.id for voice in demo_voices() if "whisper" not in voice.card.tags]
    for id in ids:
        speech(id).save(clips / f"{id}.flac")
    tests = Path(__file__).parents[1]
    first = in_another_process(INGEST, library.folder, clips, tests)
    assert first.stdout is not None
    done = int(first.stdout.readline())
    time.sleep(random.uniform(0, 0.3))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert len(library) >= done > 0
    second = in_another_process(INGEST, library.folder, clips, tests)
    assert "Error" not in second.communicate()[1]
    check(library, repair=True)
    assert check(library) == [] and len(library) == len(list(clips.iterdir()))


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[3])
from agentaudio.errors import VoiceError
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary
from support.voices import Bands
library = VoiceLibrary(sys.argv[1], encoder=Bands())
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
try:
    ingest(library, sys.argv[2])
except VoiceError as error:
    print(error)
"""


def test_a_disk_that_fills_up_ends_an_ingest_and_keeps_what_was_stored(library: VoiceLibrary, clips: Path) -> None:
    speech("gina").save(clips / "first.flac")
    ingest(library, clips)
    speech("marcus").save(clips / "second.flac")
    process = in_another_process(FULL, library.folder, clips, Path(__file__).parents[1], 10_000)
    output, complaint = process.communicate()
    assert "free some space" in output, complaint
    assert [voice.id for voice in library] == ["first"] and check(library) == []
    assert ingest(library, clips).added == ["second"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "file,name\n"), ("a.tsv", "file\n\n\n"), ("a.jsonl", "\n\n"), ("a.txt", ""), ("wav.scp", "\n")],
)
def test_a_manifest_without_rows_is_refused(library: VoiceLibrary, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(VoiceError, match="names no recording"):
        ingest(library, tmp_path / name)
