"""`Presets`: the named voices of a service, and which of them is nearest to a reference voice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.errors import OptionError
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.voice_states import VoiceStates
from agentaudio.sound.audio import Audio
from agentaudio.sound.formats import sound_files
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

LONGEST_SAMPLE_S = 60.0


@dataclass(frozen=True, slots=True)
class PresetVoice:
    """A voice of a service, by name. similarity: cosine of its sample to the reference; None without a reference"""

    name: str
    similarity: float | None = None
    nbytes: int = 0


class Presets:
    """The preset voices of a service, known by a sample of each.

    samples: a few seconds of speech by name, in any words
    names: of the presets

    The nearest preset of a clip is kept in memory. Thread-safe.
    Raises OptionError without samples.
    """

    model = "presets"
    version = "1"

    def __init__(self, samples: Mapping[str, Audio]) -> None:
        if not samples:
            raise OptionError("no samples of preset voices were found; record a few seconds of each as NAME.wav")
        self._encoder = EmbeddedSpeakerEncoder()
        self.names = tuple(samples)
        self._samples = tuple(samples.values())
        self._embeddings: np.ndarray[Any, np.dtype[np.float32]] | None = None
        self._nearest: VoiceStates[PresetVoice] = VoiceStates(self)

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> Presets:
        """The sound files of a folder, each named after its preset. Raises OptionError when there are none."""
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise OptionError(f"there is no folder {path} with samples of preset voices")
        found = sound_files(path.iterdir())
        return cls({file.stem: Audio.load(file, max_duration_s=LONGEST_SAMPLE_S) for file in found})

    async def nearest(self, voice: ReferenceVoice) -> PresetVoice:
        """The preset that sounds most like a voice.

        Raises ConsentError when the voice may not be used, AudioError for a clip without speech.
        """
        return await asyncio.to_thread(self._nearest.get, voice)

    def make(self, voice: ReferenceVoice) -> PresetVoice:
        """The nearest preset of a clip; see StateMaker."""
        if self._embeddings is None:
            self._embeddings = np.stack([self._encoder.encode(sample) for sample in self._samples])
        cosines = self._embeddings @ self._encoder.encode(voice.clip)
        best = int(np.argmax(cosines))
        return PresetVoice(self.names[best], float(cosines[best]))
