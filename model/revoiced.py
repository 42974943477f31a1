"""`Revoiced`: a model with a voice of its own, heard in the voice that was asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Protocol

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.model.speech_lm import AudioDelta, Delta, End, GenerateOptions, ReferenceVoice, SpeechLM
from agentaudio.sound.audio import Audio


class Revoicer(Protocol):
    """Revoices one answer while it arrives."""

    def feed(self, audio: Audio) -> Audio:
        """The next piece; returns the sound that is ready, often none."""

    def finish(self) -> Audio:
        """The rest."""


class VoiceConverter(Protocol):
    """What says any speech in another voice, such as the SpeechDecoder of Step-Audio 2."""

    def revoicer(self, voice: ReferenceVoice) -> Revoicer:
        """Begin an answer in a voice."""


class Revoiced:
    """A SpeechLM that speaks in any voice, made of one that speaks in its own.

    model: answers; where no voice is asked for, its sound stays as it is
    converter: says it in the voice that is asked for, in threads, so that the event loop goes on
    """

    def __init__(self, model: SpeechLM, converter: VoiceConverter) -> None:
        self.name = model.name
        self.capabilities = replace(model.capabilities, voices="any")
        self._model, self._converter = model, converter

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Answer as the model does; see SpeechLM. Its sound comes a little later than its words."""
        deltas = self._model.generate(conversation, tools=tools, options=options)
        revoicer: Revoicer | None = None
        async with contextlib.aclosing(deltas) as stream:
            async for delta in stream:
                sound = Audio.silence(0.0, 24_000)
                if voice is not None and isinstance(delta, AudioDelta):
                    if revoicer is None:
                        revoicer = await asyncio.to_thread(self._converter.revoicer, voice)
                    sound = await asyncio.to_thread(revoicer.feed, delta.audio)
                elif isinstance(delta, End) and revoicer is not None:
                    sound = await asyncio.to_thread(revoicer.finish)
                if len(sound):
                    yield AudioDelta(sound)
                if revoicer is None or not isinstance(delta, AudioDelta):
                    yield delta

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load what the model's first answer would wait for."""
        await self._model.warm_up(tools)

    async def aclose(self) -> None:
        """Free what the model holds."""
        await self._model.aclose()
