"""What a search needs of an index of vectors, wherever it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentaudio.retrieval.vectors.id_set import IdSet


class Index(Protocol):
    """Cosine search over unit vectors with whole numbers as ids: in this process, or on a cluster."""

    @property
    def dim(self) -> int: ...

    def __len__(self) -> int: ...

    def ids(self) -> IdSet:
        """What it holds."""
        ...

    def add(self, ids: Sequence[int] | NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """ids: n whole numbers; vectors: (n, dim) float32. Raises RetrievalError for what it cannot hold."""
        ...

    def remove(self, ids: Iterable[int] | IdSet) -> None:
        """Forget these ids; unknown ones are ignored."""
        ...

    def search(
        self, vector: NDArray[np.float32], k: int, *, among: Iterable[int] | IdSet | None = None
    ) -> list[tuple[int, float]]:
        """The k nearest (id, cosine), best first. among: only these ids, applied before ranking."""
        ...
