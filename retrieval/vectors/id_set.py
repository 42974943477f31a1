"""`IdSet`: an immutable set of row numbers, stored as a bitmap."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.vectors.library import load_faiss

Ids = NDArray[np.int64]
Bits = NDArray[np.uint8]

HIGHEST = 2**32 - 1


class IdSet:
    """Integers from 0 to HIGHEST; takes one bit for each integer up to the largest member.

    Raises RetrievalError for numbers outside that range.
    """

    __slots__ = ("__dict__", "_bits")

    def __init__(self, ids: Iterable[int] | Ids = ()) -> None:
        given = as_ids(ids)
        flags = np.zeros(int(given.max()) + 1 if len(given) else 0, bool)
        flags[given] = True
        self._bits: Bits = np.packbits(flags, bitorder="little")

    @classmethod
    def _of(cls, bits: Bits) -> IdSet:
        made = cls()
        made._bits = bits
        return made

    @cached_property
    def _size(self) -> int:
        return int(np.bitwise_count(self._bits).sum())

    def __len__(self) -> int:
        return self._size

    def __contains__(self, id: int) -> bool:
        return bool(self.holds(np.array([id], np.int64))[0])

    def holds(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of `ids` are in the set, (n,) bool."""
        byte = ids >> 3
        known = (byte >= 0) & (byte < len(self._bits))
        found = np.zeros(len(ids), bool)
        inside = ids[known]
        found[known] = (self._bits[inside >> 3] >> (inside & 7).astype(np.uint8)) & 1
        return found

    def ids(self) -> Ids:
        """The members in ascending order, (n,) int64."""
        return np.flatnonzero(np.unpackbits(self._bits, bitorder="little")).astype(np.int64)

    def __or__(self, other: IdSet) -> IdSet:
        short, long = sorted((self._bits, other._bits), key=len)
        bits = long.copy()
        bits[: len(short)] |= short
        return IdSet._of(bits)

    def __and__(self, other: IdSet) -> IdSet:
        both = min(len(self._bits), len(other._bits))
        return IdSet._of(self._bits[:both] & other._bits[:both])

    def __sub__(self, other: IdSet) -> IdSet:
        both = min(len(self._bits), len(other._bits))
        bits = self._bits.copy()
        bits[:both] &= ~other._bits[:both]
        return IdSet._of(bits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdSet) and bool(np.array_equal(self.ids(), other.ids()))

    def __hash__(self) -> int:
        return hash(self.ids().tobytes())

    def __repr__(self) -> str:
        return f"IdSet of {len(self)}"

    @cached_property
    def selector(self) -> Any:
        """The set as a FAISS id selector."""
        faiss = load_faiss()

        selector: Any = faiss.IDSelectorBitmap  # its stubs only declare the C++ arguments
        return selector(self._bits if len(self._bits) else np.zeros(1, np.uint8))


def as_ids(ids: Iterable[int] | Ids) -> Ids:
    """Integers as (n,) int64. Raises RetrievalError below 0 or above HIGHEST."""
    given = ids.astype(np.int64) if isinstance(ids, np.ndarray) else np.fromiter(ids, np.int64)
    if len(given) and not (given.min() >= 0 and given.max() <= HIGHEST):
        raise RetrievalError(
            f"ids must lie between 0 and {HIGHEST}, not {given.min()} and {given.max()}; number the rows"
        )
    return given
