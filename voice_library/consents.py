"""`Consents`: recordings in which people agree that their voices are used.

FOLDER/consents/ID.json    who may use the recording, and what was heard in it
FOLDER/consents/ID.flac    the recording
"""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentaudio.errors import VoiceError, VoiceNotFound
from agentaudio.files import write_atomically
from agentaudio.sound.audio import Audio

CONSENT_DELETED = "the consent was deleted; record it again"
_ID = re.compile(r"cons_[0-9a-f]{24}")


class SpokenConsent(BaseModel):
    """A recording that was heard to say the sentence of its language.

    name: label that its owner gave it
    language: BCP-47
    owner: who may use it; None for everybody
    transcript: what a recogniser heard
    sha256: of the FLAC file
    made: when it was stored, UTC
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=_ID.pattern)
    name: str = Field(min_length=1, max_length=100)
    language: str = Field(min_length=2, max_length=35)
    owner: str | None = None
    transcript: str = Field(max_length=1_000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    made: datetime


class Consents:
    """The recordings of a library. Thread-safe: each change is one file that is replaced.

    folder: of the library
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "consents"

    def add(self, sound: Audio, *, name: str, language: str, transcript: str, owner: str | None) -> SpokenConsent:
        """Store a recording durably. Raises VoiceError for a name that is too long, or when it cannot be written."""
        content = sound.to_bytes("flac")
        try:
            consent = SpokenConsent(
                id=f"cons_{secrets.token_hex(12)}", name=name, language=language, owner=owner,
                transcript=transcript[:1_000], sha256=hashlib.sha256(content).hexdigest(),
                made=datetime.now(UTC),
            )  # fmt: skip
        except ValidationError as error:
            first = error.errors()[0]
            raise VoiceError(f"the consent's {first['loc'][0]}: {first['msg']}") from None
        # The card is written last: a recording without one is never found.
        write_atomically(self._sound(consent.id), content, error=VoiceError, durable=True)
        self._write(consent)
        return consent

    def all(self) -> list[SpokenConsent]:
        """Every recording, oldest first."""
        found = []
        for file in self._folder.glob("cons_*.json"):
            with suppress(VoiceNotFound):
                found.append(self.get(file.stem))
        return sorted(found, key=lambda consent: (consent.made, consent.id))

    def get(self, id: str) -> SpokenConsent:
        """The recording with this id. Raises VoiceNotFound."""
        if _ID.fullmatch(id):
            with suppress(OSError, ValidationError):
                return SpokenConsent.model_validate_json(self._card(id).read_bytes())
        raise VoiceNotFound(f"no consent {id!r:.100}; record one first")

    def made(self, id: str) -> datetime | None:
        """When a recording was stored, UTC; None when there is none, or it was deleted."""
        with suppress(VoiceNotFound):
            return self.get(id).made
        return None

    def sound(self, id: str) -> bytes | None:
        """The FLAC file of a recording; None when there is none."""
        if not _ID.fullmatch(id):
            return None
        with suppress(FileNotFoundError):
            return self._sound(id).read_bytes()
        return None

    def rename(self, id: str, name: str) -> SpokenConsent:
        """Give a recording another name. Raises VoiceNotFound, and VoiceError when it cannot be written."""
        renamed = self.get(id).model_copy(update={"name": name})
        self._write(renamed)
        return renamed

    def discard(self, id: str) -> None:
        """Delete a recording; unknown ids are ignored. Raises OSError when that is not possible."""
        if _ID.fullmatch(id):
            self._card(id).unlink(missing_ok=True)
            self._sound(id).unlink(missing_ok=True)

    def _write(self, consent: SpokenConsent) -> None:
        content = consent.model_dump_json(indent=1).encode()
        write_atomically(self._card(consent.id), content, error=VoiceError, durable=True)

    def _card(self, id: str) -> Path:
        return self._folder / f"{id}.json"

    def _sound(self, id: str) -> Path:
        return self._folder / f"{id}.flac"
