"""Nearest vectors: exact for few, compressed for many, on disk and in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.voices import in_another_process

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.vectors import faiss_index
from agentaudio.retrieval.vectors.build import Vectors, build
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.vectors.id_set import HIGHEST, IdSet
from agentaudio.retrieval.vectors.plan import EXACT_UP_TO, Plan, plan

DIM = 16
faiss.omp_set_num_threads(1)  # beside other tests more threads only wait for each other
NUMBERS = st.sets(st.integers(0, 300))


def clustered(count: int, seed: int = 7) -> Vectors:
    """(count, DIM) float32 of unit length, fifty to a cluster."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, count // 50), DIM))
    rows = centres[rng.integers(0, len(centres), count)] + 0.5 * rng.normal(size=(count, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def many() -> Vectors:
    return clustered(6_000)


@pytest.fixture
def large_from_2000(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few vectors count as many, whose index is trained in a moment."""
    for module in ("plan", "faiss_index"):
        monkeypatch.setattr(f"agentaudio.retrieval.vectors.{module}.EXACT_UP_TO", 2_000)


@pytest.fixture
def large(many: Vectors, large_from_2000: None) -> FaissIndex:
    index = FaissIndex(DIM)
    index.add(range(len(many)), many)
    index.compact()
    return index


def nearest(vectors: Vectors, query: Vectors, k: int = 10) -> list[int]:
    return [int(i) for i in np.argsort(-vectors @ query)[:k]]


@given(NUMBERS, NUMBERS)
def test_id_sets_are_sets(one: set[int], other: set[int]) -> None:
    first, second = IdSet(one), IdSet(other)
    assert (first | second) == IdSet(one | other) and (first & second) == IdSet(one & other)
    assert (first - second).ids().tolist() == sorted(one - other)
    assert len(first) == len(one) and all((n in first) == (n in one) for n in (-1, 0, 7, 300, 999, *other))


@given(st.sets(st.integers(0, 199), min_size=1), NUMBERS, st.integers(1, 20))
def test_any_filter_and_any_removal_are_exact_in_a_small_index(among: set[int], gone: set[int], k: int) -> None:
    vectors = clustered(200)
    index = FaissIndex(DIM)
    index.add(range(200), vectors)
    index.remove(gone)
    left = sorted(among - gone)
    found = [i for i, _ in index.search(vectors[3], k, among=among)]
    assert found == [left[i] for i in nearest(vectors[left], vectors[3], k)] if left else found == []


def test_the_plan_is_exact_for_few_and_the_best_code_that_fits_for_many() -> None:
    def factory(count: int, dim: int, bytes_per_vector: float = 300, recall: float = 0.95) -> str:
        return plan(count, dim, bytes_per_vector=bytes_per_vector, recall=recall).factory

    assert factory(EXACT_UP_TO, 192) == "Flat"
    assert factory(100_000, 192) == "IVF512,SQ8"
    assert factory(1_000_000, 192) == "IVF2048,SQ8"
    assert factory(1_000_000, 192, bytes_per_vector=1000) == "IVF2048,Flat"
    assert factory(1_000_000, 384, recall=0.9) == "IVF2048,SQ6"
    assert factory(1_000_000, 512, recall=0.7) == "IVF2048,SQ4"
    with pytest.raises(RetrievalError, match="recall 0.95 over 1000000 vectors .* needs 520 bytes per vector"):
        factory(1_000_000, 512)
    with pytest.raises(RetrievalError, match="recall is 95"):
        factory(10, 8, recall=95)


@given(st.integers(1, 10**8), st.integers(2, 512))
def test_a_plan_always_fits_its_budget_and_its_sample(count: int, dim: int) -> None:
    made = plan(count, dim, bytes_per_vector=dim + 8, recall=0.9)
    assert made.sample <= count
    assert (made.lists == 0) == (count <= EXACT_UP_TO) == (made.factory == "Flat")
    assert made.lists == 0 or made.bytes_per_vector <= dim + 8


def test_a_large_index_reports_its_recall_of_exact_search(large: FaissIndex, many: Vectors) -> None:
    queries = clustered(40, seed=7) + 0.05 * np.random.default_rng(1).normal(size=(40, DIM)).astype(np.float32)
    found = [len({i for i, _ in large.search(q, 10)} & set(nearest(many, q))) for q in queries]
    assert sum(found) / 400 >= 0.9
    stats = large.stats()
    assert stats["index"].startswith("IVF") and 0.95 <= stats["recall_at_10"] <= 1 and stats["in_tail"] == 0


def test_a_large_index_looks_at_all_of_a_few_allowed_vectors(large: FaissIndex, many: Vectors) -> None:
    among = [5, 4_900, 77, 3_345]
    expected = sorted(among, key=lambda i: -float(many[i] @ many[900]))
    assert [i for i, _ in large.search(many[900], 4, among=among)] == expected


def test_a_large_index_forgets_takes_back_and_grows(large: FaissIndex, many: Vectors, tmp_path: Path) -> None:
    before = len(large)
    large.remove([3, 4, 10**6])
    assert len(large) == before - 2 and 3 not in [i for i, _ in large.search(many[3], 50)]
    large.add([3, 90_000], np.stack([-many[3], many[4]]))
    assert large.search(many[4], 1)[0][0] == 90_000
    assert large.search(-many[3], 1)[0][0] == 3 and 3 not in [i for i, _ in large.search(many[3], 5)]
    with pytest.raises(RetrievalError, match="twice"):
        large.add([90_000], many[:1])
    large.compact()
    assert large.stats()["in_tail"] == large.stats()["removed_since"] == 0
    assert large.search(many[4], 1)[0][0] == 90_000 and large.search(-many[3], 1)[0][0] == 3
    assert 4 not in large.ids() and len(large) == before


def test_searches_additions_and_removals_go_on_during_a_compaction(many: Vectors, large_from_2000: None) -> None:
    index = FaissIndex(DIM)
    index.add(range(5_000), many[:5_000])
    reached, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[tuple[np.ndarray, Vectors]]:
        reached.set()
        assert go_on.wait(30)
        yield np.arange(5_000), many[:5_000]

    index.compact(slow, background=True, then=done.set)
    assert reached.wait(30)
    index.remove([0, 1])
    index.add([1, 30_000], many[5_500:5_502])
    assert index.search(many[5_501], 1)[0][0] == 30_000
    go_on.set()
    assert done.wait(30)
    assert index.stats()["in_tail"] == 2 and len(index) == 5_000
    assert index.search(many[5_500], 1)[0][0] == 1
    assert 0 not in [i for i, _ in index.search(many[0], 30)]


def test_a_saved_index_opens_in_another_process(large: FaissIndex, many: Vectors, tmp_path: Path) -> None:
    large.remove([8])
    large.save(tmp_path / "speakers.json", made_of="noise")
    code = (
        "import sys; from agentaudio.retrieval.vectors.faiss_index import FaissIndex\n"
        f"index, about = FaissIndex.open(sys.argv[1], {DIM})\n"
        "print(len(index), 8 in index.ids(), about['made_of'], index.stats()['recall_at_10'] >= 0.95)"
    )
    out, err = in_another_process(code, tmp_path / "speakers.json").communicate(timeout=60)
    assert out.split() == [str(len(large)), "False", "noise", "True"], err
    opened = FaissIndex.open(tmp_path / "speakers.json", DIM)
    assert opened is not None
    assert opened[0].search(many[9], 3) == large.search(many[9], 3)
    opened[0].add([8], many[8:9])
    opened[0].save(tmp_path / "speakers.json")
    assert len(list(tmp_path.iterdir())) == 2


def test_an_index_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "index" / "small.json"
    assert FaissIndex.open(path, DIM) is None
    index = FaissIndex(DIM)
    index.add(range(9), clustered(9))
    index.save(path)
    assert FaissIndex.open(path, DIM + 1) is None
    opened = FaissIndex.open(path, DIM)
    assert opened is not None and opened[0].ids() == index.ids()
    data = next(path.parent.glob("*.faiss"))
    data.write_bytes(data.read_bytes()[:-100])
    assert FaissIndex.open(path, DIM) is None
    path.write_text("{}")
    assert FaissIndex.open(path, DIM) is None


def test_a_disk_that_cannot_store_the_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file is in the way")
    index = FaissIndex(DIM)
    index.add([1], clustered(1))
    with pytest.raises(RetrievalError, match="cannot write the index"):
        index.save(tmp_path / "index" / "speakers.json")


def test_recall_counts_equally_near_vectors_as_found() -> None:
    rows = np.repeat(clustered(400), 60, axis=0)
    ids = np.arange(len(rows))
    built = build(lambda: [(ids, rows)], DIM, Plan("IVF64,SQ8", 64, 4096, 24), count=len(rows), recall=0.95)
    assert built.recall >= 0.95 and built.probes == 8


def test_fewer_vectors_than_were_promised_are_searched_exactly() -> None:
    rows = clustered(300)
    index = FaissIndex.of(lambda: [(np.arange(300), rows)], DIM, count=100_000)
    assert index.stats()["index"] == "Flat" and [i for i, _ in index.search(rows[5], 10)] == nearest(rows, rows[5])
    assert len(FaissIndex.of(lambda: [(np.arange(0), rows[:0])], DIM, count=100_000)) == 0


def test_ids_out_of_range_are_refused() -> None:
    index = FaissIndex(4)
    for wrong in (-1, HIGHEST + 1):
        with pytest.raises(RetrievalError, match="ids must lie between 0"):
            index.add([wrong], np.ones((1, 4), np.float32))
    assert faiss_index.BYTES_PER_VECTOR == 300


FORKED = """
import os
import numpy as np
from agentaudio.retrieval.vectors.faiss_index import FaissIndex

vectors = np.eye(64, dtype=np.float32)
index = FaissIndex(64)
index.add(range(64), vectors)
index.search(vectors[0], 3)
child = os.fork()
if not child:
    (found,) = index.search(vectors[7], 1)
    print("found", found[0], flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_forked_process_can_search() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("found 7", "")
