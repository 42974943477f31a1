"""`Tally`: the counts of many scores, as columns of numbers."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of answers, a row for each.

    columns: by name, shape (rows,) float64; NaN where an answer has no such count
    group: shape (rows,) int64, places in `groups`
    cluster: shape (rows,) int64; rows with one number are resampled together
    groups: names, in the order of the rows; "" for rows without a group
    """

    columns: Mapping[str, NDArray[np.float64]]
    group: NDArray[np.int64]
    cluster: NDArray[np.int64]
    groups: tuple[str, ...]

    def clustered(self, per: str, group: str | None = None) -> tuple[dict[str, NDArray[np.float64]], int]:
        """The sums of all counts by cluster, shape (clusters,), and how many rows they are of.

        per: only rows with this count are summed up
        group: only rows of it; None for all

        Clusters come in the order of their first rows.
        """
        if per not in self.columns or (group is not None and group not in self.groups):
            return {}, 0
        rows = ~np.isnan(self.columns[per])
        if group is not None:
            rows &= self.group == self.groups.index(group)
        number = int(rows.sum())
        if not number:
            return {}, 0
        _, first, inverse = np.unique(self.cluster[rows], return_index=True, return_inverse=True)
        places = np.empty(len(first), np.int64)
        places[np.argsort(first)] = np.arange(len(first))
        taken = {name: column[rows] for name, column in self.columns.items()}
        return {
            name: np.bincount(places[inverse], np.nan_to_num(column), len(first)).astype(np.float64)
            for name, column in sorted(taken.items())
            if not np.isnan(column).all()
        }, number


class Tally:
    """Collects counts in 8 bytes for each number, in whatever order answers are scored."""

    def __init__(self) -> None:
        self._columns: dict[str, array[float]] = {}
        self._seed, self._place, self._group, self._cluster = array("q"), array("q"), array("q"), array("q")
        self._groups: dict[str, int] = {}
        self._clusters: dict[str, int] = {}

    def add(
        self, counts: Mapping[str, float], *, place: int, group: str = "", cluster: str = "", seed: int = 1
    ) -> None:
        """Take the counts of an answer.

        place: of the item, not negative; rows come in the order of places
        cluster: "" for the item alone, together with its answers under other seeds
        """
        rows = len(self._seed)
        for name in counts.keys() - self._columns.keys():
            self._columns[name] = array("d", [math.nan]) * rows
        for name, column in self._columns.items():
            column.append(counts.get(name, math.nan))
        self._seed.append(seed)
        self._place.append(place)
        self._group.append(self._groups.setdefault(group, len(self._groups)))
        # Items that stand alone have the numbers from 0, others those below.
        self._cluster.append(-1 - self._clusters.setdefault(cluster, len(self._clusters)) if cluster else place)

    def __len__(self) -> int:
        return len(self._seed)

    @property
    def seeds(self) -> list[int]:
        """Seeds with at least one answer, in order."""
        return sorted(set(self._seed))

    def counts(self, seed: int | None = None) -> Counts:
        """All counts, or those of one seed, by seed and then by place."""
        seeds, places = _numbers(self._seed), _numbers(self._place)
        rows = np.lexsort((places, seeds))
        if seed is not None:
            rows = rows[seeds[rows] == seed]
        group = _numbers(self._group)[rows]
        order = list(dict.fromkeys(group.tolist()))
        names = list(self._groups)
        renamed = np.full(len(names), -1, np.int64)
        renamed[order] = np.arange(len(order))
        columns = {name: np.array(column, np.float64)[rows] for name, column in self._columns.items()}
        return Counts(columns, renamed[group], _numbers(self._cluster)[rows], tuple(names[one] for one in order))


def _numbers(values: array[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
