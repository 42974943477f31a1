"""`Embedded`: hear, route, call, answer and speak, with replaceable parts and without a language model."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from agentaudio.conversation import AudioPart, Conversation, Message, ToolCall, ToolOutput, ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.embedded.answering.answer import VOICE_TOOL, Answer, answer
from agentaudio.model.embedded.answering.small_talk import not_understood, small_talk
from agentaudio.model.embedded.hearing.recogniser import Recogniser, Recognition, SphinxRecogniser
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.model.embedded.routing.expectations import expected_sentences
from agentaudio.model.embedded.routing.router import Route, Router
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.embedded.speaking.synthesiser import EmbeddedSynthesiser
from agentaudio.model.parts import Synthesiser
from agentaudio.model.speech_lm import (
    CallDelta,
    Capabilities,
    CitationDelta,
    Delta,
    End,
    GenerateOptions,
    Heard,
    ReferenceVoice,
    TextDelta,
)
from agentaudio.model.spoken import spoken
from agentaudio.sound.audio import Audio
from agentaudio.text.embedding import load_embedder

MAX_AUDIO_S = 60.0
MAX_REQUEST_CHARS = 4000
"""Characters of a written request, by default; a minute of speech has about 1,000."""


class Embedded:
    """A SpeechLM made of PocketSphinx, a router, eSpeak NG, and WORLD for the voice.

    It understands spoken English requests for its tools, answers in words taken from their results,
    and says so when it did not understand.

    recogniser, router, synthesiser: other parts in place of its own
    max_request_chars: characters of a written request; a longer one raises BackendError
    """

    name = "embedded"
    capabilities = Capabilities(
        hears=True, voices="any", calls_tools=True, cites=True,
        sample_rate_hz=EmbeddedSynthesiser.sample_rate_hz, max_audio_s=MAX_AUDIO_S,
        languages=("en",), options=frozenset({"language"}),
    )  # fmt: skip

    def __init__(
        self,
        *,
        recogniser: Recogniser | None = None,
        router: Router | None = None,
        synthesiser: Synthesiser[Any] | None = None,
        max_request_chars: int = MAX_REQUEST_CHARS,
    ) -> None:
        self._max_request_chars = max_request_chars
        self._embed = load_embedder("default")
        espeak = Espeak() if synthesiser is None else None
        self._synthesiser: Synthesiser[Any] = synthesiser or EmbeddedSynthesiser(espeak)
        self._recogniser = recogniser or SphinxRecogniser(espeak.phonemes if espeak else None)
        self._router = router or Router(self._embed)
        self._closed = False
        self.capabilities = replace(
            type(self).capabilities,
            voices="fixed" if self._synthesiser.voices == "fixed" else "any",
            sample_rate_hz=self._synthesiser.sample_rate_hz,
        )  # fmt: skip

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        if self._closed:
            raise BackendError("this embedded engine was closed; load it again")
        user = conversation.last_user
        if user is None:
            raise BackendError("there is nothing to answer: the conversation has no user message yet")
        if len(user.text) > self._max_request_chars:
            raise BackendError(
                f"the request has {len(user.text)} characters; the embedded engine reads at most "
                f"{self._max_request_chars} (max_request_chars): shorten it, or set the option"
            )
        outputs = conversation.last_outputs
        if outputs:
            composed = await asyncio.to_thread(self._answer, user.text, outputs, tools)
            async with contextlib.aclosing(self._say(composed, voice, options)) as deltas:
                async for delta in deltas:
                    yield delta
            yield End()
            return
        heard = await asyncio.to_thread(self._hear, user, tools)
        if heard is not None:
            yield Heard(heard.text, heard.confidence)
        text = user.text if heard is None else heard.text
        routes = await asyncio.to_thread(self._router.route, text, tools) if text else []
        calls = [route for route in routes if route.tool is not None and not route.missing]
        if calls:
            for route in calls:
                yield CallDelta(ToolCall(f"call_{uuid4().hex[:12]}", str(route.tool), route.arguments))
            yield End("tool_calls")
            return
        composed = Answer(_without_tools(text, routes, tools), ())
        async with contextlib.aclosing(self._say(composed, voice, options)) as deltas:
            async for delta in deltas:
                yield delta
        yield End()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Start the workers, load the models and compile the language model of these tools."""
        await asyncio.gather(self._synthesiser.warm_up(), asyncio.to_thread(self._warm_up, tools))

    def _warm_up(self, tools: Sequence[ToolSpec]) -> None:
        self._router.route("hello", tools)
        self._recogniser.prepare(expected_sentences(tools))

    async def aclose(self) -> None:
        """End the worker processes."""
        self._closed = True
        await self._synthesiser.aclose()
        await asyncio.to_thread(self._recogniser.close)

    def _answer(self, text: str, outputs: Sequence[ToolOutput], tools: Sequence[ToolSpec]) -> Answer:
        """The answer to the request, without its clauses that ask for a voice."""
        parts = clauses(text)
        if len(parts) > 1 and any(output.name == VOICE_TOOL for output in outputs):
            parts = [part for part in parts if self._router.route(part, tools)[0].tool != VOICE_TOOL] or parts
            text = " ".join(parts)
        return answer(text, outputs, self._embed)

    def _hear(self, user: Message, tools: Sequence[ToolSpec]) -> Recognition | None:
        """The words that were said; None for a written message."""
        sounds = [part.audio for part in user.parts if isinstance(part, AudioPart) and part.transcript is None]
        if not sounds:
            return None
        return self._recogniser.recognise(Audio.concat(sounds), expected_sentences(tools))

    async def _say(
        self, composed: Answer, voice: ReferenceVoice | None, options: GenerateOptions
    ) -> AsyncGenerator[Delta, None]:
        """The answer word by word, and its sound phrase by phrase."""
        for citation in composed.citations:
            yield CitationDelta(citation)
        if not options.speak:
            yield TextDelta(composed.text)
            return
        state = await self._synthesiser.prepare(voice)
        async with contextlib.aclosing(spoken(self._synthesiser, _words(composed.text), state)) as deltas:
            async for delta in deltas:
                yield delta


async def _words(text: str) -> AsyncGenerator[str, None]:
    """The words of a text, each with the white space before it."""
    for word in re.findall(r"\s*\S+", text):
        yield word


def _without_tools(text: str, routes: Sequence[Route], tools: Sequence[ToolSpec]) -> str:
    """The answer without a tool: a question for missing arguments, small talk, or that it was not understood."""
    for route in routes:
        if route.tool is not None and route.missing:
            return f"I need to know the {' and the '.join(name.replace('_', ' ') for name in route.missing)} for that."
    if any(route.kind == "chat" for route in routes):
        return small_talk(text, tools)
    return not_understood(text, tools)


def load(argument: str | None, *, max_request_chars: int = MAX_REQUEST_CHARS) -> Embedded:
    """The entry point `embedded`. Raises OptionError for an argument: there is only one embedded engine.

    max_request_chars: characters of a written request; a longer one raises BackendError
    """
    if argument is not None:
        raise OptionError(f"model 'embedded' takes no argument, but was given {argument!r}; write 'embedded'")
    return Embedded(max_request_chars=max_request_chars)
