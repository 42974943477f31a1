"""`PreparedVoice`: a clip and its card, checked and embedded, ready to be stored in a library."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import SpeakerEncoder
from agentaudio.voice_library.voice import VoiceCard

MIN_CLIP_S, MAX_CLIP_S = 1.0, 30.0

Embedding = NDArray[np.float32]


@dataclass(frozen=True)
class PreparedVoice:
    """What `VoiceLibrary.store` takes.

    content: the clip as FLAC
    vector: (dim,) float32, its speaker embedding; None without an encoder
    origin: SHA-256 of the file that the clip was cut from; None when it was not cut from a file
    """

    card: VoiceCard
    content: bytes
    vector: Embedding | None = None
    origin: str | None = None

    @classmethod
    def of(
        cls,
        clip: Audio,
        *,
        encoder: SpeakerEncoder | None = None,
        vector: Embedding | None = None,
        origin: str | None = None,
        **fields: Any,
    ) -> Self:
        """Check, compress and embed a clip. This is the slow part of adding a voice; it writes nothing.

        clip: 1 to 30 s
        encoder: makes the embedding where `vector` is None; None stores no embedding
        fields: of VoiceCard

        Raises VoiceError for a clip that is silent, too short or too long, for invalid fields, and
        when the encoder finds too little speech.
        """
        id = str(fields.get("id"))
        if clip.is_silent:
            raise VoiceError(f"the clip for {id!r} is silent; give {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s of speech")
        if not MIN_CLIP_S <= clip.duration <= MAX_CLIP_S:
            raise VoiceError(
                f"the clip for {id!r} lasts {clip.duration:.1f} s; give {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s of speech"
            )
        content = clip.to_bytes("flac")
        given = {"added": date.today(), **fields}
        measured = {"sha256": hashlib.sha256(content).hexdigest(), "duration_s": round(clip.duration, 3)}
        card = VoiceCard.checked(f"the card of {id!r}", given | measured)
        if vector is None and encoder is not None:
            vector = encoder.encode(clip)
        return cls(card, content, vector, origin)
