"""Divides the words of a request among several text parameters, so that each word is in one value at most."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.model.embedded.routing.choices import SOURCES, TARGETS
from agentaudio.model.embedded.routing.parameters import Parameter

MOST_COMBINATIONS = 5000
MOST_PARAMETERS = 8
"""Parameters that are compared with each other; further ones stay without a value."""

_BEFORE_SOURCE = frozenset("from since between leaving after".split())
_BEFORE_TARGET = frozenset("to into towards toward until till and before".split())
_ARTICLES = frozenset("the a an my our your".split())


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a request that may be a value: `words[start:end]`.

    score: how well they fit, above 0
    """

    start: int
    end: int
    value: Any
    score: float


def divide(
    words: Sequence[str], wanted: Sequence[tuple[Parameter, Sequence[Span]]], taken: Sequence[bool]
) -> dict[str, Span]:
    """The spans by parameter name that fit best together, without a word in two of them.

    The word before a span decides between a start and an end ("from oslo", "to rome"); otherwise the values are in
    the order of the parameters.

    taken: the words that other parameters have, such as a clock time
    """
    wanted = [(parameter, spans) for parameter, spans in wanted if spans][:MOST_PARAMETERS]
    if len(wanted) == 1:
        parameter, spans = wanted[0]
        return {parameter.name: max(spans, key=lambda span: span.score)}
    if not wanted:
        return {}
    with_roles = any(role(parameter) for parameter, _ in wanted)
    most = max(1, int(MOST_COMBINATIONS ** (1 / len(wanted))) - 1)
    options: list[list[tuple[Span, float] | None]] = []
    for parameter, spans in wanted:
        scored = [(span, span.score + _fit(words, parameter, span, taken, with_roles)) for span in spans]
        options.append([*sorted(scored, key=lambda item: -item[1])[:most], None])
    best: dict[str, Span] = {}
    best_score = 0.0
    for combination in itertools.product(*options):
        chosen = [item for item in combination if item is not None]
        places = [(span.start, span.end) for span, _ in chosen]
        if any(a < d and c < b for (a, b), (c, d) in itertools.combinations(places, 2)):
            continue
        disorder = sum(first > second for first, second in itertools.combinations(places, 2))
        score = sum(score for _, score in chosen) - 0.1 * disorder
        if score > best_score + 1e-9:
            best_score = score
            best = {p.name: item[0] for (p, _), item in zip(wanted, combination, strict=True) if item is not None}
    return best


def role(parameter: Parameter) -> int:
    """-1 for a start (`from_city`, `origin`), 1 for an end (`to_city`, `destination`), 0 for neither."""
    name = set(re.split(r"[\W_]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", parameter.name).lower()))
    return bool(name & TARGETS) - bool(name & SOURCES)


def role_at(words: Sequence[str], start: int) -> int:
    """The role of what begins at `words[start]`, by the word before it."""
    before = start - 1
    while before >= 0 and words[before] in _ARTICLES:
        before -= 1
    word = words[before] if before >= 0 else ""
    return (word in _BEFORE_TARGET) - (word in _BEFORE_SOURCE)


def are_a_pair(wanted: Sequence[Parameter]) -> bool:
    """Whether two of them take values of one type: a start and an end, two places, or `name_1` and `name_2`."""
    kinds = []
    for parameter in wanted:
        bare = re.sub(r"[\W\d_]+", " ", parameter.name.lower()).split()
        kinds.append(" ".join(word for word in bare if word not in SOURCES | TARGETS | {"a", "b", "first", "second"}))
    roles = {role(parameter) for parameter in wanted}
    places = sum(parameter.names_place for parameter in wanted)
    return {-1, 1} <= roles or places > 1 or len(set(kinds)) < len(kinds)


def _fit(words: Sequence[str], parameter: Parameter, span: Span, taken: Sequence[bool], with_roles: bool) -> float:
    wanted, found = role(parameter), role_at(words, span.start)
    if wanted and found:
        return 1.5 if wanted == found else -4.0
    if not wanted and not found:
        return 0.0
    inside = span.start > 0 and words[span.start - 1] == "in"
    before = span.start - 1 - inside
    score = -0.5 * with_roles
    if wanted == -1 and before >= 0 and taken[before]:
        score += 0.6  # "sixteen thirty in new york": the time is one of that place
    elif wanted == 1 and inside:
        score += 0.3
    return score
