"""`SpeechDecoder`: speech tokens to sound in any voice, and speech of one voice to another."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.step_audio_2.hub import located
from agentaudio.model.step_audio_2.own_voice import shipped_voice
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.prompt_maker import PromptMaker
from agentaudio.model.step_audio_2.token2wav.revoicing import Revoicer, revoice
from agentaudio.model.step_audio_2.token2wav.stream import SpeechStream
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt, TimbrePromptFormat
from agentaudio.model.voice_states import VoiceStates
from agentaudio.sound.audio import Audio

FILES = ("flow.yaml", "flow.pt", "hift.pt", "campplus.onnx", "speech_tokenizer_v2_25hz.onnx")

WARM_UP_TOKENS = 81
"""Chunks of 8, 10, 15, 20 and 25 tokens, and 3 to look ahead at."""


class SpeechDecoder:
    """Token2Wav, the speech tokenizer and the timbre prompts of voices. Thread-safe; weights load on first use.

    It prepares a voice as a Synthesiser (agentaudio.model.parts) does, but speaks tokens, not text.

    folder: the `token2wav` folder of a checkpoint
    device, dtype, steps, rows: see Token2Wav.load; compiled: its `compile`
    own_voice: the default voice; None is `shipped_voice`

    Raises BackendError when one of the folder's files is missing, and OptionError for a device, dtype or number of
    steps that cannot be used.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        device: str | None = None,
        dtype: str | None = None,
        steps: int = 10,
        compiled: bool = False,
        rows: int = 1,
        own_voice: ReferenceVoice | None = None,
    ) -> None:
        Token2Wav.check(device, dtype, steps)
        self._folder = Path(folder)
        missing = [name for name in FILES if not (self._folder / name).is_file()]
        if missing:
            raise BackendError(f"{self._folder / missing[0]} is missing; download the checkpoint's token2wav again")
        self._own_voice = shipped_voice() if own_voice is None else own_voice
        self._load: Callable[[], Token2Wav] = lambda: Token2Wav.load(
            self._folder, device=device, dtype=dtype, steps=steps, compile=compiled, rows=rows
        )
        self._loading = threading.Lock()
        self._maker = PromptMaker.load(self._folder, gpu=device is None or device.startswith("cuda"))
        self._prompts = VoiceStates(self._maker, TimbrePromptFormat(), dropped=self.forget)

    @classmethod
    def load(cls, checkpoint: str | os.PathLike[str], **options: Any) -> Self:
        """Load from a checkpoint folder, or from one of the authors' repositories on the hub.

        Of a repository only `token2wav` is downloaded. options: those of the class
        """
        return cls(located(checkpoint, only="token2wav/*") / "token2wav", **options)

    @cached_property
    def _loaded(self) -> Token2Wav:
        return self._load()

    sample_rate_hz = SAMPLE_RATE
    """Of all its sound."""

    @property
    def token2wav(self) -> Token2Wav:
        """The decoder. Raises what Token2Wav.load raises."""
        with self._loading:
            return self._loaded

    def prepare(self, voice: ReferenceVoice | None = None) -> TimbrePrompt:
        """What the decoder needs to speak in a voice; None is the own voice.

        It is made once for each clip, and kept in memory and where the voice permits it.

        Raises ConsentError when the voice may not be used, VoiceError for a clip without enough speech.
        """
        return self._prompts.get(self._own_voice if voice is None else voice)

    def make_prompt(self, voice: ReferenceVoice) -> TimbrePrompt:
        """What `prepare` makes, without asking whether the voice may be used and without keeping it.

        Raises VoiceError for a clip without enough speech.
        """
        return self._maker.make(voice)

    def warm_up(self) -> None:
        """Load the weights and prepare the own voice; on a GPU, record CUDA graphs, and run a chunk of each length."""
        stream = self.stream()
        if self.token2wav.device.type == "cuda":
            self.token2wav.prepare()
            stream.feed([1] * WARM_UP_TOKENS)

    def close(self) -> None:
        """Does nothing; what makes sound on a service has connections to close."""

    def forget(self, prompt: TimbrePrompt) -> None:
        """Free what streams in this voice have prepared."""
        if "_loaded" in self.__dict__:  # without weights there is no cache of the prompt
            self._loaded.forget(prompt)

    def tokenize(self, audio: Audio) -> NDArray[np.int32]:
        """Speech tokens of a sound of any length: (n,) int32, 0 to 6560, 25 per second."""
        return self._maker.tokenizer.tokenize(audio)

    def synthesize(self, tokens: ArrayLike, voice: ReferenceVoice | None = None, *, seed: int = 0) -> Audio:
        """Speak tokens in a voice: 24 kHz, 960 samples per token; see Token2Wav.synthesize."""
        return self.token2wav.synthesize(tokens, self.prepare(voice), seed=seed)

    def stream(self, voice: ReferenceVoice | None = None, *, seed: int = 0) -> SpeechStream:
        """Begin to speak tokens that are yet to be generated."""
        return self.token2wav.stream(self.prepare(voice), seed=seed)

    def revoice(self, audio: Audio, voice: ReferenceVoice, *, seed: int = 0) -> Audio:
        """The same words in another voice: 24 kHz; see `token2wav.revoicing`."""
        return revoice(self.token2wav, self._maker.tokenizer, audio, self.prepare(voice), seed=seed)

    def revoicer(self, voice: ReferenceVoice, *, seed: int = 0) -> Revoicer:
        """Begin to revoice sound that is yet to arrive."""
        return Revoicer(self.token2wav, self._maker.tokenizer, self.prepare(voice), seed=seed)
