"""`FaissIndex`: a `VectorIndex` in this process, exact for few vectors and compressed for many."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.vectors.build import DECODED_AT_ONCE, Built, Source, Vectors, build
from agentaudio.retrieval.vectors.file import read_index, write_index
from agentaudio.retrieval.vectors.id_set import Ids, IdSet, as_ids
from agentaudio.retrieval.vectors.library import load_faiss
from agentaudio.retrieval.vectors.plan import EXACT_UP_TO, plan

BYTES_PER_VECTOR = 300.0
RECALL = 0.95
TAIL_SHARE = 0.05


class FaissIndex:
    """Cosine search over unit vectors with integer ids, removal and filters, for up to millions of vectors.

    Added vectors go to a tail that is searched exactly. `compact` merges the tail into one index, chosen by
    `plan.plan`, which can be saved. Several threads may share an index.

    dim: width of the vectors
    bytes_per_vector: memory allowed for one vector and its id when there are more than EXACT_UP_TO
    recall: share of the ten true nearest neighbours that a search must find

    Raises RetrievalError for vectors of another width, with NaN, or ids given twice.
    """

    def __init__(self, dim: int, *, bytes_per_vector: float = BYTES_PER_VECTOR, recall: float = RECALL) -> None:
        self.dim = dim
        self.bytes_per_vector = bytes_per_vector
        self.recall = recall
        self._lock = threading.RLock()
        self._compacting = threading.Lock()
        self._members = IdSet()
        self._main: Built | None = None
        self._hidden = IdSet()  # in the main index, but removed or replaced since it was built
        self._tail: Any = self._new_tail()
        self._added_meanwhile: IdSet | None = None  # ids added while a compaction runs

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], dim: int, *, bytes_per_vector: float = BYTES_PER_VECTOR,
        recall: float = RECALL,
    ) -> tuple[FaissIndex, dict[str, Any]] | None:  # fmt: skip
        """The saved index and its `about`; None when there is none that can be read, or it has another width.

        The file is memory-mapped: it opens in milliseconds, and only the parts that are searched take memory.
        """
        kept = read_index(Path(path))
        if kept is None or kept[0].index.d != dim:
            return None
        made = cls(dim, bytes_per_vector=bytes_per_vector, recall=recall)
        made._main, made._members = kept[0], kept[0].ids
        return made, kept[1]

    @classmethod
    def of(
        cls, source: Source, dim: int, *, count: int, bytes_per_vector: float = BYTES_PER_VECTOR, recall: float = RECALL
    ) -> FaissIndex:
        """An index of all vectors of a source, built without holding them all uncompressed.

        count: approximate number of vectors. Raises RetrievalError like `compact`.
        """
        made = cls(dim, bytes_per_vector=bytes_per_vector, recall=recall)
        chosen = plan(count, dim, bytes_per_vector=bytes_per_vector, recall=recall)
        made._main = build(source, dim, chosen, count=count, recall=recall)
        made._members = made._main.ids
        return made

    def save(self, path: str | os.PathLike[str], **about: Any) -> None:
        """Write the index to disk atomically, after compacting it. about: plain data that `open` returns.

        Raises RetrievalError when it cannot be written.
        """
        if not self.compacted:
            self.compact()
        assert self._main is not None
        write_index(Path(path), self._main, about)

    def __len__(self) -> int:
        return len(self._members)

    def ids(self) -> IdSet:
        """Ids of the vectors in the index."""
        return self._members

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Add vectors: n ids from 0 and (n, dim) float32, which are scaled to unit length."""
        if len(ids) != len(vectors):
            raise RetrievalError(f"{len(ids)} ids for {len(vectors)} vectors; give one id per vector")
        given, rows = as_ids(ids), self._unit(vectors)
        added = IdSet(given)
        with self._lock:
            if len(added) != len(given) or len(self._members & added):
                raise RetrievalError("an id is given twice, or is already in the index; remove it first")
            self._tail.add_with_ids(rows, given)
            self._members |= added
            if self._added_meanwhile is not None:
                self._added_meanwhile |= added

    def remove(self, ids: Iterable[int] | IdSet) -> None:
        """Remove vectors by id; unknown ids are ignored."""
        faiss = load_faiss()

        given = ids if isinstance(ids, IdSet) else IdSet(ids)
        with self._lock:
            gone = self._members & given
            if not len(gone):
                return
            self._tail.remove_ids(faiss.IDSelectorBatch(gone.ids()))
            if self._main is not None:
                self._hidden |= self._main.ids & gone
            self._members -= gone

    def search(
        self, vector: NDArray[np.float32], k: int, *, among: Iterable[int] | IdSet | None = None
    ) -> list[tuple[int, float]]:
        """(id, cosine) of the k nearest, best first. among: only these ids, filtered before the ranking."""
        faiss = load_faiss()

        row = self._unit(np.asarray(vector)[None])
        if k < 1 or not len(self):
            return []
        chosen = among if among is None or isinstance(among, IdSet) else IdSet(among)
        if chosen is not None and not len(chosen):
            return []
        with self._lock:
            main, hidden = self._main, self._hidden
            parameters: Any = faiss.SearchParameters()
            parameters.sel = None if chosen is None else chosen.selector
            wanted = min(k, self._tail.ntotal)
            parts = [self._tail.search(row, wanted, params=parameters)] if wanted else []
        if main is not None:
            allowed = chosen
            if len(hidden):
                allowed = (main.ids if chosen is None else chosen) - hidden
            parts.append(main.search(row, min(k, len(main.ids)), allowed))
        found = [
            (int(id), float(score))
            for scores, ids in parts
            for id, score in zip(ids[0], scores[0], strict=True)
            if id >= 0
        ]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]

    @property
    def compacted(self) -> bool:
        """Whether no vector was added or removed since the last compaction."""
        with self._lock:
            return self._main is not None and not len(self._hidden) and not self._tail.ntotal

    @property
    def needs_compaction(self) -> bool:
        """Whether so many vectors were added or removed since the last compaction that searches are slower."""
        with self._lock:
            loose = self._tail.ntotal + len(self._hidden)
            return bool(loose > max(EXACT_UP_TO, TAIL_SHARE * len(self)))

    def compact(self, source: Source | None = None, *, background: bool = False,
                then: Callable[[], None] | None = None) -> None:  # fmt: skip
        """Build one index of all vectors; other threads may search, add and remove at the same time.

        source: the exact vectors; None takes those of the index, which are as exact as its code
        background: return at once and compact in a thread, unless a compaction is already running
        then: called afterwards in the same thread

        Raises RetrievalError when no index fits `bytes_per_vector` and `recall`; the old index stays in use.
        """
        if background:
            threading.Thread(
                target=self._compact_quietly, args=(source, then), name="index-compaction", daemon=True
            ).start()
            return
        with self._compacting:
            self._compact(source)
        if then is not None:
            then()

    def _compact_quietly(self, source: Source | None, then: Callable[[], None] | None) -> None:
        faiss = load_faiss()

        if not self._compacting.acquire(blocking=False):
            return
        try:
            faiss.omp_set_num_threads(1)  # for this thread only, so that searches keep the other cores
            self._compact(source)
        finally:
            self._compacting.release()
        if then is not None:
            then()

    def _compact(self, source: Source | None) -> None:
        with self._lock:
            count = len(self)
            chosen = plan(count, self.dim, bytes_per_vector=self.bytes_per_vector, recall=self.recall)
            self._added_meanwhile = IdSet()
        try:
            self._take(build(source or self._vectors, self.dim, chosen, count=count, recall=self.recall))
        finally:
            self._added_meanwhile = None

    def stats(self) -> dict[str, Any]:
        """Plain data: number of vectors, FAISS index, recall@10, memory per vector, tail and removals."""
        with self._lock:
            main = self._main
            return {
                "vectors": len(self),
                "index": "Flat" if main is None else main.plan.factory,
                "probes": 0 if main is None else main.probes,
                "recall_at_10": 1.0 if main is None else main.recall,
                "bytes_per_vector": 4.0 * self.dim + 8 if main is None else main.plan.bytes_per_vector,
                "in_tail": int(self._tail.ntotal),
                "removed_since": len(self._hidden),
            }

    def _take(self, built: Built) -> None:
        """Replace the main index, and keep in the tail what was added while it was built."""
        with self._lock:
            assert self._added_meanwhile is not None
            newer, tail = self._added_meanwhile, self._new_tail()
            for ids, rows in self._tail_vectors():
                kept = newer.holds(ids) | ~built.ids.holds(ids)
                tail.add_with_ids(np.ascontiguousarray(rows[kept]), ids[kept])
            self._main, self._tail = built, tail
            self._hidden = (built.ids - self._members) | (built.ids & newer)

    def _vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        with self._lock:
            main, hidden, tail = self._main, self._hidden, list(self._tail_vectors())
        for ids, rows in main.vectors() if main is not None else ():
            kept = ~hidden.holds(ids)
            yield ids[kept], rows[kept]
        yield from tail

    def _tail_vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        faiss = load_faiss()

        ids = faiss.vector_to_array(self._tail.id_map)
        for start in range(0, len(ids), DECODED_AT_ONCE):
            count = min(DECODED_AT_ONCE, len(ids) - start)
            yield ids[start : start + count], self._tail.index.reconstruct_n(start, count)

    def _new_tail(self) -> Any:
        faiss = load_faiss()

        return faiss.IndexIDMap(faiss.IndexFlatIP(self.dim))

    def _unit(self, vectors: Vectors) -> Vectors:
        rows = np.ascontiguousarray(vectors, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise RetrievalError(f"vectors of shape {rows.shape} do not fit an index of width {self.dim}")
        if not np.isfinite(rows).all():
            raise RetrievalError("a vector holds NaN or infinity; check what was embedded")
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)
