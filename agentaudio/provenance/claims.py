"""`Claims`: what a signed file says about its sound. The same form is written and read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from agentaudio.model.speech_lm import Imitation, SpeechMade
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent, Source, Voice

LABEL = "org.agentaudio.voice"
"""Of the assertion that holds the claims."""

Text = Annotated[str, Field(max_length=200)]

_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class _Claim(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RecordingClaim(_Claim):
    """The recording in which a person lent the voice. made: when it was stored, UTC; None when that is not known"""

    id: Text
    language: Text
    made: datetime | None = None


class ConsentClaim(_Claim):
    """Why the voice may be used.

    holder: who lent it; None where that is a person, unless the signer names persons
    until: last day on which it is valid, YYYY-MM-DD
    """

    basis: Text
    holder: Text | None = None
    scope: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    until: Text | None = None
    evidence: Text | None = None
    recording: RecordingClaim | None = None


class VoiceClaim(_Claim):
    """The card of a voice that is heard. clip_sha256: of its reference clip"""

    id: Text
    name: Text
    source: Text | None = None
    licence: Text | None = None
    clip_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    imitation: Text | None = None
    consent: ConsentClaim | None = None

    @classmethod
    def of(cls, voice: Voice, imitation: Imitation | None, *, name_persons: bool) -> Self:
        """Reads the consent's recording. Raises ConsentError when the voice may not be used now."""
        card = voice.require("synthesis").card
        return cls(
            id=card.id, name=card.name, source=_source(card.source), licence=card.licence, clip_sha256=card.sha256,
            imitation=imitation, consent=_consent(voice, card.consent, name_persons),
        )  # fmt: skip


class WatermarkClaim(_Claim):
    """The mark that is in the sound too. payload: hexadecimal"""

    name: Text
    payload: Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$", max_length=256)]


class Claims(_Claim):
    """What a signed file says.

    agentaudio: version that made it
    model, speech: name of the speech model, and how it makes speech
    spoken: when the file was made, UTC
    voices: the reference voices that are heard, in order; none for the model's own voice
    own_voice: whether the model's own voice is heard, too
    """

    agentaudio: Text
    model: Text
    speech: SpeechMade = "trained"
    spoken: datetime
    voices: Annotated[tuple[VoiceClaim, ...], Field(max_length=100)] = ()
    own_voice: bool = False
    watermark: WatermarkClaim | None = None

    @property
    def source_type(self) -> str:
        """The IRI by which C2PA tells apart what a network made, what rules made, and a recorded voice that was moved.

        Source: IPTC, NewsCodes, Digital Source Type.
        """
        if any(voice.imitation in ("moved", "converted") for voice in self.voices):
            return f"{_SOURCE_TYPE}compositeSynthetic"
        return f"{_SOURCE_TYPE}{'algorithmicMedia' if self.speech == 'rules' else 'trainedAlgorithmicMedia'}"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _source(source: Source | None) -> str | None:
    return None if source is None else " ".join(part for part in (source.engine, source.voice) if part)[:200]


def _consent(voice: Voice, consent: Consent | None, name_persons: bool) -> ConsentClaim | None:
    if consent is None:
        return None
    recording = None
    if consent.recording is not None:
        made = None
        if isinstance(voice.home, VoiceLibrary):
            made = voice.home.consents.made(consent.recording.id)
        recording = RecordingClaim(id=consent.recording.id, language=consent.recording.language, made=made)
    is_person = consent.basis == "speaker"
    return ConsentClaim(
        basis=consent.basis,
        holder=consent.holder[:200] if name_persons or not is_person else None,
        scope=tuple(purpose[:200] for purpose in consent.scope[:20]),
        until=None if consent.until is None else consent.until.isoformat(),
        evidence=None if consent.evidence is None or is_person and not name_persons else consent.evidence[:200],
        recording=recording,
    )
