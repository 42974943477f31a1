"""From a voice's clip to its timbre prompt: speech tokens, speaker embedding and mel."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import OptionError, VoiceError
from agentaudio.model.step_audio_2.network.features import SAMPLE_RATE
from agentaudio.model.step_audio_2.network.resample import resample
from agentaudio.model.step_audio_2.token2wav.prompt_features import DECODER_RATE, decoder_mel, fitted
from agentaudio.model.step_audio_2.token2wav.reference_clip import LONGEST_S, SHORTEST_S, prepare, two_speakers
from agentaudio.model.step_audio_2.token2wav.speech_tokenizer import SpeechTokenizer
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import MEL_FRAMES_PER_TOKEN, TimbrePrompt
from agentaudio.sound.audio import Audio
from agentaudio.sound.campplus import CamPlusPlus

Float = NDArray[np.float32]

MAKING = 1
"""Raised whenever the same clip and networks give another prompt, so that kept ones are made again."""

SPEAKER_WINDOW_S, SPEAKER_STEP_S = 1.5, 0.75
"""As in 3D-Speaker's diarization with CAM++."""


class SpeakerEncoder(Protocol):
    """What CAM++ is to a prompt; see `CamPlusPlus`."""

    same_speaker_above: float

    def encode(self, audio: Audio) -> Float:
        """(192,) float32 of 16 kHz sound."""

    def fingerprint(self) -> str:
        """What tells its weights from others."""


class PromptMaker:
    """Makes timbre prompts. One instance may serve several threads.

    tokenizer, speaker_encoder: the two networks of a checkpoint
    longest_s: of a clip that is used, 2 to 30. A decoder of full size keeps 65 MB for each second of a
        prompt, and attends to all of it in every step: give less where memory or time is short.
    """

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

        gpu: of the tokenizer
        """
        folder = Path(folder)
        return cls(
            SpeechTokenizer(folder / "speech_tokenizer_v2_25hz.onnx", gpu=gpu),
            CamPlusPlus(folder / "campplus.onnx"),
        )

    def make(self, clip: Audio, *, transcript: str = "", voice_id: str = "") -> TimbrePrompt:
        """The timbre prompt of a clip.

        clip: any rate and length, 2 s of speech or more; see `prepare` for what becomes of it

        Doubts about the clip (clipped, cut, two speakers) are the prompt's `warnings`.
        Raises VoiceError for silence, noise or too little speech, BackendError for a network's file
        that is missing or broken, and MissingExtra.
        """
        try:
            ready = prepare(clip, longest_s=self.longest_s)
        except VoiceError as error:
            raise VoiceError(f"voice {voice_id!r}: {error}" if voice_id else str(error)) from None
        samples, rate = ready.audio.samples, ready.audio.sample_rate
        heard = Audio(resample(samples, rate, SAMPLE_RATE), SAMPLE_RATE)
        tokens = self.tokenizer.tokenize(heard)
        mel = decoder_mel(resample(samples, rate, DECODER_RATE))
        warnings = ready.warnings
        if self._two_speakers(heard):
            warnings += ("two people seem to speak in it, so the voice may be a mixture; use a clip of one",)
        return TimbrePrompt(
            tokens=tokens,
            embedding=self.speaker_encoder.encode(heard),
            mel=fitted(mel, MEL_FRAMES_PER_TOKEN * len(tokens)),
            transcript=transcript,
            voice_id=voice_id,
            clip_hash=clip.sha256,
            made_by=self.fingerprint,
            warnings=warnings,
        )

    @cached_property
    def fingerprint(self) -> str:
        """What a kept prompt must have been made by: 16 hexadecimal digits over networks and settings.

        Raises BackendError when a network's file is missing.
        """
        parts = (self.tokenizer.fingerprint(), self.speaker_encoder.fingerprint(), MAKING, self.longest_s)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def _two_speakers(self, heard: Audio) -> bool:
        starts = np.arange(0.0, heard.duration - SPEAKER_WINDOW_S, SPEAKER_STEP_S)
        windows = [heard.slice(start, start + SPEAKER_WINDOW_S) for start in starts]
        embeddings = [self.speaker_encoder.encode(window) for window in windows if not window.is_silent]
        return two_speakers(embeddings, self.speaker_encoder.same_speaker_above)
