"""The default voice of the speech decoder, and where what is made of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from agentaudio.model.clip_voice import ClipVoice
from agentaudio.sound.audio import Audio
from agentaudio.weights.store import cache_folder


@dataclass(frozen=True, slots=True)
class Shipped:
    """Permits every use of a clip that ships with agentaudio; its data is kept in the cache folder.

    clip_sha256: of the clip
    """

    clip_sha256: str

    def refusal(self) -> str | None:
        return None

    def state_path(self, model: str, version: str, suffix: str) -> Path | None:
        return cache_folder().parent / "voices" / self.clip_sha256 / f"{model}@{version}{suffix}"


@dataclass(frozen=True, slots=True)
class ShippedVoice(ClipVoice):
    """A voice that ships with agentaudio, with the speaker's consent."""

    @property
    def permit(self) -> Shipped:  # type: ignore[override]
        return Shipped(self.clip.sha256)


def shipped_voice() -> ShippedVoice:
    """The default voice: a synthetic American woman; see assets/NOTICE."""
    clip = Audio.load(files("agentaudio.model.step_audio_2").joinpath("assets/own_voice.flac").read_bytes())
    words = "Hello, it is good to hear you. Ask me anything you like, and I will look it up and tell you what I found, "
    return ShippedVoice(clip, words + "in a few plain words.", id="step-audio-2")
