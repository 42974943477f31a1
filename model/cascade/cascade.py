"""`Cascade`: a speech model made of a recogniser, a chat model and a synthesiser."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.hearing import recognised, transcribed, unheard
from agentaudio.model.manner import Manner
from agentaudio.model.parts import (
    ChatDelta,
    ChatModel,
    NamesUnspoken,
    Recogniser,
    Recognition,
    SpeaksByRules,
    Synthesiser,
)
from agentaudio.model.speech_lm import Capabilities, Delta, GenerateOptions, Heard, Imitation, ReferenceVoice
from agentaudio.model.spoken import spoken
from agentaudio.sound.audio import Audio

IMITATIONS: dict[str, Imitation] = {"clones": "cloned", "moves": "moved", "presets": "preset"}
"""How a model with such a synthesiser speaks in a reference voice; `Synthesiser.voices` to `Capabilities.imitates`."""


class Cascade:
    """A SpeechLM that recognises speech, answers in text, and speaks the text.

    recogniser: hears the user; without one the cascade takes only text
    chat: answers, and calls tools
    synthesiser: speaks; without one the cascade makes no sound
    name: of the model, for messages

    The sound starts with the first phrase of the answer. The reference voice is prepared while the chat
    model writes its first words. Closing a generation stops all three parts.
    Raises OptionError for parts that have no language in common.
    """

    def __init__(
        self,
        recogniser: Recogniser | None,
        chat: ChatModel,
        synthesiser: Synthesiser[Any] | None,
        *,
        name: str = "cascade",
    ) -> None:
        self.name = name
        self._recogniser, self._chat, self._synthesiser = recogniser, chat, synthesiser
        self._closed = False
        self.capabilities = _capabilities(name, recogniser, chat, synthesiser)

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Generate the next answer; see SpeechLM. Sound without a transcript is recognised first."""
        if self._closed:
            raise BackendError(f"the model {self.name!r} was closed; load it again")
        if conversation.last_user is None:
            raise BackendError("there is nothing to answer: the conversation has no user message yet")
        heard = await self._hear(conversation, tools, options)
        if heard is not None:
            yield Heard(heard.text, heard.confidence)
        written = transcribed(conversation, heard.text if heard is not None else "")
        async with contextlib.aclosing(self._chat_deltas(written, tools, options, heard)) as answer:
            if self._synthesiser is None or not options.speak:
                async for delta in answer:
                    if not isinstance(delta, Manner):
                        yield delta
                return
            # The answer's language is the chat model's choice; without a wish the synthesiser judges by the text.
            speech = spoken(self._synthesiser, answer, voice, language=options.language)
            async with contextlib.aclosing(speech) as deltas:
                async for spoken_delta in deltas:
                    yield spoken_delta

    async def recognise(
        self, audio: Audio, *, tools: Sequence[ToolSpec] = (), language: str | None = None
    ) -> Recognition:
        """The words of a sound; see Recognises."""
        if self._recogniser is None:
            raise BackendError(f"the model {self.name!r} has no recogniser; give it text")
        hint = await asyncio.to_thread(self._chat.expected, tools)
        return await self._recogniser.recognise(audio, language=language, hint=hint)

    async def prepare(self, voice: ReferenceVoice | None) -> None:
        """Prepare a voice; see Speaks."""
        if self._synthesiser is not None:
            await self._synthesiser.prepare(voice)

    async def say(
        self, text: str | AsyncIterator[str], *, voice: ReferenceVoice | None = None, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text; see Speaks. Without a synthesiser there is no sound."""
        if self._synthesiser is None:
            return
        state = await self._synthesiser.prepare(voice)
        pieces = _whole(text) if isinstance(text, str) else text
        async with contextlib.aclosing(self._synthesiser.speak(pieces, state, language=language)) as sounds:
            async for sound in sounds:
                yield sound

    def unspoken(self, text: str) -> tuple[str, ...]:
        """The words of a text that the synthesiser cannot speak, as far as it tells; see NamesUnspoken."""
        return self._synthesiser.unspoken(text) if isinstance(self._synthesiser, NamesUnspoken) else ()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load all parts."""
        works = [self._chat.warm_up(tools)]
        if self._recogniser is not None:
            works.append(self._warm_up_ears(self._recogniser, tools))
        if self._synthesiser is not None:
            works.append(self._synthesiser.warm_up())
        await asyncio.gather(*works)  # nothing waits between their making and this, or a cancelled one never begins

    async def _warm_up_ears(self, recogniser: Recogniser, tools: Sequence[ToolSpec]) -> None:
        await recogniser.warm_up(await asyncio.to_thread(self._chat.expected, tools))

    async def aclose(self) -> None:
        """Close all parts; each is closed although another one fails."""
        self._closed = True
        parts = [part for part in (self._recogniser, self._chat, self._synthesiser) if part is not None]
        results = await asyncio.gather(*(part.aclose() for part in parts), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _hear(
        self, conversation: Conversation, tools: Sequence[ToolSpec], options: GenerateOptions
    ) -> Recognition | None:
        """What the user said last; None when that was written or is transcribed already."""
        if not unheard(conversation.last_user):
            return None
        if self._recogniser is None:
            raise BackendError(f"the model {self.name!r} has no recogniser; give it text")
        hint = await asyncio.to_thread(self._chat.expected, tools)
        return await recognised(self._recogniser, conversation, language=options.language, hint=hint)

    def _chat_deltas(
        self,
        conversation: Conversation,
        tools: Sequence[ToolSpec],
        options: GenerateOptions,
        heard: Recognition | None,
    ) -> AsyncGenerator[ChatDelta, None]:
        language = options.language or (heard.language if heard is not None else None)
        if "language" not in self._chat.options:
            language = None
        return self._chat.chat(conversation, tools=tools, options=replace(options, language=language))


async def _whole(text: str) -> AsyncGenerator[str, None]:
    yield text


def _capabilities(
    name: str, recogniser: Recogniser | None, chat: ChatModel, synthesiser: Synthesiser[Any] | None
) -> Capabilities:
    able = Capabilities(
        hears=recogniser is not None,
        voices="none",
        calls_tools=chat.calls_tools,
        cites=chat.cites,
        languages=_common(name, recogniser, chat, synthesiser),
        options=chat.options | {"language"},
    )
    if recogniser is not None:
        able = replace(able, max_audio_s=recogniser.max_audio_s)
    if synthesiser is not None:
        able = replace(
            able,
            voices="fixed" if synthesiser.voices == "fixed" else "any",
            imitates=IMITATIONS.get(synthesiser.voices),
            sample_rate_hz=synthesiser.sample_rate_hz,
            speech="rules" if isinstance(synthesiser, SpeaksByRules) else "trained",
        )
    return able


def _common(name: str, *parts: Recogniser | ChatModel | Synthesiser[Any] | None) -> tuple[str, ...]:
    """The languages that all parts have; a part that does not know its languages allows any."""
    known = [part.languages for part in parts if part is not None and part.languages]
    if not known:
        return ()
    common = tuple(one for one in known[0] if all(one in other for other in known))
    if not common:
        lists = " / ".join(", ".join(languages) for languages in known)
        raise OptionError(f"the parts of {name!r} have no language in common: {lists}; choose other parts")
    return common
