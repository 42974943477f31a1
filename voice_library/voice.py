"""`Voice`: a card that says what is known and allowed, and the clip it speaks of."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentaudio.audio import Audio
from agentaudio.errors import AudioError, ConsentError, VoiceError

ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"  # safe as a file name everywhere


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Consent(_Card):
    """Why this voice may be used, for what, and until when.

    basis: `speaker` (the person agreed), `licence` (the recording's licence permits it),
        `synthetic` (made by rule, no person behind it)
    scope: purposes, such as `synthesis`; anything else is refused
    until: last day it holds; None has no end
    evidence: where that can be checked
    """

    basis: Literal["speaker", "licence", "synthetic"]
    holder: str
    scope: tuple[str, ...]
    until: date | None = None
    evidence: str | None = None


class Source(_Card):
    """How the clip came about: the engine and voice that made it, or where it was recorded."""

    engine: str
    voice: str = ""
    settings: str = ""


class VoiceCard(_Card):
    """What is known of a voice. language: BCP-47; licence: SPDX where one exists; duration_s: of the clip."""

    id: str = Field(pattern=ID_PATTERN)
    name: str = Field(min_length=1, max_length=100)
    description: str = Field(max_length=10_000)
    transcript: str = ""
    language: str = "und"
    tags: tuple[str, ...] = ()
    gender: Literal["female", "male", "neutral"] | None = None
    age: Literal["child", "young", "adult", "old"] | None = None
    style: str | None = None
    accent: str | None = None
    source: Source | None = None
    licence: str | None = None
    consent: Consent | None = None
    clip: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    duration_s: float

    def refusal(self, purpose: str, today: date | None = None) -> str | None:
        """Why the card does not permit a purpose; None when it does."""
        if not self.licence:
            return "it has no licence"
        if self.consent is None:
            return "it has no consent"
        if purpose not in self.consent.scope:
            return f"its consent covers {', '.join(self.consent.scope) or 'nothing'}, not {purpose}"
        if self.consent.until is not None and (today or date.today()) > self.consent.until:
            return f"its consent ended on {self.consent.until}"
        return None


@dataclass(frozen=True)
class Voice:
    """A voice of a library: its card, and its clip, read on first use and checked against the card."""

    card: VoiceCard
    path: Path

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def description(self) -> str:
        return self.card.description

    @property
    def transcript(self) -> str:
        """The words of the clip; empty when nobody wrote them down."""
        return self.card.transcript

    @functools.cached_property
    def clip(self) -> Audio:
        """The reference sound.

        Raises VoiceError when the file is missing, broken, or not the one the card was written for.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise VoiceError(f"voice {self.id!r}: cannot read {self.path}: {error.strerror}") from None
        import hashlib

        if hashlib.sha256(content).hexdigest() != self.card.sha256:
            raise VoiceError(f"voice {self.id!r}: {self.path} changed after it was added; add it again")
        try:
            return Audio.load(content)
        except AudioError as error:
            raise VoiceError(f"voice {self.id!r}: {error}") from None

    def require(self, purpose: str = "synthesis") -> Voice:
        """This voice, when its card permits the purpose. Raises ConsentError that says why not."""
        refusal = self.card.refusal(purpose)
        if refusal is not None:
            raise ConsentError(f"voice {self.id!r} may not be used for {purpose}: {refusal}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """The card as plain data, for traces and JSON."""
        return self.card.model_dump(mode="json", exclude_none=True)

    def __repr__(self) -> str:
        return f"Voice({self.id!r}, {self.name!r})"

    def __hash__(self) -> int:
        return hash((self.card.id, self.card.sha256))
