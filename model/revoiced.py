"""`Revoiced`: a model with one fixed voice, converted to any other voice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Protocol

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.errors import ModelError
from agentaudio.model.speech_lm import AudioDelta, Delta, End, GenerateOptions, ReferenceVoice, SpeechLM
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream


class Revoicer(Protocol):
    """Converts the speech of one answer to one voice, chunk by chunk."""

    def feed(self, audio: Audio) -> Audio:
        """Take the next chunk; return the converted sound that is ready, which may be empty."""

    def finish(self) -> Audio:
        """End the answer and return the rest of its sound."""


class VoiceConverter(Protocol):
    """Converts speech to another voice, such as the SpeechDecoder of Step-Audio 2.

    sample_rate_hz: of the converted sound
    """

    @property
    def sample_rate_hz(self) -> int: ...

    def revoicer(self, voice: ReferenceVoice) -> Revoicer:
        """Start converting an answer to `voice`. Raises VoiceError when its clip contains too little speech."""


class Revoiced:
    """A SpeechLM that speaks in any voice: a model with a fixed voice, and a voice converter.

    model: generates the answers; without a voice, its sound is only resampled
    converter: converts the sound when a voice is given; runs in threads

    wrapped: the model

    All sound has the converter's sample rate, with or without a voice.
    Raises ModelError when the model makes no sound.
    """

    def __init__(self, model: SpeechLM, converter: VoiceConverter) -> None:
        if model.capabilities.voices == "none":
            raise ModelError(f"model {model.name!r} makes no sound to convert; give one that speaks")
        self.name = model.name
        self.capabilities = replace(
            model.capabilities, voices="any", imitates="converted", sample_rate_hz=converter.sample_rate_hz
        )
        self.wrapped, self._converter = model, converter

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Generate as the model does; see SpeechLM. The sound comes slightly later than the words."""
        deltas = self.wrapped.generate(conversation, tools=tools, options=options)
        conversion = _Conversion(self._converter, voice)
        async with contextlib.aclosing(deltas) as stream:
            async for delta in stream:
                if isinstance(delta, AudioDelta):
                    sound = await asyncio.to_thread(conversion.feed, delta.audio)
                elif isinstance(delta, End):
                    sound = await asyncio.to_thread(conversion.finish)
                else:
                    sound = None
                if sound:
                    yield AudioDelta(sound)
                if isinstance(delta, End):
                    yield delta
                    return
                if not isinstance(delta, AudioDelta):
                    yield delta
        if rest := await asyncio.to_thread(conversion.finish):  # the model emitted no End
            yield AudioDelta(rest)

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Warm up the model. The converter loads with its first voice."""
        await self.wrapped.warm_up(tools)

    async def aclose(self) -> None:
        """Close the model. The converter stays open, since other models may use it."""
        await self.wrapped.aclose()


class _Conversion:
    """Converts the sound of one answer to a voice, or only resamples it, to the converter's rate."""

    def __init__(self, converter: VoiceConverter, voice: ReferenceVoice | None) -> None:
        self._converter, self._voice = converter, voice
        self._revoicer: Revoicer | None = None
        self._out = PcmStream(converter.sample_rate_hz)

    def feed(self, speech: Audio) -> Audio:
        if self._voice is None:
            return self._out.push(speech)
        if self._revoicer is None:
            self._revoicer = self._converter.revoicer(self._voice)
        return self._out.push(self._revoicer.feed(speech))

    def finish(self) -> Audio:
        rest = [self._out.push(self._revoicer.finish())] if self._revoicer else []
        return Audio.concat([*rest, self._out.finish()])
