"""`ClipVoice`: a reference voice made of a clip alone, outside any voice library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentaudio.sound.audio import Audio


class Unrestricted:
    """Permits every use, for which the caller is responsible. Nothing is stored on disk."""

    def refusal(self) -> str | None:
        return None

    def state_path(self, model: str, version: str, suffix: str) -> Path | None:
        return None


@dataclass(frozen=True, slots=True)
class ClipVoice:
    """A voice that is only a clip, without a card. The caller is responsible for the speaker's consent.

    clip: a few seconds of one person speaking
    transcript: the words of the clip; empty when unknown
    id: names the voice in messages
    """

    clip: Audio
    transcript: str = ""
    id: str = "clip"

    @property
    def permit(self) -> Unrestricted:
        return Unrestricted()
