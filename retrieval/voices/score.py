"""The probability that a voice fits a request in words, and the threshold to accept it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentaudio.retrieval.voices.query import Wish, card_terms, trait_term
from agentaudio.voice_library.voice import VoiceCard


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a logistic function: the probability that a voice fits a wish.

    place, age, gender: the wish names one (the voice has it, or it would not be scored)
    found: per manner or other word of the wish that the card has, at most 2
    missed: per manner of the wish that the card lacks, at most 3
    whole: the card has everything that the wish names
    meaning: multiplied by the cosine of the texts
    """

    place: float
    age: float
    gender: float
    found: float
    missed: float
    whole: float
    meaning: float
    bias: float


# Fitted by benchmarks/voice_calibration.py on benchmarks/voice_questions/dev.jsonl, and so is LEAST_TEXT_SCORE, the
# threshold between voices that fit and voices that do not.
WITH_MEANING = Weights(place=2.0, age=2.1, gender=1.2, found=2.8, missed=-1.2, whole=0.6, meaning=5.3, bias=-3.8)
WORDS_ALONE = Weights(place=3.4, age=2.8, gender=1.7, found=3.4, missed=-1.3, whole=1.1, meaning=0.0, bias=-3.6)
LEAST_TEXT_SCORE = 0.3
ATTRIBUTES_ALONE = 0.95
"""Score of every voice that has the attributes of a wish that names nothing else; the first in the library wins."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a card meets a wish: attributes met, manners and words found, manners missed, other words missing."""

    met: list[str]
    found: list[str]
    missed: list[str]
    unknown: list[str]


def weigh(card: VoiceCard, wish: Wish) -> Evidence:
    """Compare a card with a wish whose attributes it may have."""
    known = set(card_terms(card))
    met = [trait for group in wish.attributes for trait in sorted(group) if trait_term(trait) in known]
    manners, rest = sorted(wish.manners), sorted(wish.rest)
    return Evidence(
        sorted(met),
        [m for m in manners if trait_term(m) in known] + [root for root in rest if f"~{root}" in known],
        [m for m in manners if trait_term(m) not in known],
        [root for root in rest if f"~{root}" not in known],
    )


def likelihood(wish: Wish, evidence: Evidence, meaning: float | None) -> float:
    """Probability that the voice fits, 0 to 1. meaning: cosine of the texts; None uses WORDS_ALONE."""
    weights = WORDS_ALONE if meaning is None else WITH_MEANING
    return 1 / (1 + math.exp(-sum(getattr(weights, name) * value for name, value in features(wish, evidence, meaning))))


def features(wish: Wish, evidence: Evidence, meaning: float | None) -> list[tuple[str, float]]:
    """(name in `Weights`, value) of each feature."""
    whole = bool(evidence.met or evidence.found) and not evidence.missed and not evidence.unknown
    return [
        ("place", float(bool(wish.places))), ("age", float(bool(wish.ages))), ("gender", float(bool(wish.genders))),
        ("found", float(min(2, len(evidence.found)))), ("missed", float(min(3, len(evidence.missed)))),
        ("whole", float(whole)), ("meaning", max(0.0, meaning or 0.0)), ("bias", 1.0),
    ]  # fmt: skip
