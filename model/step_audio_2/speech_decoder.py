"""`SpeechDecoder`: speech tokens to sound in any voice, and any voice to any other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.step_audio_2.hub import located
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.prompt_cache import PromptCache
from agentaudio.model.step_audio_2.token2wav.prompt_maker import PromptMaker
from agentaudio.model.step_audio_2.token2wav.revoicing import Revoicer, revoice
from agentaudio.model.step_audio_2.token2wav.stream import SpeechStream
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt
from agentaudio.sound.audio import Audio

FILES = ("flow.yaml", "flow.pt", "hift.pt", "campplus.onnx", "speech_tokenizer_v2_25hz.onnx")


@dataclass(frozen=True, slots=True)
class OwnVoice:
    """The voice of a model that was not given another."""

    clip: Audio
    transcript: str = ""
    id: str = "step-audio-2"


def shipped_voice() -> OwnVoice:
    """A plain American woman, synthetic: see assets/NOTICE."""
    clip = Audio.load(files("agentaudio.model.step_audio_2").joinpath("assets/own_voice.flac").read_bytes())
    words = "Hello, it is good to hear you. Ask me anything you like, and I will look it up and tell you what I found, "
    return OwnVoice(clip, words + "in a few plain words.")


class SpeechDecoder:
    """Token2Wav, the speech tokenizer and the timbre prompts of voices. Weights load on first use.

    folder: the `token2wav` folder of a checkpoint
    device, dtype, steps: see Token2Wav.load; compiled: its `compile`
    own_voice: where none is asked for; None is a plain synthetic one

    Any number of threads may use one object.
    Raises BackendError when one of the folder's files is missing.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        device: str | None = None,
        dtype: str | None = None,
        steps: int = 10,
        compiled: bool = False,
        own_voice: ReferenceVoice | None = None,
    ) -> None:
        self._folder = Path(folder)
        missing = [name for name in FILES if not (self._folder / name).is_file()]
        if missing:
            raise BackendError(f"{self._folder / missing[0]} is missing; download the checkpoint's token2wav again")
        self._own_voice = shipped_voice() if own_voice is None else own_voice
        self._load: Callable[[], Token2Wav] = lambda: Token2Wav.load(
            self._folder, device=device, dtype=dtype, steps=steps, compile=compiled
        )
        self._loading = threading.Lock()
        self._maker = PromptMaker.load(self._folder, gpu=device is None or device.startswith("cuda"))
        self._prompts = PromptCache(
            self._maker, lambda voice: getattr(voice, "prompt_path", None), dropped=self._forget
        )

    @classmethod
    def load(cls, checkpoint: str | os.PathLike[str], **options: Any) -> Self:
        """Of a checkpoint folder, or of one of the authors' on the hub, of which only this part is downloaded.

        options: as above
        """
        return cls(located(checkpoint, only="token2wav/*") / "token2wav", **options)

    @cached_property
    def _loaded(self) -> Token2Wav:
        return self._load()

    sample_rate_hz = SAMPLE_RATE
    """Of all sound that it makes."""

    @property
    def token2wav(self) -> Token2Wav:
        """The decoder proper. Raises what Token2Wav.load raises."""
        with self._loading:
            return self._loaded

    def prompt(self, voice: ReferenceVoice | None = None) -> TimbrePrompt:
        """What the decoder needs to speak in a voice; None is the own voice.

        It is made once, and kept where the voice says with a `prompt_path`, as those of a library do.

        Raises VoiceError for a clip without enough speech.
        """
        return self._prompts.get(self._own_voice if voice is None else voice)

    def _forget(self, prompt: TimbrePrompt) -> None:
        if "_loaded" in self.__dict__:  # or there is nothing to forget
            self._loaded.forget(prompt)

    def tokenize(self, audio: Audio) -> NDArray[np.int32]:
        """Speech tokens of a sound of any length: (n,) int32, 0 to 6560, 25 a second."""
        return self._maker.tokenizer.tokenize(audio)

    def synthesize(self, tokens: ArrayLike, voice: ReferenceVoice | None = None, *, seed: int = 0) -> Audio:
        """Speak tokens in a voice: 24 kHz, 960 samples for each; see Token2Wav.synthesize."""
        return self.token2wav.synthesize(tokens, self.prompt(voice), seed=seed)

    def stream(self, voice: ReferenceVoice | None = None, *, seed: int = 0) -> SpeechStream:
        """Begin to speak tokens that are still to come."""
        return self.token2wav.stream(self.prompt(voice), seed=seed)

    def revoice(self, audio: Audio, voice: ReferenceVoice, *, seed: int = 0) -> Audio:
        """The same words in another voice: 24 kHz; see `token2wav.revoicing`."""
        return revoice(self.token2wav, self._maker.tokenizer, audio, self.prompt(voice), seed=seed)

    def revoicer(self, voice: ReferenceVoice, *, seed: int = 0) -> Revoicer:
        """Begin to revoice sound that is still to come."""
        return Revoicer(self.token2wav, self._maker.tokenizer, self.prompt(voice), seed=seed)
