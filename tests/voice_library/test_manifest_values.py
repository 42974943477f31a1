"""Manifests as corpora write them: separators, and values of gender, age and language."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentaudio.voice_library.manifest import read_manifest
from agentaudio.voice_library.manifest_values import normalised


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("gender", "FEMALE", "female"), ("gender", " m ", "male"), ("gender", "robot", "robot"),
        ("age", "Twenties", "young"), ("age", "71", "old"), ("age", 8, "child"), ("age", "adult", "adult"),
        ("language", "German", "de"), ("language", "EN_gb", "en-GB"), ("language", "zh-hans-cn", "zh-Hans-CN"),
        ("language", "klingon language", "klingon language"), ("name", "M", "M"),
    ],
)  # fmt: skip
def test_values_are_read_as_corpora_write_them(field: str, given: object, value: str) -> None:
    assert normalised(field, given) == value


@pytest.mark.parametrize(
    ("name", "separator"), [("a.tsv", "\t"), ("a.csv", ";"), ("a.csv", "\t"), ("a.csv", ","), ("A.TSV", "\t")]
)
def test_columns_may_be_separated_in_any_usual_way(tmp_path: Path, name: str, separator: str) -> None:
    (tmp_path / "one.wav").write_bytes(b"")
    rows = [
        ["name", "file", "gender", "language"],
        ["Ann, Lee" if separator != "," else "Ann", "one.wav", "F", "English"],
    ]
    (tmp_path / name).write_text("\n".join(separator.join(row) for row in rows) + "\n")
    (entry,) = read_manifest(tmp_path / name)
    assert entry.problem is None and entry.fields["gender"] == "female" and entry.fields["language"] == "en"
    assert entry.fields["name"].startswith("Ann")
