"""`ClipVoice`: a reference voice that is given as a clip, outside any voice library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentaudio.sound.audio import Audio


class Unrestricted:
    """The permit of a voice whose use the caller answers for; nothing is kept on disk."""

    def refusal(self) -> str | None:
        return None

    def state_path(self, model: str, version: str, suffix: str) -> Path | None:
        return None


@dataclass(frozen=True, slots=True)
class ClipVoice:
    """A clip to speak in the voice of. It has no card: its caller is responsible for the speaker's consent.

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
