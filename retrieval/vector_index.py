"""`VectorIndex`: nearest vectors by cosine, exact, in FAISS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import RetrievalError


class VectorIndex:
    """Exact cosine search over unit vectors, with integer ids, deletes and filters.

    dim: width of the vectors

    Raises RetrievalError for vectors of another width, with NaN, or ids given twice.
    """

    def __init__(self, dim: int) -> None:
        import faiss

        self.dim = dim
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self._ids: set[int] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """ids: n whole numbers; vectors: (n, dim) float32, scaled to unit length here."""
        if len(ids) != len(vectors):
            raise RetrievalError(f"{len(ids)} ids for {len(vectors)} vectors; give one id per vector")
        if len(set(ids)) != len(ids) or self._ids.intersection(ids):
            raise RetrievalError("an id is given twice, or is in the index already; remove it first")
        self._index.add_with_ids(self._unit(vectors), np.asarray(ids, np.int64))
        self._ids.update(ids)

    def remove(self, ids: Iterable[int]) -> None:
        """Forget these ids; unknown ones are ignored."""
        import faiss

        gone = self._ids.intersection(ids)
        self._index.remove_ids(faiss.IDSelectorBatch(np.fromiter(gone, np.int64, len(gone))))
        self._ids -= gone

    def search(
        self, vector: NDArray[np.float32], k: int, *, among: Iterable[int] | None = None
    ) -> list[tuple[int, float]]:
        """The k nearest (id, cosine), best first. among: only these ids, applied before ranking."""
        import faiss

        if k < 1 or not self._ids:
            return []
        parameters: Any = None
        if among is not None:
            allowed = np.fromiter(among, np.int64)
            if not len(allowed):
                return []
            parameters = faiss.SearchParameters()
            parameters.sel = faiss.IDSelectorBatch(allowed)
        scores, ids = self._index.search(self._unit(vector[None]), min(k, len(self)), params=parameters)
        return [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]

    def _unit(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(vectors, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise RetrievalError(f"vectors of shape {rows.shape} in an index of width {self.dim}")
        if not np.isfinite(rows).all():
            raise RetrievalError("a vector holds NaN or infinity; check what was embedded")
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)
