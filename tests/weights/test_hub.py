"""The Hugging Face hub as a source: a mirror on this machine, gated repositories, its cache, offline mode."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from support.file_server import Fault, FileServer, entry, release, sha256

from agentaudio.errors import WeightsError, WeightsMissing
from agentaudio.weights.store import Store

BODY = b"weights" * 1000
REVISION = "2" * 40
PATH = f"/someone/tiny/resolve/{REVISION}/deep/a%20b.bin".replace("%20", "_")
SECRET = "hf_Secret0123456789"


def hub(**changes: Any) -> dict[str, Any]:
    return {"kind": "hub", "repository": "someone/tiny", "revision": REVISION, "folder": "deep", **changes}


def store_of(root: Path, *sources: dict[str, Any]) -> Store:
    return Store({"tiny": entry({"a_b.bin": BODY}, *sources)}, root)


@pytest.fixture(autouse=True)
def mirror(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
    server.files[PATH] = BODY


async def test_a_file_comes_from_its_folder_at_the_revision(server: FileServer, tmp_path: Path) -> None:
    folder = await store_of(tmp_path, hub()).ensure("tiny")
    assert (folder / "a_b.bin").read_bytes() == BODY
    assert [path for path, _ in server.asked] == [PATH]


async def test_the_login_is_sent_to_gated_repositories_only(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    await store_of(tmp_path / "open", hub()).ensure("tiny")
    await store_of(tmp_path / "gated", hub(gated=True)).ensure("tiny")
    assert [headers.get("authorization") for _, headers in server.asked] == [None, f"Bearer {SECRET}"]


async def test_the_login_of_the_hub_command_is_used(server: FileServer, tmp_path: Path) -> None:
    home = Path(os.environ["HF_HOME"])
    home.mkdir()
    (home / "token").write_text(f"{SECRET}\n")
    await store_of(tmp_path, hub(gated=True)).ensure("tiny")
    assert server.asked[0][1]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("token", "status", "remedy"),
    [
        (
            None,
            401,
            r"someone/tiny is gated: accept its terms at http\S+/someone/tiny, then run `hf auth login` or set HF",
        ),
        (None, 403, "is gated: accept its terms at .*, then run `hf auth login`"),
        (SECRET, 403, r"is gated: accept its terms at \S+ with the account of HF_TOKEN"),
        (SECRET, 401, r"token \(HF_TOKEN\) is not valid: run `hf auth login`"),
        (SECRET, 404, "someone/tiny answered 404"),
    ],
)
async def test_a_gated_repository_says_what_to_do_and_never_shows_the_token(
    token: str | None,
    status: int,
    remedy: str,
    server: FileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    server.faults[PATH] = [Fault(status=status)]
    caplog.set_level(logging.DEBUG)
    with pytest.raises(WeightsError, match=remedy) as caught:
        await store_of(tmp_path, hub(gated=True)).ensure("tiny")
    assert "\n" not in str(caught.value)
    shown = f"{caught.value} {caught.value!r} {caplog.text}"
    assert SECRET not in shown
    assert not any(SECRET in str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("token", ["hf_two words", "hf_two\nlines", "hf_ümlaut"])
async def test_a_malformed_token_is_refused_without_being_shown(
    token: str, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(WeightsError, match="HF_TOKEN") as caught:
        await store_of(tmp_path, hub(gated=True)).ensure("tiny")
    assert "hf_" not in str(caught.value) and server.asked == []


@pytest.mark.parametrize("address", ["huggingface.co", "file:///etc", "https://", "https://two words"])
async def test_an_address_of_the_hub_that_is_not_a_url_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(WeightsError, match="HF_ENDPOINT is '.*'; write it like https://huggingface.co"):
        await store_of(tmp_path, hub()).ensure("tiny")


async def test_the_hub_is_not_asked_when_it_is_switched_off(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="not asked, because HF_HUB_OFFLINE is set"):
        await store_of(tmp_path, hub()).ensure("tiny")
    assert server.asked == []
    server.files["/a_b.bin"] = BODY
    await store_of(tmp_path, hub(), release(server, "a_b.bin")).ensure("tiny")
    assert [path for path, _ in server.asked] == ["/a_b.bin"]


@pytest.mark.parametrize("place", [f"snapshots/{REVISION}/deep/a_b.bin", f"blobs/{sha256(BODY)}"])
@pytest.mark.parametrize("setting", ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"])
def test_the_cache_of_the_hub_is_used(
    place: str, setting: str, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv(setting, str(tmp_path / "theirs"))
    inner = {"HF_HOME": "hub", "HF_HUB_CACHE": ".", "XDG_CACHE_HOME": "huggingface/hub"}[setting]
    file = tmp_path / "theirs" / inner / "models--someone--tiny" / place
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)
    folder = store_of(tmp_path / "ours", hub()).folder("tiny")
    assert (folder / "a_b.bin").read_bytes() == BODY
    file.unlink()
    assert (folder / "a_b.bin").read_bytes() == BODY
    assert server.asked == []


def test_a_damaged_file_in_the_cache_of_the_hub_is_not_used(tmp_path: Path) -> None:
    blob = Path(os.environ["HF_HOME"]) / "hub/models--someone--tiny/blobs" / sha256(BODY)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"?" * len(BODY))
    store = store_of(tmp_path, hub())
    with pytest.raises(WeightsMissing, match="models fetch tiny"):
        store.folder("tiny")
    assert not (store.path("tiny") / "a_b.bin").exists()


async def test_a_file_that_is_elsewhere_in_the_repository_is_found_by_its_own_path(
    server: FileServer, tmp_path: Path
) -> None:
    server.files[f"/someone/tiny/resolve/{REVISION}/x/y.bin"] = BODY
    await store_of(tmp_path, hub(paths={"a_b.bin": "x/y.bin"})).ensure("tiny")
