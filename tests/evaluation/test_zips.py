"""Zip files are joined without unpacking them."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import pytest

from agentaudio.evaluation import zips
from agentaudio.evaluation.zips import join_members


def source(path: Path, contents: dict[str, bytes], compression: int = ZIP_DEFLATED) -> Path:
    with ZipFile(path, "w", compression) as file:
        for name, content in contents.items():
            if name.startswith("streamed"):
                with file.open(name, "w") as member:
                    member.write(content)
            else:
                file.writestr(name, content)
    return path


@pytest.mark.parametrize("most", [0xFFFF, 2])
def test_all_members_that_are_wanted_are_there_as_they_were(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "_MOST_16", most)  # from so many members on, 64-bit records are written
    one = source(tmp_path / "one", {"samples/a": b"a" * 5000, "samples/ü 好": b"", "left": b"out"})
    two = source(tmp_path / "two", {"streamed/b": bytes(range(256)) * 90, "samples/c": b"c"}, ZIP_STORED)
    joined = tmp_path / "joined"
    join_members([(one, lambda name: name != "left"), (two, lambda name: True)], joined)
    with ZipFile(joined) as file:
        assert file.testzip() is None
        found = {name: file.read(name) for name in file.namelist()}
    assert found == {
        "samples/a": b"a" * 5000, "samples/ü 好": b"", "streamed/b": bytes(range(256)) * 90, "samples/c": b"c",
    }  # fmt: skip


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    one = source(tmp_path / "one", {"a": b"a" * 5000})
    one.write_bytes(one.read_bytes()[:40])
    with pytest.raises(BadZipFile):
        join_members([(one, lambda name: True)], tmp_path / "joined")


def test_no_files_are_an_empty_one(tmp_path: Path) -> None:
    join_members([], tmp_path / "joined")
    with ZipFile(tmp_path / "joined") as file:
        assert file.namelist() == []
