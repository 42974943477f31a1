"""Manifests in which a speaker has several utterances: tables, and data directories of Kaldi."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.check import check
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.manifest import read_manifest

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")


def speech(id: str, start: float = 0.0, end: float = 9.0) -> Audio:
    clip = demo_voices().get(id).clip
    return clip.slice(start, min(end, clip.duration))


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary.create(tmp_path / "library")


@pytest.fixture
def kaldi(tmp_path: Path) -> Path:
    """Two speakers, one of them with a broken and a missing recording, beside utterances that no one is named for."""
    sounds, data = tmp_path / "corpus" / "wav", tmp_path / "corpus" / "data" / "train"
    data.mkdir(parents=True)
    speech("marcus", 0, 2).save(sounds / "m1.wav")
    speech("marcus", 2).save(sounds / "m2.wav")
    (sounds / "m3.wav").write_bytes(b"RIFF of nothing")
    speech("gina").save(sounds / "g.flac")
    speech("klaus").save(sounds / "k.wav")
    (data / "wav.scp").write_text(
        "Sp1-u1 wav/m1.wav\nSp1-u2 wav/m3.wav\nSp1-u3\twav/m2.wav\nsp2-u1 wav/g.flac\nlone wav/k.wav\n"
        "Sp1-u4 wav/gone.wav\nsp2-u2 sph2pipe -f wav x.sph |\n"
    )
    (data / "utt2spk").write_text(
        "Sp1-u1 Sp_1\nSp1-u2 Sp_1\nSp1-u3 Sp_1\nsp2-u1 sp2\nsp2-u2 sp2\nSp1-u4 Sp_1\n", encoding="utf-8"
    )
    (data / "text").write_text("Sp1-u1 first words\nSp1-u3 second  words\nsp2-u1 più parole\n", encoding="utf-8")
    (data / "spk2gender").write_text("Sp_1 m\nsp2 f\n")
    (data / "utt2lang").write_text("sp2-u1 Italian\n")
    return data


def test_a_data_directory_of_kaldi_gives_one_voice_for_each_speaker(library: VoiceLibrary, kaldi: Path) -> None:
    report = ingest(library, kaldi, root=kaldi.parents[1], common={"licence": "CC0-1.0"})
    assert sorted(report.added) == ["lone", "sp-1", "sp2"] and check(library) == []
    assert {note.row: note.what.split(",")[0] for note in report.refused}.keys() == {6, 7}
    man, woman = library.get("Sp_1").card, library.get("sp2").card
    assert man.transcript == "first words second  words" and man.duration_s > speech("marcus").duration - 1.5
    assert man.gender == "male" and (woman.transcript, woman.gender, woman.language) == ("più parole", "female", "it")
    assert any("1 of its 3 utterances could not be used, m3.wav" in note.what for note in report.flagged)
    assert ingest(library, kaldi / "wav.scp", root=kaldi.parents[1]).added == []
    library.revoke("sp-1")
    again = ingest(library, kaldi, root=kaldi.parents[1])
    assert any("was revoked" in note.what for note in again.refused) and again.added == []


def test_a_segment_is_cut_out_of_its_recording(library: VoiceLibrary, kaldi: Path) -> None:
    both = Audio.concat([speech("marcus"), speech("gina")])
    both.save(kaldi / "both.wav")
    (kaldi / "wav.scp").write_text("rec both.wav\n")
    middle = speech("marcus").duration
    (kaldi / "segments").write_text(
        f"a rec 0 {middle}\nb rec {middle} {both.duration}\nc rec 99 100\nd other 0 1\ne rec\n"
    )
    (kaldi / "utt2spk").write_text("a one\nb two\nc three\n")
    report = ingest(library, kaldi)
    assert report.added == ["one", "two"] and {note.row for note in report.refused} == {3, 4, 5}
    assert library.get("one").card.duration_s == pytest.approx(middle, abs=0.5)
    library.revoke("two")
    assert "revoked" in " ".join(note.what for note in ingest(library, kaldi).refused)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_rows_of_one_speaker_are_one_voice(library: VoiceLibrary, tmp_path: Path, suffix: str) -> None:
    recordings = tmp_path / "elsewhere" / "of them"
    for number in range(3):
        speech("walter", number * 1.4, number * 1.4 + 1.4).save(recordings / f"{number}.wav")
    rows = [{"file": f"of them/{number}.wav", "speaker": "Añña W.", "transcript": f"part {number}", "gender": "Male"}
            for number in range(3)]  # fmt: skip
    table = tmp_path / f"voices.{suffix}"
    separator = "\t" if suffix == "tsv" else ","
    header = separator.join(f" {name.title()} " for name in rows[0])
    lines = [json.dumps(row) if suffix == "jsonl" else separator.join(row.values()) for row in rows]
    table.write_text("\n".join(lines if suffix == "jsonl" else [header, *lines]), encoding="utf-8")
    assert all("no such file" in str(entry.problem) for entry in read_manifest(table))
    report = ingest(library, table, root=tmp_path / "elsewhere")
    assert report.added == ["anna-w"], report
    card = library.get("Añña W.").card
    assert card.transcript == "part 0 part 1 part 2" and card.gender == "male"
    assert card.duration_s == pytest.approx(4.2, abs=0.8)


def test_rows_of_one_speaker_that_contradict_each_other_are_refused(library: VoiceLibrary, tmp_path: Path) -> None:
    for id in ("gina", "klaus"):
        speech(id).save(tmp_path / f"{id}.wav")
    (tmp_path / "a.csv").write_text("file,speaker,gender\ngina.wav,x,f\nklaus.wav,x,m\n")
    assert "differ in gender: female and male" in ingest(library, tmp_path / "a.csv").refused[0].what


def test_one_channel_or_a_part_of_a_recording_can_be_named(library: VoiceLibrary, tmp_path: Path) -> None:
    import soundfile

    one, two = (speech(id).resample(16_000).samples for id in ("marcus", "gina"))
    length = min(len(one), len(two))
    soundfile.write(tmp_path / "call.wav", np.stack([one[:length], two[:length]], 1), 16_000)
    (tmp_path / "a.csv").write_text(
        "file;id;channel;start_s;end_s\ncall.wav;left;left;;\ncall.wav;right;2;0,5;\ncall.wav;late;2;0.5;3.5\n"
        "call.wav;none;3;;\ncall.wav;back;1;2;1\n"
    )
    report = ingest(library, tmp_path / "a.csv")
    assert report.added == ["left", "late"] and library.get("late").card.duration_s <= 3.0
    why = {note.row: note.what for note in report.refused}
    assert "there is no channel 3; the file has 2" in why[5] and "before it starts" in why[6] and "start_s" in why[3]
    heard = library.get("left").clip
    assert np.abs(heard.samples).max() == pytest.approx(np.abs(one[:length]).max(), abs=0.01)


def test_a_root_must_be_a_folder_and_belongs_to_a_manifest(tmp_path: Path) -> None:
    speech("gina").save(tmp_path / "in" / "gina.wav")
    (tmp_path / "a.csv").write_text(f"file\n{tmp_path / 'in' / 'gina.wav'}\n../secret.wav\n")
    (entry, outside) = read_manifest(tmp_path / "a.csv", root=tmp_path / "in")
    assert entry.problem is None and "leads out of" in str(outside.problem)
    for source, root in ((tmp_path / "a.csv", tmp_path / "nowhere"), (tmp_path / "in", tmp_path)):
        with pytest.raises(VoiceError, match="not a folder|not a manifest"):
            list(read_manifest(source, root=root))


def test_a_transcript_of_more_words_than_can_be_said_is_dropped(library: VoiceLibrary, tmp_path: Path) -> None:
    clip = speech("gina").save(tmp_path / "gina.wav")
    report = ingest(library, clip, common={"transcript": "one of the ninety words of another page " * 12})
    assert "nobody says so many words" in report.flagged[0].what and library.get("gina").transcript == ""
    other = VoiceLibrary.create(tmp_path / "other")
    assert ingest(other, clip, common={"transcript": "这是二十几个字的一句话，听得清清楚楚，也不太快。"}).flagged == []
    assert other.get("gina").transcript.startswith("这是")
