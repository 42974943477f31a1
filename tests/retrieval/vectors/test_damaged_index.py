"""A saved index whose files were changed opens as it was, or not at all."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("faiss", reason="needs the extra 'embedded'")

from agentaudio.retrieval.vectors.faiss_index import FaissIndex

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
