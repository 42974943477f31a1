"""`PocketVoiceMaker`: from a reference clip to the state in which Pocket TTS speaks in its voice."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from agentaudio.errors import VoiceError
from agentaudio.model.pocket_tts.engine import SAMPLE_RATE_HZ, Arrays, PocketEngine
from agentaudio.model.pocket_tts.voice import PocketVoice
from agentaudio.model.reference_clip import ready_clip
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.sound.audio import Audio

log = logging.getLogger(__name__)

MAKING = 1
"""Increase it whenever the same clip and weights give another state, so that kept states are made again."""

Work = Callable[[], Arrays]


class PocketVoiceMaker:
    """Makes voice states of clips; see StateMaker.

    engine: computes the states
    run: runs a work in the thread of the engine, and returns its result
    """

    model = "pocket-tts"

    def __init__(self, engine: PocketEngine, run: Callable[[Work], Arrays]) -> None:
        self._engine, self._run = engine, run

    @property
    def version(self) -> str:
        return f"{MAKING}-{self._engine.fingerprint}"

    def make(self, voice: ReferenceVoice) -> PocketVoice:
        """The state of a voice's clip; problems of the clip are logged.

        Raises VoiceError for silence, noise or less than 2 s of speech, BackendError for weights that cannot be used.
        """
        try:
            ready = ready_clip(voice.clip)
        except VoiceError as error:
            raise VoiceError(f"voice {voice.id!r}: {error}") from None
        for warning in ready.warnings:
            log.warning("voice %r: %s", voice.id, warning)
        samples = ready.audio.resample(SAMPLE_RATE_HZ).samples
        clip = Audio(np.clip(samples, -1, 1), SAMPLE_RATE_HZ)
        return PocketVoice(voice.clip.sha256, self.version, self._run(lambda: self._engine.encode(clip)))
