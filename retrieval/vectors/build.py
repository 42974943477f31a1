"""`build`: train a FAISS index on a sample, fill it, and measure its recall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.retrieval.vectors.id_set import Ids, IdSet
from agentaudio.retrieval.vectors.library import load_faiss
from agentaudio.retrieval.vectors.plan import ID_BYTES, Plan

Vectors = NDArray[np.float32]
Source = Callable[[], Iterable[tuple[Ids, Vectors]]]
"""Returns all vectors each time it is called, in batches of (n,) int64 ids and (n, dim) float32 unit rows."""

NEIGHBOURS = 10
TIES = 100
QUERIES = 500
LEAST_PROBES = 8
SAMPLE_ERROR = 0.01  # standard error of a recall near 0.95 that QUERIES queries measure
DECODED_AT_ONCE = 4096


@dataclass(frozen=True)
class Built:
    """A filled index.

    index: the FAISS index, with ids
    ids: all ids in it
    probes: number of inverted lists that a search reads; 0 in an exact index
    recall: share of the ten true nearest neighbours that are found, measured on vectors of the index
    """

    index: Any
    plan: Plan
    ids: IdSet
    probes: int
    recall: float

    def search(self, rows: Vectors, k: int, allowed: IdSet | None = None) -> tuple[NDArray[np.float32], Ids]:
        """(n, k) cosines and (n, k) ids of the nearest vectors, best first; id -1 where there are fewer than k.

        allowed: only these ids. The fewer they are, the more lists are read, because each list holds fewer of them.
        """
        faiss = load_faiss()

        selector = None if allowed is None else allowed.selector
        parameters: Any = faiss.SearchParameters()
        if self.plan.lists:
            rarity = 1.0 if allowed is None else len(self.ids) / max(1, len(allowed))
            probes = min(self.plan.lists, round(self.probes * rarity))
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = probes
        parameters.sel = selector
        scores, ids = self.index.search(rows, k, params=parameters)
        return scores, ids

    def vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        """All vectors, decoded: as exact as the code of the index."""
        faiss = load_faiss()

        if not self.plan.lists:
            ids = faiss.vector_to_array(self.index.id_map)
            for start in range(0, len(ids), DECODED_AT_ONCE):
                count = min(DECODED_AT_ONCE, len(ids) - start)
                yield ids[start : start + count], self.index.index.reconstruct_n(start, count)
            return
        lists = self.index.invlists
        prefix = self.index.sa_code_size() - lists.code_size
        for number in range(self.plan.lists):
            size = lists.list_size(number)
            if not size:
                continue
            codes = np.empty((size, prefix + lists.code_size), np.uint8)
            codes[:, :prefix] = np.frombuffer(number.to_bytes(prefix, "little"), np.uint8)
            codes[:, prefix:] = faiss.rev_swig_ptr(lists.get_codes(number), size * lists.code_size).reshape(size, -1)
            yield faiss.rev_swig_ptr(lists.get_ids(number), size).copy(), self.index.sa_decode(codes)


def build(source: Source, dim: int, plan: Plan, *, count: int, recall: float) -> Built:
    """Build an index in two passes over the source: a sample for training and queries, then all vectors.

    Holds the sample and one batch in memory.

    count: approximate number of vectors
    recall: the number of probed lists is doubled until this share of the true neighbours is found
    """
    faiss = load_faiss()

    index: Any
    if not plan.lists:
        index = faiss.IndexIDMap(faiss.IndexFlatIP(dim))
        held = [_add(index, ids, rows) for ids, rows in source()]
        return Built(index, plan, IdSet(np.concatenate([np.zeros(0, np.int64), *held])), 0, 1.0)
    index = faiss.index_factory(dim, plan.factory, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = 1
    sample_ids, sample = _sample(source, (plan.sample + QUERIES) / max(1, count))
    if len(sample) < QUERIES + plan.lists:  # most vectors were removed since they were counted
        return build(source, dim, Plan("Flat", 0, 0, 4.0 * dim + ID_BYTES), count=len(sample), recall=recall)
    # The queries are left out of the training: an index finds its training vectors more easily.
    index.train(sample[QUERIES:])
    truth = _Truth(sample_ids[:QUERIES], sample[:QUERIES])
    held = []
    for ids, rows in source():
        held.append(_add(index, ids, rows))
        truth.see(ids, rows)
    made = Built(index, plan, IdSet(np.concatenate(held)), LEAST_PROBES, 0.0)
    while True:
        found = truth.recall(made)
        made = Built(index, plan, made.ids, made.probes, round(found, 4))
        if found >= min(1.0, recall + SAMPLE_ERROR) or made.probes >= plan.lists:
            return made
        made = Built(index, plan, made.ids, min(plan.lists, made.probes * 2), 0.0)


def _add(index: Any, ids: Ids, rows: Vectors) -> Ids:
    index.add_with_ids(np.ascontiguousarray(rows, np.float32), ids)
    return ids


def _sample(source: Source, share: float) -> tuple[Ids, Vectors]:
    rng = np.random.default_rng(1)
    ids, rows = [], []
    for batch_ids, batch in source():
        chosen = rng.random(len(batch_ids)) < share
        ids.append(batch_ids[chosen])
        rows.append(batch[chosen])
    order = rng.permutation(sum(map(len, ids)))
    return np.concatenate(ids)[order], np.ascontiguousarray(np.concatenate(rows)[order], np.float32)


class _Truth:
    """The exact nearest neighbours of some queries, collected batch by batch."""

    def __init__(self, own: Ids, queries: Vectors) -> None:
        self._own, self._queries = own, queries
        self._ids = np.full((len(own), 0), -1, np.int64)
        self._scores = np.zeros((len(own), 0), np.float32)

    def see(self, ids: Ids, rows: Vectors) -> None:
        scores = np.where(ids == self._own[:, None], -np.inf, self._queries @ rows.T)
        scores = np.concatenate([self._scores, scores], 1, dtype=np.float32)
        both = np.concatenate([self._ids, np.broadcast_to(ids, (len(self._own), len(ids)))], 1)
        best = np.argsort(-scores, axis=1)[:, :TIES] if scores.shape[1] <= TIES else (
            np.argpartition(-scores, TIES - 1, axis=1)[:, :TIES]
        )  # fmt: skip
        self._ids, self._scores = np.take_along_axis(both, best, 1), np.take_along_axis(scores, best, 1)

    def recall(self, built: Built) -> float:
        """Share of the true neighbours that a search finds; ties with the tenth count as true."""
        _, answers = built.search(self._queries, NEIGHBOURS + 1)
        hits = 0
        for own, near, scores, answer in zip(self._own, self._ids, self._scores, answers, strict=True):
            tenth = np.sort(scores)[-NEIGHBOURS]
            true = near[scores >= tenth - 1e-6]
            hits += len(np.intersect1d(answer[answer != own][:NEIGHBOURS], true))
        return hits / (NEIGHBOURS * max(1, len(self._own)))
