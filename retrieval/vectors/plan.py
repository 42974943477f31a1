"""`plan`: which FAISS index suits a number of vectors, a memory budget and a wanted recall."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentaudio.errors import RetrievalError

EXACT_UP_TO = 20_000
ID_BYTES = 8
SAMPLE_PER_LIST = 40  # FAISS asks for 39

# Codes, the most faithful first: FAISS's name, bytes a vector takes per dimension, and the recall@10
# beyond which a code of that kind cannot be counted on, however many lists are searched
# (192 dimensions, clustered like voices; benchmarks/voice_search.py measures it).
CODES = (("Flat", 4.0, 1.0), ("SQ8", 1.0, 0.98), ("SQ6", 0.75, 0.92), ("SQ4", 0.5, 0.75))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to build an index.

    factory: as `faiss.index_factory` takes it; lists: inverted lists, 0 searches all vectors
    sample: how many vectors to train on; bytes_per_vector: memory for a vector and its id
    """

    factory: str
    lists: int
    sample: int
    bytes_per_vector: float


def plan(count: int, dim: int, *, bytes_per_vector: float, recall: float) -> Plan:
    """Exact search for up to EXACT_UP_TO vectors; beyond, inverted lists with the best code that fits.

    HNSW is no choice here: it takes 90 times as long to build, cannot forget a vector, and does not
    search faster than lists do under a filter.

    count: how many vectors; dim: their width
    bytes_per_vector: memory for a vector and its id; small indexes may take more
    recall: share of the ten true neighbours that a search must find, 0 to 1

    Raises RetrievalError when no code both fits the memory and can reach the recall.
    """
    if not 0 < recall <= 1:
        raise RetrievalError(f"recall is {recall}; it is a share, above 0 and up to 1")
    if count <= EXACT_UP_TO:
        return Plan("Flat", 0, 0, 4.0 * dim + ID_BYTES)
    for code, size, reach in CODES:
        needed = size * dim + ID_BYTES
        if needed <= bytes_per_vector and recall <= reach:
            lists = 2 ** round(math.log2(2 * math.sqrt(count)))
            return Plan(f"IVF{lists},{code}", lists, min(count, SAMPLE_PER_LIST * lists), needed)
    least = min(size * dim + ID_BYTES for _, size, reach in CODES if recall <= reach)
    raise RetrievalError(
        f"recall {recall:g} over {count} vectors of width {dim} takes {least:g} bytes each, and "
        f"{bytes_per_vector:g} are allowed; allow more memory, or a lower recall"
    )
