"""`PocketTTS`: Kyutai Pocket TTS as a synthesiser that speaks in the voice of a clip."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

from agentaudio.errors import AudioError, OptionError
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.kokoro.phrases import SafePhrases
from agentaudio.model.parts import SynthesiserVoices
from agentaudio.model.pocket_tts.engine import MOST_TOKENS, SAMPLE_RATE_HZ, Floats, PocketEngine
from agentaudio.model.pocket_tts.maker import PocketVoiceMaker
from agentaudio.model.pocket_tts.text import cut, readable
from agentaudio.model.pocket_tts.voice import PocketVoice, PocketVoiceFormat
from agentaudio.model.pocket_tts.worker import Worker
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.voice_states import VoiceStates
from agentaudio.sound.audio import Audio

MOST_BYTES = 256 << 20
"""Of voice states in memory: about 40 clips of 10 s."""
RESERVE = 4
"""Tokens that the preparation of a text may add: a full stop, a capital letter that is a token of its own."""


class PocketTTS:
    """A Synthesiser (see agentaudio.model.parts) on Kyutai Pocket TTS, 24 kHz, in frames of 80 ms.

    engine: the network
    own_voice: speaks where no voice is given; None is a synthetic voice that ships with agentaudio

    The network runs in a thread of its own. Utterances at the same time take turns, phrase by phrase.
    """

    voices: SynthesiserVoices = "clones"
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, engine: PocketEngine, *, own_voice: ReferenceVoice | None = None) -> None:
        self._engine, self._own_voice = engine, own_voice
        self._worker = Worker()
        self._states: VoiceStates[PocketVoice] = VoiceStates(
            PocketVoiceMaker(engine, self._worker.run), PocketVoiceFormat(), most_bytes=MOST_BYTES
        )

    @property
    def languages(self) -> tuple[str, ...]:
        return self._engine.languages

    @property
    def busy(self) -> bool:
        """Whether the network computes, or has something to compute."""
        return self._worker.busy

    async def prepare(self, voice: ReferenceVoice | None) -> PocketVoice:
        """The state of a voice's clip. It takes about a second, once for each clip and weights.

        Raises ConsentError when the voice may not be used, VoiceError for a clip without 2 s of speech, BackendError
        for weights that cannot be used.
        """
        return await asyncio.to_thread(lambda: self._states.get(voice or self._own_voice or shipped_voice()))

    async def speak(
        self, text: AsyncIterator[str], state: PocketVoice, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text while it arrives; see Synthesiser.

        Raises OptionError for a language that the weights do not speak, BackendError for a text in another script,
        for a word that is too long, and when the network fails.
        """
        spoken = self._language(language)
        phrases = SafePhrases(spoken or "und")
        async for piece in text:
            for phrase in phrases.push(piece):
                async with contextlib.aclosing(self._phrase(phrase, state, spoken)) as sounds:
                    async for sound in sounds:
                        yield sound
        for phrase in phrases.finish():
            async with contextlib.aclosing(self._phrase(phrase, state, spoken)) as sounds:
                async for sound in sounds:
                    yield sound

    async def warm_up(self) -> None:
        """Load the weights, prepare the own voice and speak one word."""
        state = await self.prepare(None)
        async with contextlib.aclosing(self._phrase("OK.", state, self._language(None))) as sounds:
            async for _ in sounds:
                break

    async def aclose(self) -> None:
        """Stop what is spoken, and free the weights."""
        self._worker.close(self._engine.close)

    async def _phrase(self, phrase: str, state: PocketVoice, language: str) -> AsyncGenerator[Audio, None]:
        work = functools.partial(self._spoken, phrase, state, language)
        async with contextlib.aclosing(self._worker.stream(work)) as frames:
            async for samples in frames:
                yield Audio(np.clip(samples, -1, 1), SAMPLE_RATE_HZ)

    def _spoken(self, phrase: str, state: PocketVoice, language: str, stop: threading.Event) -> Iterator[Floats]:
        """The sound of a phrase, in the thread of the network; nothing for one without words."""
        if text := readable(phrase, language):
            for piece in cut(text, MOST_TOKENS - RESERVE, self._engine.tokens):
                if not stop.is_set():
                    yield from self._engine.speak(piece, state.arrays, stop)

    def _language(self, wanted: str | None) -> str:
        """The language to speak: without a wish the first one. Empty when the weights do not tell theirs."""
        known = self._engine.languages
        code = wanted.lower().partition("-")[0] if wanted else (known or ("",))[0]
        if known and code not in known:
            raise OptionError(
                f"Pocket TTS with the weights {self._engine.name!r} speaks {', '.join(known)}, and not {wanted!r}; "
                "load the weights of that language, or choose another synthesiser"
            )
        return code


@functools.cache
def shipped_voice() -> ClipVoice:
    """The voice that speaks where none is given; see assets/NOTICE."""
    sound = files("agentaudio.model.pocket_tts").joinpath("assets/own_voice.flac").read_bytes()
    return ClipVoice(Audio.load(sound), id="own")


def voice_of(path: Path) -> ClipVoice:
    """The voice of a sound file. Raises OptionError when it cannot be read."""
    try:
        return ClipVoice(Audio.load(path.expanduser()), id=path.stem)
    except AudioError as error:
        raise OptionError(f"the voice {path} cannot be used: {error}") from None
