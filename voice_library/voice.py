"""`Voice`: a reference clip, and the card that describes it and says what it may be used for."""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agentaudio.errors import AudioError, ConsentError, VoiceError
from agentaudio.sound.audio import Audio

ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"  # a valid file name on every system


Defect = Literal[
    "clipping", "music", "noise", "reverberation", "no-pause", "two-channels", "two-speakers", "little-speech"
]
"""What makes a clip a bad reference for a voice."""
DEFECTS: tuple[Defect, ...] = get_args(Defect)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _compose(cls, value: Any) -> Any:
        # NFC: a name typed with combining accents equals the same name typed with composed characters.
        if isinstance(value, str):
            return unicodedata.normalize("NFC", value)
        if isinstance(value, list | tuple):
            return tuple(unicodedata.normalize("NFC", part) if isinstance(part, str) else part for part in value)
        return value


class ConsentRecording(_Record):
    """The person's own words, spoken and kept, by which a voice is lent.

    id: of the recording in `Consents`, which keeps it
    sha256: of its FLAC file
    transcript: the words that a recogniser heard in it
    language: BCP-47
    same_speaker: cosine of its speaker embedding with that of the voice's clip
    """

    id: str = Field(max_length=100)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    transcript: str = Field(max_length=1_000)
    language: str = Field(max_length=35)
    same_speaker: float = Field(ge=-1, le=1)


class Consent(_Record):
    """Why a voice may be used, for which purposes, and until when.

    basis: `speaker` (the person agreed), `licence` (the recording's licence permits it),
        `synthetic` (the voice was synthesised; it is not a person's)
    holder: who gave the consent
    scope: the purposes it covers, such as `synthesis`; every other purpose is refused
    until: the last day on which it is valid, local date; None means that it does not end
    evidence: where the consent can be checked
    recording: of the person who gave it, for a voice that was lent by a spoken sentence
    """

    basis: Literal["speaker", "licence", "synthetic"]
    holder: str
    scope: tuple[str, ...]
    until: date | None = None
    evidence: str | None = None
    recording: ConsentRecording | None = None


class Source(_Record):
    """Where the clip comes from: the engine and voice that synthesised it, or where it was recorded."""

    engine: str
    voice: str = ""
    settings: str = ""


class Quality(_Record):
    """Measurements of a clip, made when it was ingested.

    speech_s: seconds of speech
    snr_db: speech power over background power, in dB; None when there is no background to measure
    clipped: share of samples at full scale, 0 to 1
    bandwidth_hz: highest frequency with speech energy
    defects: names of what makes it a bad reference
    """

    speech_s: float = Field(ge=0)
    snr_db: float | None
    clipped: float = Field(ge=0, le=1)
    bandwidth_hz: int = Field(ge=0)
    defects: tuple[Defect, ...] = ()


class Policy(_Record):
    """Which missing entries of a card a library tolerates, by default none, and which clips it refuses to take.

    without_licence: a voice may be used although its card has no licence
    without_consent: a voice may be used although its card has no consent; a consent that ended, or
        does not cover the purpose, still refuses
    refused_defects: an ingest refuses clips with one of these defects; other clips are flagged
    """

    without_licence: bool = False
    without_consent: bool = False
    refused_defects: tuple[Defect, ...] = ()


STRICT = Policy()


class VoiceCard(_Record):
    """The description of a voice.

    transcript: the words of the clip; empty when unknown
    language: BCP-47; licence: an SPDX identifier where one exists
    automatic: names of the fields that were derived by rule, not written by a person
    added: the day the voice was added to the library
    owner: of a private voice, which nobody else finds or may use; None for a voice that is shared
    revoked: when the voice was revoked, UTC; a revoked voice has no clip any more, only this card
    sha256: of the clip's FLAC file, which is stored under this hash
    duration_s: of the clip, in seconds
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
    owner: str | None = Field(default=None, max_length=100)
    revoked: datetime | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    duration_s: float

    @classmethod
    def checked(cls, what: str, fields: dict[str, Any]) -> VoiceCard:
        """A card with these fields. Raises VoiceError naming `what`, the first invalid field and the reason."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(step) for step in first["loc"])
            raise VoiceError(f"{what}: {name}: {first['msg']}") from None

    def refusal(self, purpose: str, today: date | None = None, *, policy: Policy = STRICT) -> str | None:
        """Why the voice may not be used for `purpose`; None when it may.

        today: the date that the end of the consent is compared with; None is the current local date
        policy: of the library that the voice belongs to
        """
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
        """The card that is kept after revocation: without anything that was derived from the sound."""
        blank: dict[str, Any] = {"description": "", "tags": (), "gender": None}
        derived: dict[str, Any] = {name: value for name, value in blank.items() if name in self.automatic}
        return self.model_copy(update={**derived, "automatic": (), "quality": None, "revoked": when})


class VoiceHome(Protocol):
    """What a `Voice` asks of the library that keeps it."""

    def refusal(self, id: str, purpose: str) -> str | None:
        """Why the voice may not be used for `purpose` now; None when it may."""

    def state_path(self, sha256: str, model: str, version: str, suffix: str) -> Path | None:
        """The file for what (model, version) makes of the clip `sha256`; None when nothing may be kept."""


@dataclass(frozen=True)
class Permit:
    """Permission to speak in a voice, checked at each call. It does not hold the clip.

    home: the library that is asked; None decides by the card alone
    """

    card: VoiceCard
    home: VoiceHome | None = None

    def refusal(self, purpose: str = "synthesis") -> str | None:
        """Why the voice may not be used now; None when it may. Raises VoiceError for an unreadable library."""
        if self.home is not None:
            return self.home.refusal(self.card.id, purpose)
        return self.card.refusal(purpose)

    def state_path(self, model: str, version: str, suffix: str) -> Path | None:
        """The file for what (model, version) makes of the clip; None when it may not be kept on disk."""
        if self.home is None or self.refusal() is not None:
            return None
        return self.home.state_path(self.card.sha256, model, version, suffix)


@dataclass(frozen=True)
class Voice:
    """A voice: its card, and its clip, which is read on first use and checked against the card's hash.

    path: the clip's file; with `content`, the name that such a file would have
    home: the library of the voice, which is checked before each use; None for a voice outside a library
    content: the clip's file, when it is held in memory only
    """

    card: VoiceCard
    path: Path
    home: VoiceHome | None = field(default=None, compare=False)
    content: bytes | None = field(default=None, compare=False)

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
        """The words of the clip; empty when unknown."""
        return self.card.transcript

    @functools.cached_property
    def clip(self) -> Audio:
        """The reference recording.

        Raises VoiceError when the file is missing, cannot be decoded, or has another hash than the card.
        """
        try:
            content = self.path.read_bytes() if self.content is None else self.content
        except OSError as error:
            raise VoiceError(f"voice {self.id!r}: cannot read {self.path}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != self.card.sha256:
            raise VoiceError(f"voice {self.id!r}: {self.path} changed after it was added; add it again")
        try:
            return Audio.load(content)
        except AudioError as error:
            raise VoiceError(f"voice {self.id!r}: {error}") from None

    @property
    def permit(self) -> Permit:
        """Whether the voice may be used, and where a model may keep what it makes of the clip."""
        return Permit(self.card, self.home)

    def require(self, purpose: str = "synthesis") -> Voice:
        """This voice, if it may be used for `purpose` now. Raises ConsentError with the reason otherwise.

        A voice of a library asks the library, so a revocation by another process takes effect at once.
        """
        refusal = self.permit.refusal(purpose)
        if refusal is not None:
            raise ConsentError(f"voice {self.id!r} may not be used for {purpose}: {refusal}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """The card as plain data, for traces and JSON; without its owner."""
        return self.card.model_dump(mode="json", exclude_none=True, exclude={"owner"})

    def __repr__(self) -> str:
        return f"Voice({self.id!r}, {self.name!r})"

    def __hash__(self) -> int:
        return hash((self.card.id, self.card.sha256))
