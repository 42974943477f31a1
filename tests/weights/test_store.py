"""The cache: what is trusted, what is read again, and what stands beside the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.file_server import FileServer, entry, release

from agentaudio.errors import WeightsError, WeightsMissing
from agentaudio.weights import store as store_module
from agentaudio.weights.ledger import ledger
from agentaudio.weights.store import LICENCE, Store, cache_folder, ensure, folder, megabytes, missing

ONE, TWO = b"one" * 5000, b"two" * 7000


@pytest.fixture
def store(server: FileServer, tmp_path: Path) -> Store:
    server.files |= {"/one.bin": ONE, "/deep/two.bin": TWO}
    files = {"one.bin": ONE, "deep/two.bin": TWO}
    return Store({"tiny": entry(files, release(server, *files), terms="Be kind.")}, tmp_path)


async def test_files_may_lie_in_folders(store: Store) -> None:
    home = await store.ensure("tiny")
    assert (home / "deep/two.bin").read_bytes() == TWO


async def test_licence_and_terms_are_kept_beside_the_files(store: Store) -> None:
    text = ((await store.ensure("tiny")) / LICENCE).read_text()
    assert "CC0-1.0" in text and "https://example.org/" in text and "Be kind." in text


async def test_only_the_missing_file_is_fetched_again(store: Store, server: FileServer) -> None:
    home = await store.ensure("tiny")
    (home / "one.bin").unlink()
    server.asked.clear()
    with pytest.raises(WeightsMissing, match=r"1 of 2 files are missing or damaged, 15\.0 kB\); run `agentaudio mod"):
        store.folder("tiny")
    await store.ensure("tiny")
    assert [path for path, _ in server.asked] == ["/one.bin"]


async def test_a_file_that_changed_is_found_damaged_and_fetched_again(store: Store) -> None:
    home = await store.ensure("tiny")
    (home / "one.bin").write_bytes(b"?" * len(ONE))
    assert store.missing("tiny") == ("one.bin",)
    await store.ensure("tiny")
    assert (home / "one.bin").read_bytes() == ONE


async def test_a_change_that_only_reading_shows_is_found_by_verify(store: Store) -> None:
    home = await store.ensure("tiny")
    before = (home / "one.bin").stat()
    (home / "one.bin").write_bytes(b"?" * len(ONE))
    os.utime(home / "one.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.missing("tiny") == ()
    assert list(store.verify("tiny")) == ["one.bin"]
    assert store.missing("tiny") == ("one.bin",)
    await store.ensure("tiny")
    assert store.verify("tiny") == {}


async def test_a_copied_cache_is_verified_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = await store.ensure("tiny")
    os.utime(home / "one.bin", (1, 1))
    assert store.folder("tiny") == home
    monkeypatch.setattr(store_module, "fault", None)
    assert store.folder("tiny") == home


async def test_verified_files_are_not_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    home = await store.ensure("tiny")
    (home / "one.bin").chmod(0)
    monkeypatch.setattr(store_module, "fault", None)
    assert store.folder("tiny") == home


def test_verify_names_what_is_missing(store: Store) -> None:
    assert store.verify("tiny") == {"one.bin": "one.bin is missing", "deep/two.bin": "deep/two.bin is missing"}


@pytest.mark.parametrize("stamp", [b"", b"[1]", b"null", b'{"one.bin": 7}', b"\xff", b"[" * 100_000])
async def test_a_broken_note_of_what_was_verified_is_ignored(store: Store, stamp: bytes) -> None:
    home = await store.ensure("tiny")
    (home / ".verified.json").write_bytes(stamp)
    assert store.folder("tiny") == home


async def test_leftovers_of_a_killed_process_are_removed(store: Store) -> None:
    home = store.path("tiny")
    (home / ".kept/pip-old").mkdir(parents=True)
    (home / ".0123456789abcdef.tmp").write_bytes(b"half")
    await store.ensure("tiny")
    assert {path.name for path in home.iterdir()} == {"one.bin", "deep", LICENCE, ".verified.json"}


async def test_weights_that_do_not_fit_are_refused_before_the_download(store: Store, server: FileServer) -> None:
    huge = store._entries["tiny"].model_copy(
        update={"files": {"one.bin": store._entries["tiny"].files["one.bin"].model_copy(update={"size": 1 << 60})}}
    )
    with pytest.raises(WeightsError, match="need 1152921504607 MB and .* has .* left; free some space"):
        await Store({"tiny": huge}, store._root).ensure("tiny")
    assert server.asked == []


async def test_a_cache_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"cannot write .*; free some space, or set AGENTAUDIO_CACHE"):
        await Store(store._entries, tmp_path / "file").ensure("tiny")


def test_different_contents_of_one_name_lie_side_by_side(server: FileServer, tmp_path: Path) -> None:
    old = Store({"tiny": entry({"a": b"1"}, release(server, "a"))}, tmp_path)
    new = Store({"tiny": entry({"a": b"2"}, release(server, "a"))}, tmp_path)
    assert old.path("tiny") != new.path("tiny")


async def test_unknown_names_are_refused_with_the_nearest() -> None:
    for call in (folder, missing):
        with pytest.raises(WeightsError, match="did you mean 'kokoro'"):
            call("kokorro")
    with pytest.raises(WeightsError, match="did you mean 'kokoro'"):
        await ensure("kokorro")


def test_the_place_of_the_cache_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == tmp_path / "cache/weights"
    assert folder_of_missing("misaki").startswith(str(tmp_path / "cache/weights/misaki-"))
    monkeypatch.delenv("AGENTAUDIO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/agentaudio/weights"
    for relative in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert cache_folder() == Path.home() / ".cache/agentaudio/weights"


def folder_of_missing(name: str) -> str:
    return str(Store().path(name))


def test_the_shipped_entries_have_distinct_folders() -> None:
    assert len({Store().path(name) for name in ledger()}) == len(ledger())


@given(st.integers(1, 10**13))
def test_sizes_are_short(size: int) -> None:
    assert len(megabytes(size)) <= 11
