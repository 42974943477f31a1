"""`plan`: the FAISS index for a number of vectors, a memory budget and a recall."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentaudio.errors import RetrievalError

EXACT_UP_TO = 20_000
ID_BYTES = 8
SAMPLE_PER_LIST = 40  # FAISS asks for 39

# Codes, the most accurate first: FAISS's name, bytes per dimension, and the highest recall@10 that the code reaches
# even when all lists are searched (measured by benchmarks/voice_search.py on 192 dimensions, clustered like voices).
CODES = (("Flat", 4.0, 1.0), ("SQ8", 1.0, 0.98), ("SQ6", 0.75, 0.92), ("SQ4", 0.5, 0.75))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to build an index.

    factory: description for `faiss.index_factory`
    lists: number of inverted lists; with 0 every search compares all vectors
    sample: number of vectors to train on
    bytes_per_vector: memory for one vector and its id
    """

    factory: str
    lists: int
    sample: int
    bytes_per_vector: float


def plan(count: int, dim: int, *, bytes_per_vector: float, recall: float) -> Plan:
    """Exact search for up to EXACT_UP_TO vectors; above that, inverted lists with the most accurate code that fits.

    HNSW is not offered: it takes 90 times as long to build, cannot remove a vector, and is not faster than inverted
    lists when a filter applies.

    count: number of vectors
    dim: their width
    bytes_per_vector: memory for one vector and its id; exact indexes may take more
    recall: share of the ten true nearest neighbours that a search must find, above 0 and up to 1

    Raises RetrievalError when no code fits the memory and reaches the recall.
    """
    if not 0 < recall <= 1:
        raise RetrievalError(f"recall is {recall}; give a share above 0 and up to 1")
    if count <= EXACT_UP_TO:
        return Plan("Flat", 0, 0, 4.0 * dim + ID_BYTES)
    for code, size, reach in CODES:
        needed = size * dim + ID_BYTES
        if needed <= bytes_per_vector and recall <= reach:
            lists = 2 ** round(math.log2(2 * math.sqrt(count)))
            return Plan(f"IVF{lists},{code}", lists, min(count, SAMPLE_PER_LIST * lists), needed)
    least = min(size * dim + ID_BYTES for _, size, reach in CODES if recall <= reach)
    raise RetrievalError(
        f"recall {recall:g} over {count} vectors of width {dim} needs {least:g} bytes per vector, but "
        f"{bytes_per_vector:g} are allowed; allow more memory or a lower recall"
    )
