"""Archives as a source, such as the tarballs of npm packages."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from support.file_server import Fault, FileServer, entry, sha256

from agentaudio.errors import WeightsError
from agentaudio.weights.store import Progress, Store

ONE, TWO = b"one" * 30_000, b"two" * 20_000


def archive(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=0) as made:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            made.addfile(link)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, BytesIO(content))
    return file.getvalue()


def source(server: FileServer, content: bytes) -> dict[str, Any]:
    server.files["/it.tgz"] = content
    url = f"{server.url}/it.tgz"
    return {"kind": "archive", "url": url, "size": len(content), "sha256": sha256(content), "folder": "package/voices"}


def store_of(root: Path, one: dict[str, Any]) -> Store:
    return Store({"tiny": entry({"one.bin": ONE, "two.bin": TWO}, one)}, root)


async def test_the_files_of_the_ledger_are_taken_and_no_others(server: FileServer, tmp_path: Path) -> None:
    members = {
        "package/voices/one.bin": ONE,
        "package/one.bin": b"another",
        "package/voices/../../../escaped": b"!",
        "/package/voices/two.bin": b"absolute",
        "package/voices/two.bin": TWO,
        "package/voices/three.bin": b"more",
    }
    links = {"package/voices/one.bin": "/etc/passwd"}
    seen: list[Progress] = []
    folder = await store_of(tmp_path, source(server, archive(members, links))).ensure("tiny", seen.append)
    assert (folder / "one.bin").read_bytes() == ONE and (folder / "two.bin").read_bytes() == TWO
    assert {path.name for path in folder.iterdir()} == {"one.bin", "two.bin", "LICENCE.txt", ".verified.json"}
    assert seen[-1].done == seen[-1].total == len(server.files["/it.tgz"])
    assert not list(tmp_path.rglob("escaped"))


async def test_an_archive_is_continued_and_fetched_once(server: FileServer, tmp_path: Path) -> None:
    whole = archive({"package/voices/one.bin": ONE, "package/voices/two.bin": TWO})
    store = store_of(tmp_path, source(server, whole))
    server.faults["/it.tgz"] = [Fault(cut_after=40_000), Fault()]
    folder = await store.ensure("tiny")
    assert server.ranges() == [None, "bytes=40000-"]
    (folder / "one.bin").unlink()
    await store.ensure("tiny")
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive({"package/voices/one.bin": ONE}), "the archive has no package/voices/two.bin"),
        (archive({"package/voices/one.bin": ONE, "package/voices/two.bin": ONE}), "two.bin has more than 60000 bytes"),
        (archive({"package/voices/one.bin": ONE, "package/voices/two.bin": TWO[:-1]}), "two.bin has 59999 bytes"),
        (b"not an archive", "the archive cannot be read"),
        (archive({"package/voices/one.bin": ONE})[:50_000], "cannot be read"),
        (archive({"package/voices/one.bin": ONE})[:50_000] + b"?" * 90_000, "cannot be read"),
    ],
)
async def test_an_archive_with_other_content_is_refused(
    content: bytes, words: str, server: FileServer, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=words) as caught:
        await store_of(tmp_path, source(server, content)).ensure("tiny")
    assert "\n" not in str(caught.value)
