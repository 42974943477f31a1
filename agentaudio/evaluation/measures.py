"""Figures over many items: rates and means from sums, each with a 95 % interval.

The score of an item is a set of counts. A figure is a function of their sums, so the rate of a corpus (sum of edits by
sum of words) and the mean of the items' rates (sum of rates by number of items) are two functions of the same scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agentaudio.evaluation.tally import Counts, Tally

RESAMPLES = 1_000
AT_ONCE = 30_000
"""Items that are drawn at a time, so that memory stays flat."""
LEVEL = 0.95
ROUNDING = 1e-9
"""Relative difference of resamples that are one value but for rounding."""
WILSON_Z = 1.959964
"""The 97.5 % quantile of the normal distribution."""

Interval = tuple[float, float] | tuple[None, None]

Sums = Mapping[str, NDArray[np.float64]]
"""Sums of counts by name, shape (resamples,)."""


@dataclass(frozen=True, slots=True)
class ItemScore:
    """The score of one answer.

    value: how good the answer is, from 0 to 1, for sorting; None when it could not be scored
    counts: what figures are computed from, by name
    shown: the answer in the form in which it was compared
    why: in words, how the score came about
    problem: why there is no score: "broken clip", "unparsed", "failed" or "no judge"
    """

    value: float | None
    counts: Mapping[str, float] = field(default_factory=dict, hash=False)
    shown: str = ""
    why: str = ""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a set of items, such as the word error rate.

    of: from the sums of the counts, one for each resample; NaN where there is nothing to divide by
    per: name of the count without which an item does not take part
    binary: whether it is a share: `of` is in percent, and each unit of `per` counts as 0 or 1. Wilson's interval
        holds then, where no cluster has more than one unit
    lower_is_better: as with error rates
    """

    name: str
    of: Callable[[Sums], NDArray[np.float64]] = field(hash=False)
    per: str
    binary: bool = False
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure with its 95 % interval.

    low, high: None where the items cannot tell: there is only one, or all have the same rate and it is not a share

    group: part of the benchmark; "" for all of it
    items: how many were scored
    """

    name: str
    group: str
    value: float
    low: float | None
    high: float | None
    items: int
    lower_is_better: bool = False

    def holds(self, published: float) -> bool:
        """Whether a published value lies in the interval."""
        return self.low is not None and self.high is not None and self.low <= published <= self.high


def in_words(figure: Figure) -> str:
    """The interval of a figure, such as "1.20 to 1.40"."""
    return "–" if figure.low is None else f"{figure.low:.2f} to {figure.high:.2f}"


def ratio(name: str, above: str, below: str, *, lower_is_better: bool = False, binary: bool = False) -> Measure:
    """100 times the sum of one count by the sum of another."""

    def of(sums: Sums) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return 100.0 * sums[above] / np.where(sums[below] > 0, sums[below], np.nan)

    return Measure(name, of, below, binary, lower_is_better)


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of an item together with where the item belongs."""

    score: ItemScore
    group: str = ""
    cluster: str = ""


def figures(
    scored: Counts | Iterable[Scored], measures: Iterable[Measure], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Figure]:
    """The figures of each group and of all items, in that order; the figure of all items pools them.

    Items of one cluster are resampled together, and so are the answers to one item under several seeds. A measure with
    nothing to divide by, such as the words of references that are all empty, has no figure.

    resamples: 0 leaves the intervals out
    """
    counts = counted(scored)
    named = [group for group in counts.groups if group]
    found = []
    for measure in measures:
        for group in (*named, None):
            figure = _figure(measure, counts, group, np.random.default_rng(seed), resamples)
            if figure is not None:
                found.append(figure)
    return found


def mean_of_groups(
    scored: Counts | Iterable[Scored], measure: Measure, name: str, groups: Sequence[str] = (), *, seed: int = 0
) -> Figure | None:
    """The plain mean of a measure over groups, as the papers average data sets.

    groups: () takes all; None is returned when one of them has no items that were scored, or no figure
    """
    counts = counted(scored)
    values, resamples, items = [], [], 0
    generator = np.random.default_rng(seed)
    for group in groups or [one for one in counts.groups if one]:
        clusters, number = counts.clustered(measure.per, group)
        if not number:
            return None
        items += number
        values.append(_value(measure, clusters))
        if math.isnan(values[-1]):
            return None
        resamples.append(_resampled(measure, clusters, generator, RESAMPLES))
    if not values:
        return None
    low, high = _quantiles(np.mean(resamples, axis=0))
    return Figure(name, "", float(np.mean(values)), low, high, items, measure.lower_is_better)


def counted(scored: Counts | Iterable[Scored]) -> Counts:
    """The counts of scores, in their order."""
    if isinstance(scored, Counts):
        return scored
    tally = Tally()
    for place, one in enumerate(scored):
        tally.add(one.score.counts, place=place, group=one.group, cluster=one.cluster)
    return tally.counts()


def wilson(right: float, number: float) -> Interval:
    """The 95 % interval of a share, in percent; none without items.

    Source: Wilson 1927, "Probable inference", the score interval.
    """
    if number <= 0:
        return None, None
    z2 = WILSON_Z**2
    share = right / number
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = WILSON_Z * math.sqrt(share * (1 - share) / number + z2 / (4 * number**2)) / (1 + z2 / number)
    return 100 * (middle - half), 100 * (middle + half)


def _figure(
    measure: Measure, counts: Counts, group: str | None, generator: np.random.Generator, resamples: int
) -> Figure | None:
    clusters, number = counts.clustered(measure.per, group)
    if not number:
        return None
    value = _value(measure, clusters)
    if math.isnan(value):
        return None
    low, high = _interval(measure, clusters, value, generator, resamples)
    return Figure(measure.name, group or "", value, low, high, number, measure.lower_is_better)


def _interval(
    measure: Measure, clusters: Sums, value: float, generator: np.random.Generator, resamples: int
) -> Interval:
    units = clusters[measure.per]
    size = len(units)
    if size < 2:
        return None, None
    if measure.binary and bool((units <= 1).all()):
        return wilson(value / 100 * float(units.sum()), float(units.sum()))
    found = _quantiles(_resampled(measure, clusters, generator, resamples))
    if measure.binary and resamples and found == (None, None):
        return wilson(value / 100 * size, size)
    return found


def _value(measure: Measure, clusters: Sums) -> float:
    return float(measure.of({name: sums.sum(keepdims=True) for name, sums in clusters.items()})[0])


def _resampled(measure: Measure, clusters: Sums, generator: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """The measure of many sets drawn with replacement. Source: Efron 1979, the percentile bootstrap."""
    size = len(clusters[measure.per])
    sums = {name: np.empty(resamples) for name in clusters}
    rows = max(1, AT_ONCE // size)
    for start in range(0, resamples, rows):
        stop = min(start + rows, resamples)
        drawn = generator.integers(0, size, (stop - start, size))
        for name, column in clusters.items():
            sums[name][start:stop] = column[drawn].sum(axis=1)
    return measure.of(sums)


def _quantiles(values: NDArray[np.float64]) -> Interval:
    known = values[~np.isnan(values)]
    if (
        not len(known) or np.ptp(known) <= ROUNDING * np.abs(known).max()
    ):  # clusters that are all alike are no certainty
        return None, None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)
