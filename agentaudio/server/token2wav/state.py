"""`SoundState`: what the routes of the service share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
from agentaudio.server.auth import Caller, CallerLimits, Keys
from agentaudio.server.drain import Drain
from agentaudio.server.metrics import Metrics
from agentaudio.server.settings import ServerSettings
from agentaudio.server.token2wav.voices import ServedVoices


@dataclass
class SoundState:
    """What all routes share; see `Serving`.

    threads: in which sound is made: one for each utterance, so that their chunks meet in a batch
    """

    decoder: SpeechDecoder
    settings: ServerSettings
    keys: Keys
    limits: CallerLimits
    voices: ServedVoices
    threads: ThreadPoolExecutor
    metrics: Metrics = field(default_factory=Metrics)
    drain: Drain = field(default_factory=Drain)
    ready: bool = False
    failed: bool = False

    @classmethod
    def of(cls, decoder: SpeechDecoder, settings: ServerSettings) -> SoundState:
        state = cls(
            decoder, settings, Keys(settings.keys, settings.admin_keys), CallerLimits(settings),
            ServedVoices(decoder, settings.voices),
            ThreadPoolExecutor(settings.total_sessions, thread_name_prefix="agentaudio-token2wav"),
        )  # fmt: skip
        state.metrics.sessions.set_function(lambda: float(state.limits.sessions))
        return state

    @contextmanager
    def utterance(self, caller: Caller) -> Iterator[None]:
        """Count an utterance of `caller` while it is made. Raises ApiError 429 or 503."""
        with self.drain.answer(), self.limits.session(caller):
            yield


def sound_state(connection: HTTPConnection) -> SoundState:
    return cast(SoundState, connection.app.state.server)


Sound = Annotated[SoundState, Depends(sound_state)]
"""A parameter of a route."""
