"""Rows of a manifest whose path leads out of its folder, is spelled in another normal form, or is not a file."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.errors import VoiceError
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.manifest import read_manifest

NAMES = ["é.wav", "Ångström.wav", "ñandú/ü.wav", "が.wav", "한국.wav", "ệ.flac"]


def manifest(folder: Path, name: str) -> Path:
    file = folder / "m.jsonl"
    file.write_text(json.dumps({"file": name}), encoding="utf-8")
    return file


@pytest.fixture
def private(tmp_path: Path) -> Path:
    (tmp_path / "private").mkdir()
    (tmp_path / "set").mkdir()
    tone(3.0).save(tmp_path / "private" / "secret.wav")
    return tmp_path / "private" / "secret.wav"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", NAMES)
def test_a_link_out_of_the_folder_is_refused_in_every_spelling(
    tmp_path: Path, private: Path, name: str, form: str
) -> None:
    link = tmp_path / "set" / unicodedata.normalize("NFC", name)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(private)
    (entry,) = read_manifest(manifest(tmp_path / "set", unicodedata.normalize(form, name)))  # type: ignore[arg-type]
    assert entry.problem is not None and "leads out of" in entry.problem


@pytest.mark.parametrize("name", NAMES)
def test_a_file_inside_is_found_in_another_spelling(tmp_path: Path, private: Path, name: str) -> None:
    inside = tmp_path / "set" / unicodedata.normalize("NFC", name)
    inside.parent.mkdir(exist_ok=True)
    inside.write_bytes(private.read_bytes())
    (entry,) = read_manifest(manifest(tmp_path / "set", unicodedata.normalize("NFD", name)))
    assert entry.problem is None
    with entry.first.open() as file:
        assert file.read() == private.read_bytes()


@pytest.mark.parametrize("kind", ["link", "linked folder", "pipe", "gone", "device"])
def test_a_file_that_is_replaced_after_the_check_is_not_read(tmp_path: Path, private: Path, kind: str) -> None:
    folder = tmp_path / "set" / "inner"
    folder.mkdir()
    path = folder / "secret.wav"
    path.write_bytes(private.read_bytes())
    (entry,) = read_manifest(manifest(tmp_path / "set", "inner/secret.wav"))
    assert entry.problem is None
    path.unlink()
    if kind == "linked folder":
        folder.rmdir()
        folder.symlink_to(private.parent)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "gone":
        path.symlink_to(private if kind == "link" else "/dev/zero")
    with pytest.raises(OSError):
        entry.first.open()


@pytest.mark.parametrize("name", ["../private/secret.wav", "/dev/zero", "pipe.wav", "inner", "", "a\0b", "x" * 5_000])
def test_such_rows_are_refused_without_waiting(tmp_path: Path, private: Path, name: str) -> None:
    pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
    os.mkfifo(tmp_path / "set" / "pipe.wav")
    (tmp_path / "set" / "inner").mkdir()
    report = ingest(VoiceLibrary.create(tmp_path / "library"), manifest(tmp_path / "set", name))
    assert len(report.refused) == 1 and report.added == []


def test_parquet_with_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    broken = pyarrow.Array.from_buffers(
        pyarrow.string(), 1, [None, pyarrow.py_buffer(b"\0\0\0\0\2\0\0\0"), pyarrow.py_buffer(b"\xff\xfe")]
    )
    parquet.write_table(pyarrow.table({"file": broken}), tmp_path / "m.parquet")
    with pytest.raises(VoiceError, match="not a Parquet file that can be read"):
        list(read_manifest(tmp_path / "m.parquet"))


def test_attribute_files_of_macos_are_left_out_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "set"
    tone(duration_s=2).save(folder / "inner" / "ann.mp3")
    (folder / "inner" / "._ann.mp3").write_bytes(b"\x00\x05\x16\x07" + bytes(4_000))
    report = ingest(VoiceLibrary.create(tmp_path / "library"), folder)
    assert [note.file for note in report.refused if "._" in str(note.file)] == []
    assert "inner/._ann.mp3: macOS keeps attributes" in caplog.text
