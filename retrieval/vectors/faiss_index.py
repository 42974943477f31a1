"""`VectorIndex`: nearest vectors by cosine in FAISS, exact while they are few, compressed when they are many."""

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
from agentaudio.retrieval.vectors.plan import EXACT_UP_TO, plan

BYTES_PER_VECTOR = 300.0
RECALL = 0.95
TAIL_SHARE = 0.05


class VectorIndex:
    """Cosine search over unit vectors, with integer ids, deletes and filters, from one vector to millions.

    New vectors join a tail that is searched exactly. `compact` makes one index of everything, chosen
    by `plan.plan`, and can be saved; the tail goes on from there. Several threads may share it.

    dim: width of the vectors
    bytes_per_vector: memory that one may take, with its id, where there are more than EXACT_UP_TO
    recall: share of the ten true neighbours that a search must find

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
        self._hidden = IdSet()  # in the main part, but removed or replaced since
        self._tail: Any = self._new_tail()
        self._added_meanwhile: IdSet | None = None  # while a compaction runs

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], dim: int, *, bytes_per_vector: float = BYTES_PER_VECTOR,
        recall: float = RECALL,
    ) -> tuple[VectorIndex, dict[str, Any]] | None:  # fmt: skip
        """What `save` kept, and its `about`; None when there is nothing, or not of this width, that can be read.

        It is mapped into memory: it opens in milliseconds and takes the memory of what is searched.
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
    ) -> VectorIndex:
        """One that holds all vectors of a source from the start, and never all of them uncompressed.

        count: about how many there are. Raises RetrievalError as `compact` does.
        """
        made = cls(dim, bytes_per_vector=bytes_per_vector, recall=recall)
        chosen = plan(count, dim, bytes_per_vector=bytes_per_vector, recall=recall)
        made._main = build(source, dim, chosen, count=count, recall=recall)
        made._members = made._main.ids
        return made

    def save(self, path: str | os.PathLike[str], **about: Any) -> None:
        """Keep it on the disk, in one step; compacts first. about: plain data for whoever opens it.

        Raises RetrievalError when it cannot be written.
        """
        if not self.compacted:
            self.compact()
        assert self._main is not None
        write_index(Path(path), self._main, about)

    def __len__(self) -> int:
        return len(self._members)

    def ids(self) -> IdSet:
        """What it holds."""
        return self._members

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """ids: n whole numbers from 0; vectors: (n, dim) float32, scaled to unit length here."""
        if len(ids) != len(vectors):
            raise RetrievalError(f"{len(ids)} ids for {len(vectors)} vectors; give one id per vector")
        given, rows = as_ids(ids), self._unit(vectors)
        added = IdSet(given)
        with self._lock:
            if len(added) != len(given) or len(self._members & added):
                raise RetrievalError("an id is given twice, or is in the index already; remove it first")
            self._tail.add_with_ids(rows, given)
            self._members |= added
            if self._added_meanwhile is not None:
                self._added_meanwhile |= added

    def remove(self, ids: Iterable[int] | IdSet) -> None:
        """Forget these ids; unknown ones are ignored."""
        import faiss

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
        """The k nearest (id, cosine), best first. among: only these ids, applied before ranking."""
        import faiss

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
        """Whether nothing came or went since the last compaction, so that `save` only writes."""
        with self._lock:
            return self._main is not None and not len(self._hidden) and not self._tail.ntotal

    @property
    def needs_compaction(self) -> bool:
        """Whether the tail, or what was removed, has grown so much that searches take longer for it."""
        with self._lock:
            loose = self._tail.ntotal + len(self._hidden)
            return bool(loose > max(EXACT_UP_TO, TAIL_SHARE * len(self)))

    def compact(self, source: Source | None = None, *, background: bool = False,
                then: Callable[[], None] | None = None) -> None:  # fmt: skip
        """Build one index of everything; searches, adds and removals go on meanwhile.

        source: where the exact vectors are kept; without it those of the index are taken, as exact as their codes
        background: return at once and do it in a thread; nothing is done when one is at it already
        then: is called afterwards, in the same thread

        Raises RetrievalError when no index fits `bytes_per_vector` and `recall`.
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
        import faiss

        if not self._compacting.acquire(blocking=False):
            return
        try:
            faiss.omp_set_num_threads(1)  # of this thread alone: the other cores are for those who search
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
        """What it is, as plain data: how many vectors, which FAISS index, its recall@10, memory a vector."""
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
        """Go on with a new main part and the tail of what came while it was built."""
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
        import faiss

        ids = faiss.vector_to_array(self._tail.id_map)
        for start in range(0, len(ids), DECODED_AT_ONCE):
            count = min(DECODED_AT_ONCE, len(ids) - start)
            yield ids[start : start + count], self._tail.index.reconstruct_n(start, count)

    def _new_tail(self) -> Any:
        import faiss

        return faiss.IndexIDMap(faiss.IndexFlatIP(self.dim))

    def _unit(self, vectors: Vectors) -> Vectors:
        rows = np.ascontiguousarray(vectors, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise RetrievalError(f"vectors of shape {rows.shape} in an index of width {self.dim}")
        if not np.isfinite(rows).all():
            raise RetrievalError("a vector holds NaN or infinity; check what was embedded")
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)
