"""`PromptMaker`: from a reference clip to its timbre prompt (speech tokens, speaker embedding, mel)."""

from __future__ import annotations

import hashlib
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import OptionError, VoiceError
from agentaudio.model.reference_clip import LONGEST_S, SHORTEST_S, ready_clip
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.step_audio_2.network.features import SAMPLE_RATE
from agentaudio.model.step_audio_2.network.resample import resample
from agentaudio.model.step_audio_2.token2wav.prompt_features import DECODER_RATE, decoder_mel, fitted
from agentaudio.model.step_audio_2.token2wav.speech_tokenizer import SpeechTokenizer
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import MEL_FRAMES_PER_TOKEN, TimbrePrompt
from agentaudio.sound.audio import Audio
from agentaudio.sound.campplus import CamPlusPlus
from agentaudio.sound.clustering import cosine_of_two_clusters

log = logging.getLogger(__name__)

Float = NDArray[np.float32]

MAKING = 1
"""Increase it whenever the same clip and networks give another prompt, so that kept prompts are made again."""

SPEAKER_WINDOW_S, SPEAKER_STEP_S = 1.5, 0.75
"""Windows in which speakers are compared, as in 3D-Speaker's diarization with CAM++."""


class SpeakerEncoder(Protocol):
    """The speaker encoder of a prompt; see `CamPlusPlus`."""

    same_speaker_above: float

    def encode(self, audio: Audio) -> Float:
        """(192,) float32 of 16 kHz sound."""

    def fingerprint(self) -> str:
        """A hash of its weights."""


class PromptMaker:
    """Makes timbre prompts: the StateMaker of `SpeechDecoder`. Thread-safe.

    tokenizer, speaker_encoder: the two networks of a checkpoint
    longest_s: how much of a clip is used at most, 2 to 30 s. A decoder of full size needs 65 MB for each
        second of a prompt and attends to all of it in every step, so less saves memory and time.

    Raises OptionError for another `longest_s`.
    """

    model = "step-audio-2-token2wav"

    def __init__(
        self, tokenizer: SpeechTokenizer, speaker_encoder: SpeakerEncoder, *, longest_s: float = LONGEST_S
    ) -> None:
        if not SHORTEST_S <= longest_s <= LONGEST_S:
            raise OptionError(f"longest_s is {longest_s}; a prompt holds {SHORTEST_S:.0f} to {LONGEST_S:.0f} s")
        self.tokenizer = tokenizer
        self.speaker_encoder = speaker_encoder
        self.longest_s = longest_s

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, gpu: bool = True) -> Self:
        """From the `token2wav` folder of a checkpoint; its two ONNX files are opened on first use.

        gpu: run the tokenizer on a GPU where there is one
        """
        folder = Path(folder)
        return cls(
            SpeechTokenizer(folder / "speech_tokenizer_v2_25hz.onnx", gpu=gpu),
            CamPlusPlus(folder / "campplus.onnx"),
        )

    def make(self, voice: ReferenceVoice) -> TimbrePrompt:
        """The timbre prompt of a voice's clip.

        voice: its clip has any rate and length, with 2 s of speech or more; see `ready_clip`

        Problems of the clip (clipped, shortened, two speakers) are logged, and kept as `warnings`.
        Raises VoiceError for silence, noise or too little speech, BackendError for a network's file
        that is missing or broken, and MissingExtra.
        """
        clip = voice.clip
        try:
            ready = ready_clip(clip, longest_s=self.longest_s)
        except VoiceError as error:
            raise VoiceError(f"voice {voice.id!r}: {error}") from None
        samples, rate = ready.audio.samples, ready.audio.sample_rate
        heard = Audio(resample(samples, rate, SAMPLE_RATE), SAMPLE_RATE)
        tokens = self.tokenizer.tokenize(heard)
        mel = decoder_mel(resample(samples, rate, DECODER_RATE))
        warnings = ready.warnings
        if self._two_speakers(heard):
            warnings += ("two people seem to speak in it, so the voice may be a mixture; use a clip of one",)
        for warning in warnings:
            log.warning("voice %r: %s", voice.id, warning)
        return TimbrePrompt(
            tokens=tokens,
            embedding=self.speaker_encoder.encode(heard),
            mel=fitted(mel, MEL_FRAMES_PER_TOKEN * len(tokens)),
            clip_hash=clip.sha256,
            made_by=self.version,
            warnings=warnings,
        )

    @cached_property
    def version(self) -> str:
        """A fingerprint of networks and settings: 16 hexadecimal digits.

        Raises BackendError when a network's file is missing.
        """
        parts = (self.tokenizer.fingerprint(), self.speaker_encoder.fingerprint(), MAKING, self.longest_s)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def _two_speakers(self, heard: Audio) -> bool:
        starts = np.arange(0.0, heard.duration - SPEAKER_WINDOW_S, SPEAKER_STEP_S)
        windows = [heard.slice(start, start + SPEAKER_WINDOW_S) for start in starts]
        embeddings = [self.speaker_encoder.encode(window) for window in windows if not window.is_silent]
        if not embeddings:
            return False
        return cosine_of_two_clusters(np.stack(embeddings)) < self.speaker_encoder.same_speaker_above
