"""`VectorIndex`: the interface of every index of vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentaudio.retrieval.vectors.id_set import IdSet


class VectorIndex(Protocol):
    """Cosine search over unit vectors with integer ids, in this process or in a database."""

    @property
    def dim(self) -> int: ...

    def __len__(self) -> int: ...

    def ids(self) -> IdSet:
        """Ids of the vectors in the index."""
        ...

    def add(self, ids: Sequence[int] | NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors: n ids from 0 and (n, dim) float32.

        Raises RetrievalError for another width, NaN, infinity, or an id that is repeated or already in the index.
        """
        ...

    def remove(self, ids: Iterable[int] | IdSet) -> None:
        """Remove vectors by id; unknown ids are ignored."""
        ...

    def search(
        self, vector: NDArray[np.float32], k: int, *, among: Iterable[int] | IdSet | None = None
    ) -> list[tuple[int, float]]:
        """(id, cosine) of the k nearest, best first. among: only these ids, filtered before the ranking."""
        ...
