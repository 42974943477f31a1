"""What the tools answer, as data: the output schemas are made of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field

from agentaudio.retrieval.voices.search import VoiceMatch
from agentaudio.voice_library.voice import Consent, Voice


class Lent(BaseModel):
    """Why a voice may be used. until: the last day on which it may be, as YYYY-MM-DD; None without an end"""

    basis: str
    scope: tuple[str, ...]
    until: str | None = None

    @classmethod
    def of(cls, consent: Consent) -> Self:
        until = None if consent.until is None else consent.until.isoformat()
        return cls(basis=consent.basis, scope=consent.scope, until=until)


class Card(BaseModel):
    """What is known about a voice. duration_s: of its reference clip"""

    id: str
    name: str
    description: str
    language: str
    gender: str | None = None
    age: str | None = None
    style: str | None = None
    accent: str | None = None
    tags: tuple[str, ...] = ()
    duration_s: float
    transcript: str = ""
    licence: str | None = None
    consent: Lent | None = None

    @classmethod
    def of(cls, voice: Voice) -> Self:
        card, consent = voice.card, voice.card.consent
        facts = card.model_dump(include=cls.model_fields.keys() - {"consent"})
        return cls(**facts, consent=None if consent is None else Lent.of(consent))


class Match(BaseModel):
    """A voice that was found.

    score: 0 to 1
    signals: parts of the score, such as `words`, `meaning` and `speaker`
    reason: why it was found, for people
    reference: which of the answer's sounds is its reference clip, from 0; None when none was asked for
    """

    voice: Card
    score: float = Field(ge=0, le=1)
    signals: Mapping[str, float]
    reason: str
    reference: int | None = None

    @classmethod
    def of(cls, match: VoiceMatch, reference: int | None) -> Self:
        return cls(
            voice=Card.of(match.voice), score=round(min(1.0, max(0.0, match.score)), 4), signals=match.signals,
            reason=match.reason, reference=reference,
        )  # fmt: skip


class Matches(BaseModel):
    """The voices that fit, best first; empty when none does."""

    matches: list[Match]


class Speech(BaseModel):
    """What was spoken; the sound itself is the answer's audio content.

    voice: None is the model's own
    imitation: how near to the voice it is: cloned, moved towards it, in the nearest preset, or converted
    signed: whether the file says whose voice it uses, under which consent
    """

    voice: Card | None
    imitation: str | None
    format: str
    duration_s: float
    sample_rate_hz: int
    signed: bool


class Transcript(BaseModel):
    """The words of a sound. language: BCP-47; None when unknown"""

    text: str
    language: str | None
    duration_s: float
