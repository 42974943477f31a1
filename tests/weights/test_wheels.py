"""Weights in packages: installed ones, and an index on this machine with real pip."""

from __future__ import annotations

import asyncio
import os
import sys
import venv
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from support.file_server import Fault, FileServer, add_to_index, entry, wheel

from agentaudio.errors import WeightsError, WeightsMissing
from agentaudio.weights import wheels as wheels_module
from agentaudio.weights.ledger import Entry
from agentaudio.weights.store import Progress, Store

HEAD, TAIL, TABLE = os.urandom(200_000), os.urandom(150_000), b'{"a": 1}'


@pytest.fixture
def index(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:hunter2@127.0.0.1:{server.port}/simple/")
    return server


def two_wheels(index: FileServer) -> Entry:
    rows = [
        add_to_index(index, "tiny-part1", {"data/head.part": HEAD, "data/table.json": TABLE}),
        add_to_index(index, "tiny-part2", {"tail.part": TAIL}),
    ]
    members = {
        "model.bin": ["tiny_part1/data/head.part", "tiny_part2/tail.part"],
        "table.json": ["tiny_part1/data/table.json"],
    }
    return entry(
        {"model.bin": HEAD + TAIL, "table.json": TABLE}, {"kind": "wheels", "wheels": rows, "members": members}
    )


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, index: FileServer, *names: str) -> None:
    for name in names:
        zipfile.ZipFile(BytesIO(index.files[f"/files/{name}-1.0-py3-none-any.whl"])).extractall(folder)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.system
async def test_wheels_are_downloaded_by_pip_and_their_parts_joined(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('a file of the working folder was run')")
    monkeypatch.chdir(tmp_path)
    seen: list[Progress] = []
    store = Store({"tiny": two_wheels(index)}, tmp_path / "cache")
    folder = await store.ensure("tiny", seen.append)
    assert (folder / "model.bin").read_bytes() == HEAD + TAIL
    assert (folder / "table.json").read_bytes() == TABLE
    assert seen[-1].done == seen[-1].total and seen[-1].source == "the package index"
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert {path.name for path in folder.iterdir()} == {"model.bin", "table.json", "LICENCE.txt", ".verified.json"}
    assert not {"tiny_part1", "tiny_part2"} & set(sys.modules)


@pytest.mark.system
async def test_a_fetch_goes_on_with_the_wheel_that_is_missing(index: FileServer, tmp_path: Path) -> None:
    store = Store({"tiny": two_wheels(index)}, tmp_path)
    second = "/files/tiny_part2-1.0-py3-none-any.whl"
    index.faults[second] = [Fault(status=404)]
    with pytest.raises(WeightsError, match="the package index: .*404"):
        await store.ensure("tiny")
    with pytest.raises(WeightsMissing, match=r"2 of 2 files are missing or damaged, 350.0 kB"):
        store.folder("tiny")
    index.faults.pop(second)
    index.asked.clear()
    await store.ensure("tiny")
    assert not any("part1" in path for path, _ in index.asked)


@pytest.mark.system
async def test_another_wheel_than_the_ledger_names_is_refused(index: FileServer, tmp_path: Path) -> None:
    one = two_wheels(index)
    index.files["/files/tiny_part1-1.0-py3-none-any.whl"] = wheel("tiny-part1", {"data/head.part": HEAD + b"!"})[1]
    with pytest.raises(WeightsError, match=r"tiny-part1==1\.0 is another file than expected: tiny_part1-1\.0"):
        await Store({"tiny": one}, tmp_path).ensure("tiny")


@pytest.mark.system
async def test_an_unknown_package_is_named_without_the_credentials_of_the_index(
    index: FileServer, tmp_path: Path
) -> None:
    one = two_wheels(index)
    index.files.pop("/simple/tiny-part1/")
    index.faults.pop("/simple/tiny-part1/")
    with pytest.raises(WeightsError, match=r"No matching distribution found for tiny-part1==1\.0") as caught:
        await Store({"tiny": one}, tmp_path).ensure("tiny")
    assert "hunter2" not in str(caught.value) and "\n" not in str(caught.value)
    assert "authorization" in index.asked[-1][1]  # pip used the credentials


async def test_a_missing_pip_is_named(index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = two_wheels(index)
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(WeightsError, match=r"pip is not installed in .*ensurepip.*tiny-part1==1\.0"):
        await Store({"tiny": one}, tmp_path).ensure("tiny")
    assert index.asked == []


@pytest.mark.system
@pytest.mark.parametrize(("ours", "users"), [(1, None), (60, "1")])
async def test_a_silent_index_is_given_up_within_seconds_or_after_the_users_timeout(
    ours: int, users: str | None, index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = two_wheels(index)
    monkeypatch.setattr(wheels_module, "TIMEOUT_S", ours)
    if users is not None:
        monkeypatch.setenv("PIP_TIMEOUT", users)
    index.faults["/simple/tiny-part1/"] = [Fault(stall_after=0)]
    async with asyncio.timeout(40):
        with pytest.raises(WeightsError, match="the package index: "):
            await Store({"tiny": one}, tmp_path).ensure("tiny")


@pytest.mark.system
async def test_a_wheel_that_is_gone_is_named_without_the_credentials_in_its_link(
    index: FileServer, tmp_path: Path
) -> None:
    one = two_wheels(index)
    page = index.files["/simple/tiny-part1/"].replace(b"http://", b"http://someone:hunter2@")
    index.files["/simple/tiny-part1/"] = page
    index.files.pop("/files/tiny_part1-1.0-py3-none-any.whl")
    with pytest.raises(WeightsError, match="404") as caught:
        await Store({"tiny": one}, tmp_path).ensure("tiny")
    assert "someone" not in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.system
async def test_cancelling_ends_pip(index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels_module, "TIMEOUT_S", 300)
    one, first = two_wheels(index), "/files/tiny_part1-1.0-py3-none-any.whl"
    index.faults[first] = [Fault(stall_after=100_000)]
    store = Store({"tiny": one}, tmp_path)
    half = asyncio.Event()
    fetching = asyncio.ensure_future(store.ensure("tiny", lambda progress: half.set() if progress.done else None))
    await asyncio.wait_for(half.wait(), 60)
    fetching.cancel()
    ended, _ = await asyncio.wait([fetching], timeout=20)
    assert ended and fetching.cancelled()
    assert list(store.path("tiny").rglob("pip-*")) == []


def test_installed_packages_are_used_and_not_imported(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = two_wheels(index)
    install(monkeypatch, tmp_path / "site", index, "tiny_part1", "tiny_part2")
    folder = Store({"tiny": one}, tmp_path / "cache").folder("tiny")
    assert (folder / "model.bin").read_bytes() == HEAD + TAIL
    assert (folder / "table.json").read_bytes() == TABLE
    assert index.asked == []
    assert not {"tiny_part1", "tiny_part2"} & set(sys.modules)


def test_one_of_two_installed_parts_is_not_enough(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = two_wheels(index)
    install(monkeypatch, tmp_path / "site", index, "tiny_part1")
    store = Store({"tiny": one}, tmp_path / "cache")
    with pytest.raises(WeightsMissing, match="1 of 2 files are missing or damaged"):
        store.folder("tiny")
    assert store.missing("tiny") == ("model.bin",)


def test_a_changed_installed_package_is_not_used(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = two_wheels(index)
    install(monkeypatch, tmp_path / "site", index, "tiny_part1", "tiny_part2")
    (tmp_path / "site/tiny_part2/tail.part").write_bytes(TAIL[:-1] + b"?")
    store = Store({"tiny": one}, tmp_path / "cache")
    with pytest.raises(WeightsMissing, match="models fetch tiny"):
        store.folder("tiny")
    assert not (store.path("tiny") / "model.bin").exists()


async def test_a_python_that_cannot_be_started_is_named(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(WeightsError, match=r"pip cannot be started with '.*gone': No such file or directory"):
        await Store({"tiny": two_wheels(index)}, tmp_path).ensure("tiny")
