"""`build`: train a FAISS index on a sample, fill it, and measure what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.retrieval.vectors.id_set import Ids, IdSet
from agentaudio.retrieval.vectors.plan import ID_BYTES, Plan

Vectors = NDArray[np.float32]
Source = Callable[[], Iterable[tuple[Ids, Vectors]]]
"""Gives all vectors anew whenever it is called: batches of (n,) int64 and (n, dim) float32 of unit length."""

NEIGHBOURS = 10
TIES = 100
QUERIES = 500
LEAST_PROBES = 8
SAMPLE_ERROR = 0.01  # of a recall measured with so many queries
DECODED_AT_ONCE = 4096


@dataclass(frozen=True)
class Built:
    """A filled index.

    index: FAISS, with ids; ids: what it holds; probes: lists that a search looks into, 0 in an exact one
    recall: share of the ten true neighbours that are found, measured on vectors of the index
    """

    index: Any
    plan: Plan
    ids: IdSet
    probes: int
    recall: float

    def search(self, rows: Vectors, k: int, allowed: IdSet | None = None) -> tuple[NDArray[np.float32], Ids]:
        """(n, k) cosines and ids of the nearest, best first; -1 where there are fewer.

        allowed: only these. Few of them lie in few lists, so the fewer there are, the more lists are searched.
        """
        import faiss

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
        """What was put in, as exact as its codes are."""
        import faiss

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
    """Two passes over the vectors: a sample to train on and to ask for, then all. It holds one batch at a time.

    count: about how many there are; recall: lists are probed until this share is found
    """
    import faiss

    index: Any
    if not plan.lists:
        index = faiss.IndexIDMap(faiss.IndexFlatIP(dim))
        held = [_add(index, ids, rows) for ids, rows in source()]
        return Built(index, plan, IdSet(np.concatenate([np.zeros(0, np.int64), *held])), 0, 1.0)
    index = faiss.index_factory(dim, plan.factory, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = 1
    sample_ids, sample = _sample(source, (plan.sample + QUERIES) / max(1, count))
    if len(sample) < QUERIES + plan.lists:  # most of them went since they were counted
        return build(source, dim, Plan("Flat", 0, 0, 4.0 * dim + ID_BYTES), count=len(sample), recall=recall)
    # What an index was trained on it finds more easily than what it never saw.
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
    """The true neighbours of some vectors, collected while all vectors pass by."""

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
        """Share of the true neighbours that a search finds; of equally near ones any counts."""
        _, answers = built.search(self._queries, NEIGHBOURS + 1)
        hits = 0
        for own, near, scores, answer in zip(self._own, self._ids, self._scores, answers, strict=True):
            tenth = np.sort(scores)[-NEIGHBOURS]
            true = near[scores >= tenth - 1e-6]
            hits += len(np.intersect1d(answer[answer != own][:NEIGHBOURS], true))
        return hits / (NEIGHBOURS * max(1, len(self._own)))
