"""`compare`: figures of several runs side by side, and beside published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentaudio.errors import EvaluationError, did_you_mean
from agentaudio.evaluation.measures import Figure
from agentaudio.evaluation.published import published_models, published_tables
from agentaudio.evaluation.result import Result

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
TOO_FEW = "too few items"

DECIDING = {"data": "data_sha256", "limits": "limit", "judges": "judge", "recognisers": "recogniser"}
"""Settings without which figures cannot be compared."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a benchmark or of a part of it.

    place: benchmark or benchmark/part
    figures: of the runs, by their labels
    published: by model
    source: of the published values
    verdicts: for runs of a published model, whether its value lies in their interval
    """

    place: str
    name: str
    figures: Mapping[str, Figure]
    published: Mapping[str, float]
    source: str = ""
    verdicts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows, the labels of the runs, and what to know before comparing them."""

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]


def compare(results: Sequence[Result], *, published: bool = False, model: str | None = None) -> Comparison:
    """Put the figures of runs side by side.

    published: also give published values of the same figures
    model: published model that the runs stand for; None goes by the name of each run's model

    A value is only called reproduced where it lies in the run's 95 % interval.

    Raises EvaluationError for a model without published figures.
    """
    if model is not None and model not in published_models():
        raise EvaluationError(f"no figures of {model!r} are published; {did_you_mean(model, published_models())}")
    labels = _labels(results)
    places: dict[tuple[str, str, bool], dict[str, Figure]] = {}
    for label, result in zip(labels, results, strict=True):
        for figure in result.figures:
            place = "/".join(part for part in (result.benchmark, figure.group) if part)
            places.setdefault((place, figure.name, figure.name == result.measure), {})[label] = figure
    stands_for = {label: model or _model(result) for label, result in zip(labels, results, strict=True)}
    rows = []
    for (place, name, is_headline), found in places.items():
        known, source = _published(place, name, is_headline) if published else ({}, "")
        verdicts = {
            label: _verdict(figure, known[stands_for[label]])
            for label, figure in found.items()
            if stands_for[label] in known
        }
        rows.append(Row(place, name, found, known, source, verdicts))
    return Comparison(tuple(dict.fromkeys(labels)), tuple(rows), tuple(_warnings(labels, results)))


def _verdict(figure: Figure, value: float) -> str:
    if figure.low is None:
        return TOO_FEW
    return REPRODUCED if figure.holds(value) else NOT_REPRODUCED


def _model(result: Result) -> str:
    return str(result.settings["model"]).partition(" ")[0].partition(":")[0]


def _published(place: str, name: str, is_headline: bool) -> tuple[dict[str, float], str]:
    """Published values of a figure, by model, and their source."""
    for table in published_tables():
        if (table.figure == name or (not table.figure and is_headline)) and (values := table.values(place)):
            return values, table.source
        if values := table.values(f"{place}/{name}"):  # an average over parts
            return values, table.source
    return {}, ""


def _labels(results: Sequence[Result]) -> tuple[str, ...]:
    """The models of the runs, with a number for further runs of one benchmark by one model."""
    labels: list[str] = []
    for number, result in enumerate(results):
        model = str(result.settings["model"])
        same = [one for one in results[:number] if (one.benchmark, one.settings["model"]) == (result.benchmark, model)]
        labels.append(f"{model} #{len(same) + 1}" if same else model)
    return tuple(labels)


def _warnings(labels: Sequence[str], results: Sequence[Result]) -> list[str]:
    found = []
    for benchmark in dict.fromkeys(result.benchmark for result in results):
        runs = [(label, one) for label, one in zip(labels, results, strict=True) if one.benchmark == benchmark]
        for what, key in DECIDING.items():
            values = {label: str(one.settings.get(key) or "none")[:12] for label, one in runs}
            if len(set(values.values())) > 1:
                said = ", ".join(f"{label} {value}" for label, value in values.items())
                found.append(f"{benchmark}: the runs have other {what}, so do not compare their figures: {said}")
        if len({one.scorer for _, one in runs}) > 1:
            found.append(f"{benchmark}: the runs were scored in other ways, so do not compare their figures")
        for label, one in runs:
            if one.differences:
                found.append(
                    f"{benchmark}: {label} was not measured on the published data: {'; '.join(one.differences)}"
                )
            if one.scored < one.items:
                reasons = ", ".join(f"{number} {reason}" for reason, number in one.problems.items())
                missing = f"{one.items - one.scored} of {one.items}"
                found.append(f"{benchmark}: {label} has no score for {missing}: {reasons}")
    return found
