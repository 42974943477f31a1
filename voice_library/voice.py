"""`Voice`: a card that says what is known and allowed, and the clip it speaks of."""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agentaudio.errors import AudioError, ConsentError, VoiceError
from agentaudio.sound.audio import Audio

if TYPE_CHECKING:
    from agentaudio.voice_library.library import VoiceLibrary

ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"  # safe as a file name everywhere


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _compose(cls, value: Any) -> Any:
        # One spelling for one text: a name typed with combining accents is found as it is written elsewhere.
        if isinstance(value, str):
            return unicodedata.normalize("NFC", value)
        if isinstance(value, list | tuple):
            return tuple(unicodedata.normalize("NFC", part) if isinstance(part, str) else part for part in value)
        return value


class Consent(_Record):
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


class Source(_Record):
    """How the clip came about: the engine and voice that made it, or where it was recorded."""

    engine: str
    voice: str = ""
    settings: str = ""


class Quality(_Record):
    """What was measured of a clip when it was taken in.

    speech_s: seconds in which someone speaks
    snr_db: speech power over background power, in dB; None without any background to measure
    clipped: share of samples at full scale, 0 to 1
    bandwidth_hz: highest frequency that carries speech
    """

    speech_s: float = Field(ge=0)
    snr_db: float | None
    clipped: float = Field(ge=0, le=1)
    bandwidth_hz: int = Field(ge=0)


class Policy(_Record):
    """What a library permits beyond the cards of its voices. Nothing, unless somebody said so.

    without_licence: voices whose card names no licence may be used
    without_consent: voices whose card holds no consent may be used; one that ended, or that does
        not cover the purpose, is respected all the same
    """

    without_licence: bool = False
    without_consent: bool = False


STRICT = Policy()


class VoiceCard(_Record):
    """What is known of a voice.

    language: BCP-47; licence: SPDX where one exists
    automatic: names of the fields that were made by rule and not by a person
    added: the day it came into the library
    revoked: when it was taken back; such a card is all that is left of its voice
    sha256: of the clip's FLAC file, which is also its address; duration_s: of the clip
    """

    id: str = Field(pattern=ID_PATTERN)
    name: str = Field(min_length=1, max_length=100)
    description: str = Field(max_length=10_000)
    transcript: str = Field(default="", max_length=10_000)
    language: str = Field(default="und", min_length=1, max_length=35)
    tags: tuple[str, ...] = ()
    gender: Literal["female", "male", "neutral"] | None = None
    age: Literal["child", "young", "adult", "old"] | None = None
    style: str | None = None
    accent: str | None = None
    source: Source | None = None
    licence: str | None = None
    consent: Consent | None = None
    automatic: tuple[Literal["description", "tags", "gender"], ...] = ()
    quality: Quality | None = None
    added: date | None = None
    revoked: datetime | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    duration_s: float

    @classmethod
    def checked(cls, what: str, fields: dict[str, Any]) -> VoiceCard:
        """A card of these fields. Raises VoiceError that says `what`, which field, and what is wrong."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(str(step) for step in first["loc"])
            raise VoiceError(f"{what}: {name}: {first['msg']}") from None

    def refusal(self, purpose: str, today: date | None = None, *, policy: Policy = STRICT) -> str | None:
        """Why the card does not permit a purpose; None when it does."""
        if self.revoked is not None:
            return f"it was revoked on {self.revoked:%Y-%m-%d}"
        if not self.licence and not policy.without_licence:
            return "it has no licence"
        if self.consent is None:
            return None if policy.without_consent else "it has no consent"
        if purpose not in self.consent.scope:
            return f"its consent covers {', '.join(self.consent.scope) or 'nothing'}, not {purpose}"
        if self.consent.until is not None and (today or date.today()) > self.consent.until:
            return f"its consent ended on {self.consent.until}"
        return None

    def tombstone(self, when: datetime) -> VoiceCard:
        """The card of a voice that was taken back, without what was measured or guessed from its sound."""
        blank: dict[str, Any] = {"description": "", "tags": (), "gender": None}
        guessed: dict[str, Any] = {name: value for name, value in blank.items() if name in self.automatic}
        return self.model_copy(update={**guessed, "automatic": (), "quality": None, "revoked": when})


@dataclass(frozen=True)
class Voice:
    """A voice of a library: its card, and its clip, read on first use and checked against the card.

    path: the clip's file; library: where the voice is kept, asked again whenever it is to be used
    """

    card: VoiceCard
    path: Path
    library: VoiceLibrary | None = field(default=None, repr=False, compare=False)

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
        if hashlib.sha256(content).hexdigest() != self.card.sha256:
            raise VoiceError(f"voice {self.id!r}: {self.path} changed after it was added; add it again")
        try:
            return Audio.load(content)
        except AudioError as error:
            raise VoiceError(f"voice {self.id!r}: {error}") from None

    @property
    def prompt_path(self) -> Path | None:
        """Where a model may keep the timbre prompt that it makes of this voice; None for nowhere.

        Only the library of the voice knows when the prompt has to go.
        """
        library = self.library
        if library is None or not library.keep_prompts or library.refusal(self.id, "synthesis") is not None:
            return None
        return library.clip_files.prompt_path(self.card.sha256)

    def require(self, purpose: str = "synthesis") -> Voice:
        """This voice, when it may be used for the purpose now. Raises ConsentError that says why not.

        A voice of a library asks there, so that one revoked by another process is refused at once.
        """
        if self.library is not None:
            refusal = self.library.refusal(self.id, purpose)
        else:
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
