"""A saved index whose files were changed opens as it was, or not at all."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("faiss", reason="needs the extra 'embedded'")

import faiss

from agentaudio.retrieval.vectors.build import Built
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.vectors.file import write_index
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.plan import Plan

pytestmark = pytest.mark.hostile


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    index = FaissIndex(8)
    index.add(list(range(20)), np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32))
    index.save(tmp_path / "a.json", encoder="x")
    return tmp_path / "a.json"


CHANGES: list[dict[str, Any]] = [
    {"probes": float("inf")}, {"probes": float("nan")}, {"probes": None}, {"probes": -1}, {"probes": [1]},
    {"recall": "much"}, {"recall": float("nan")}, {"recall": 7}, {"about": [1]}, {"about": None}, {"about": "x"},
    {"plan": {}}, {"plan": None}, {"plan": [1, 2, 3, 4]}, {"data": "../a"}, {"data": "/dev/zero"}, {"data": 3},
    {"data": ""}, {"data": "a\0b"}, {"data": "\ud800"}, {"data": "gone.faiss"}, {"data": "a.json"}, {"format": "1"},
    {"plan": {"factory": "Flat", "lists": 10**12, "sample": 0, "bytes_per_vector": 1}},
    {"plan": {"factory": "Flat", "lists": 2, "sample": 0, "bytes_per_vector": 1}},
    {"plan": {"factory": "Flat", "lists": "0", "sample": 0, "bytes_per_vector": 1}},
]  # fmt: skip


def saved_with_lists(folder: Path) -> Path:
    """A saved index of inverted lists, as a large one is."""
    rows = np.random.default_rng(1).normal(size=(2_000, 8)).astype(np.float32)
    index = faiss.index_factory(8, "IVF4,SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add_with_ids(rows, np.arange(2_000, dtype=np.int64))
    built = Built(index, Plan("IVF4,SQ8", 4, 2_000, 16.0), IdSet(range(2_000)), 2, 1.0)
    write_index(folder / "a.json", built, {})
    return folder / "a.json"


@pytest.mark.parametrize("probes", [0, 5, 10**9])
def test_lists_are_not_opened_with_impossible_probes(tmp_path: Path, probes: int) -> None:
    path = saved_with_lists(tmp_path)
    record = json.loads(path.read_text())
    assert FaissIndex.open(path, 8) is not None
    path.write_text(json.dumps(record | {"probes": probes}))
    assert FaissIndex.open(path, 8) is None


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "device"])
@pytest.mark.parametrize("which", ["record", "data"])
def test_only_regular_files_of_the_folder_are_opened(saved: Path, tmp_path: Path, which: str, kind: str) -> None:
    data = saved.with_name(json.loads(saved.read_text())["data"])
    path = saved if which == "record" else data
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere" / path.name)
    folder = tmp_path / "inner"
    folder.mkdir()
    for file in (saved, data):
        if file.exists():
            file.rename(folder / file.name)
    path = folder / path.name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(moved if kind == "link" else "/dev/zero")
    assert FaissIndex.open(folder / saved.name, 8) is None


@pytest.mark.parametrize("lists", [False, True])
def test_damaged_data_is_not_opened_or_can_be_searched(saved: Path, tmp_path: Path, lists: bool) -> None:
    """FAISS itself crashes for some of these files, and takes gigabytes for others."""
    path = saved_with_lists(tmp_path) if lists else saved
    data = path.with_name(json.loads(path.read_text())["data"])
    whole, chance = data.read_bytes(), random.Random(5)
    query = np.ones(8, np.float32)
    opened_ones = 0
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.choice((0, 0xFF, chance.randrange(256)))
        data.write_bytes(changed[: chance.choice((len(changed), len(changed), chance.randrange(len(changed))))])
        if (opened := FaissIndex.open(path, 8)) is not None:
            opened_ones += 1
            assert all(id in opened[0].ids() for id, _ in opened[0].search(query, 5))
    assert opened_ones < 300


def test_an_index_with_an_absurd_id_is_not_opened(tmp_path: Path) -> None:
    index = FaissIndex(8)
    index.add([1, 2, 150_000_000], np.eye(3, 8, dtype=np.float32))
    index.save(tmp_path / "a.json")
    assert FaissIndex.open(tmp_path / "a.json", 8) is None


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_record_is_not_opened(saved: Path, change: dict[str, Any]) -> None:
    record = json.loads(saved.read_text())
    assert FaissIndex.open(saved, 8) is not None
    saved.write_text(json.dumps(record | change))
    assert FaissIndex.open(saved, 8) is None


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"format": 1}', b"1" * 9_000]
)
def test_a_record_of_another_form_is_not_opened(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    assert FaissIndex.open(saved, 8) is None


def test_any_changed_byte_of_the_record_gives_the_index_or_none(saved: Path) -> None:
    whole, chance = saved.read_bytes(), random.Random(5)
    for _ in range(2_000):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        saved.write_bytes(changed[: chance.choice((len(changed), chance.randrange(len(changed))))])
        opened = FaissIndex.open(saved, 8)
        assert opened is None or len(opened[0]) == 20 and isinstance(opened[1], dict)
