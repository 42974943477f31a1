"""`Provenance`: whether spoken sound is marked and files are signed. `Origin`: how a certain sound was made."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agentaudio import __version__
from agentaudio.errors import AudioError, OptionError
from agentaudio.files import write_atomically
from agentaudio.model.speech_lm import Imitation, ReferenceVoice, SpeechMade
from agentaudio.provenance.credentials import Credentials
from agentaudio.provenance.signing import SIGNABLE, Signer, check_signable
from agentaudio.provenance.watermark import Watermark, checked_watermark, embedded, load_watermark
from agentaudio.sound.audio import Audio
from agentaudio.sound.formats import check_writable
from agentaudio.voice_library.voice import Voice

if TYPE_CHECKING:
    from agentaudio.provenance.claims import Claims

SIGN_VARIABLE, WATERMARK_VARIABLE = "AGENTAUDIO_SIGN", "AGENTAUDIO_WATERMARK"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Whether the sound that an agent speaks is marked, and the files that are made of it are signed.

    sign: "local" signs with a certificate of this installation, which nobody else certifies and which is made on first
        use; a folder with certificate.pem and key.pem signs with those; None does not sign
    watermark: NAME or NAME:ARGUMENT of an installed watermark, or a Watermark; None leaves the sound as it is
    name_persons: state in signed files the name of a person who lent the voice; the id of the consent is always stated
    """

    sign: str | os.PathLike[str] | None = None
    watermark: str | Watermark | None = None
    name_persons: bool = False

    @classmethod
    def from_environment(cls) -> Provenance:
        """As the environment variables AGENTAUDIO_SIGN ("local" or a folder) and AGENTAUDIO_WATERMARK say."""
        return _of_environment(os.environ.get(SIGN_VARIABLE) or None, os.environ.get(WATERMARK_VARIABLE) or None)

    def load(self) -> Self:
        """Load certificate and watermark now instead of on first use; blocks.

        Raises OptionError when one of them is missing or cannot be used, MissingExtra without the extra `provenance`.
        """
        _ = self.signer, self.mark
        return self

    @property
    def signs(self) -> bool:
        """Whether files are signed, where their format has a place for it."""
        return self.sign is not None

    def signs_as(self, format: str) -> bool:
        """Whether files of this format are signed."""
        return self.signs and format.lower().lstrip(".") in SIGNABLE

    def check_signs(self, format: str) -> None:
        """Raises AudioError when files of a format would be signed and have no place for it."""
        if self.signs:
            check_signable(format)

    def __deepcopy__(self, memo: object) -> Self:
        return self  # immutable

    def __getstate__(self) -> dict[str, Any]:
        """Without what was loaded: a pickled reply loads it again."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @functools.cached_property
    def signer(self) -> Signer | None:
        if self.sign is None:
            return None
        return Signer(Credentials.local() if self.sign == "local" else Credentials.load(Path(self.sign)))

    @functools.cached_property
    def mark(self) -> Watermark | None:
        if self.watermark is None:
            return None
        return load_watermark(self.watermark) if isinstance(self.watermark, str) else checked_watermark(self.watermark)


@functools.lru_cache(4)
def _of_environment(sign: str | None, watermark: str | None) -> Provenance:
    return Provenance(sign=sign, watermark=watermark)


@dataclass(frozen=True)
class Origin:
    """How a sound was made, and what it carries when it leaves: spoken sound passes `mark`, and files of it `file`.

    model, speech: name of the speech model, and how it makes speech
    voices: that are heard, in order; None is the model's own
    imitation: how the model speaks in the others
    """

    model: str
    speech: SpeechMade = "trained"
    provenance: Provenance = field(default_factory=Provenance)
    voices: tuple[Voice | None, ...] = ()
    imitation: Imitation | None = None

    def heard(self, *voices: Voice | None) -> Origin:
        """The origin of a sound in these voices."""
        return replace(self, voices=tuple(dict.fromkeys(voices)))

    async def mark(self, sound: Audio, voice: ReferenceVoice | None) -> Audio:
        """The sound with the watermark, if any. Raises BackendError when that fails: it must not leave then."""
        watermark = self.provenance.mark
        if watermark is None:
            return sound
        payload = payload_of(voice, self.model, watermark.payload_bytes)
        return await asyncio.to_thread(embedded, watermark, sound, payload)

    def file(self, content: bytes, format: str) -> bytes:
        """A sound file of what was spoken, signed if files are signed and the format has a place for it. Blocks.

        Raises ConsentError when a voice may not be used any more, and what `Provenance.load` raises.
        """
        signer = self.provenance.signer
        if signer is None or not self.provenance.signs_as(format):
            return content
        return signer.sign(content, format, self.claims())

    def save(self, audio: Audio, path: str | os.PathLike[str]) -> Path:
        """Write a file of what was spoken in one step; its suffix names the format.

        Raises AudioError when the suffix is unknown, when files are signed and it has no place for that, or when the
        place cannot be written; and what `file` raises. An older file stays then.
        """
        path = Path(path)
        check_writable(path.suffix)
        self.provenance.check_signs(path.suffix)
        write_atomically(path, self.file(audio.to_bytes(path.suffix), path.suffix), error=AudioError)
        return path

    def claims(self) -> Claims:
        """What a signed file says. Raises ConsentError when a voice may not be used any more."""
        from agentaudio.provenance.claims import Claims, VoiceClaim, WatermarkClaim, now

        named, watermark = self.provenance.name_persons, self.provenance.mark
        voices = [voice for voice in self.voices if voice is not None]
        mark = None
        if watermark is not None:
            payload = payload_of(voices[0] if voices else None, self.model, watermark.payload_bytes)
            mark = WatermarkClaim(name=watermark.name[:200], payload=payload.hex())
        return Claims(
            agentaudio=__version__, model=self.model[:200], speech=self.speech, spoken=now(),
            voices=tuple(VoiceClaim.of(voice, self.imitation, name_persons=named) for voice in voices[:100]),
            own_voice=None in self.voices or not voices, watermark=mark,
        )  # fmt: skip


def payload_of(voice: ReferenceVoice | None, model: str, size: int) -> bytes:
    """What a watermark holds: a digest of the voice's clip, or of the model's name for its own voice.

    size: in bytes
    """
    if isinstance(voice, Voice):
        what = voice.card.sha256
    else:
        what = f"model {model}" if voice is None else f"voice {voice.id}"
    return hashlib.shake_256(what.encode()).digest(size)


def checked_provenance(given: Provenance | None) -> Provenance:
    """The given one, or that of the environment, loaded. Raises what `Provenance.load` raises, and OptionError."""
    if given is not None and not isinstance(given, Provenance):
        raise OptionError(f"provenance is {type(given).__name__}; give a Provenance")
    return (given or Provenance.from_environment()).load()
