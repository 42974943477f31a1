"""Checkpoints by name: folders stay folders, and hub ids are looked up in the local cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentaudio.errors import BackendError
from agentaudio.model.hub import CHECKPOINT, located


@pytest.mark.parametrize("named", ["./a/b", "/a/b", "~/a", "a", "a/b/c", "../b", ""])
def test_other_names_are_folders(named: str) -> None:
    assert located(named, CHECKPOINT, model="tiny") == Path(named).expanduser()


def test_a_folder_comes_before_a_hub_id_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert located("owner/name", CHECKPOINT, model="tiny") == Path("owner/name")


def test_ids_of_another_owner_are_folders() -> None:
    assert located("stranger/name", CHECKPOINT, model="tiny", owner="owner") == Path("stranger/name")


def test_an_id_that_cannot_be_downloaded_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="comes with transformers")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BackendError, match=r"owner/name is not in the local cache .*give its folder: tiny:FOLDER"):
        located("owner/name", CHECKPOINT, model="tiny", owner="owner")


def test_code_is_never_downloaded() -> None:
    assert not any(Path("modeling_own.py").match(pattern) for pattern in CHECKPOINT)
