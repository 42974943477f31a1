"""`Routed`: a model that calls no tools, or misses calls, with the calls for voices and searches made by rules."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from agentaudio.conversation import AudioPart, Conversation, Message, TextPart, ToolCall, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.model.asked.read import read_wishes
from agentaudio.model.asked.wish import Search
from agentaudio.model.hearing import recognised, transcribed, unheard
from agentaudio.model.parts import Recogniser
from agentaudio.model.registry import load_model, load_recogniser
from agentaudio.model.results_as_text import results_as_text
from agentaudio.model.speech_lm import CallDelta, Delta, End, GenerateOptions, Heard, ReferenceVoice, SpeechLM

VOICE, DOCUMENTS, WEB = "audio_search", "search_documents", "web_search"
"""The tools that are called for a model."""

_NAME = re.compile(r"\bin the voice of (.+)$")
_MOST_NAMES = 200

_log = logging.getLogger(__name__)


class Routed:
    """A SpeechLM that calls `audio_search`, `search_documents` and `web_search` when the user asks for it.

    model: answers. One that calls tools is left as it is, unless `always` is set; one that calls none gets the
        results as text, and is never given tools
    recogniser: hears the user before the model, for a model that does not emit `Heard`, or does not hear
    always: make the calls also for a model that calls tools, because it misses some

    wrapped: the model

    The calls depend on the user's words, in English or Chinese; see `read_wishes`. When the words are known, they
    are made before the model is asked, otherwise at its final `Heard`, which ends its generation. A turn gets at
    most one such call for a voice and one for a search, both at its beginning. Calls that the model makes
    are passed on.
    """

    def __init__(self, model: SpeechLM, *, recogniser: Recogniser | None = None, always: bool = False) -> None:
        able = model.capabilities
        self.name, self.capabilities = model.name, able
        self.wrapped, self._recogniser = model, recogniser
        self._makes_calls = always or not able.calls_tools
        self._unused: set[str] = set()
        if self._makes_calls:
            self.capabilities = replace(able, calls_tools=True)
            if recogniser is not None:
                longest = min(able.max_audio_s, recogniser.max_audio_s) if able.hears else recogniser.max_audio_s
                self.capabilities = replace(self.capabilities, hears=True, max_audio_s=longest)

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Make the calls that the user asks for, or generate as the model does; see SpeechLM."""
        if not self._makes_calls:
            async with contextlib.aclosing(
                self.wrapped.generate(conversation, tools=tools, voice=voice, options=options)
            ) as deltas:
                async for delta in deltas:
                    yield delta
            return
        self._warn(tools)
        heard = None
        if self._recogniser is not None:
            heard = await recognised(self._recogniser, conversation, language=options.language)
            if heard is not None:
                yield Heard(heard.text, heard.confidence)
            conversation = transcribed(conversation, heard.text if heard is not None else "")
        first = bool(conversation.messages) and conversation.messages[-1].role == "user"
        waiting = first and bool(unheard(conversation.last_user))
        if first and not waiting:
            calls = await asyncio.to_thread(_calls, conversation, None, tools)
            if calls:
                for call in calls:
                    yield CallDelta(call)
                yield End("tool_calls")
                return
        calls = []
        async with contextlib.aclosing(self._ask(conversation, tools, voice, options)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Heard) and heard is not None:
                    continue
                yield delta
                if isinstance(delta, CallDelta):
                    waiting = False
                elif isinstance(delta, Heard) and delta.final and waiting:
                    waiting = False
                    calls = await asyncio.to_thread(_calls, conversation, delta, tools)
                    if calls:
                        break
        for call in calls:
            yield CallDelta(call)
        if calls:
            yield End("tool_calls")

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Warm up the model, and the recogniser if it is used."""
        works = [self.wrapped.warm_up(tools if self.wrapped.capabilities.calls_tools else ())]
        if self._recogniser is not None and self._makes_calls:
            works.append(self._recogniser.warm_up())
        await asyncio.gather(*works)

    async def aclose(self) -> None:
        """Close the model and the recogniser; each is closed although the other one fails."""
        parts: list[SpeechLM | Recogniser] = [self.wrapped]
        if self._recogniser is not None:
            parts.append(self._recogniser)
        for result in await asyncio.gather(*(part.aclose() for part in parts), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _ask(
        self,
        conversation: Conversation,
        tools: Sequence[ToolSpec],
        voice: ReferenceVoice | None,
        options: GenerateOptions,
    ) -> AsyncGenerator[Delta, None]:
        able = self.wrapped.capabilities
        if not able.hears:
            conversation = _as_text(conversation)
        if not able.calls_tools:
            conversation, tools = results_as_text(conversation), ()
        return self.wrapped.generate(conversation, tools=tools, voice=voice, options=options)

    def _warn(self, tools: Sequence[ToolSpec]) -> None:
        """Log, once for each, the tools that nobody calls."""
        if not self.wrapped.capabilities.calls_tools:
            new = {tool.name for tool in tools} - {VOICE, DOCUMENTS, WEB} - self._unused
            self._unused |= new
            if new:
                _log.warning(
                    "model %r calls no tools, so these are never called: %s", self.name, ", ".join(sorted(new))
                )


def load(argument: str | None, *, recogniser: str | None = None, always: bool = False, **options: Any) -> Routed:
    """Load `routed:NAME` or `routed:NAME:ARGUMENT`: the model of that name, as `Routed`.

    recogniser: such as `whisper:base`, for a model that does not say what it heard
    always: make calls also for a model that calls tools
    options: of the model

    Raises OptionError without a name, and what the loaders of the model and the recogniser raise.
    """
    if argument is None:
        raise OptionError("model 'routed' needs the name of another model; write routed:NAME, such as routed:cascade")
    model = load_model(argument, **options)
    return Routed(model, recogniser=load_recogniser(recogniser) if recogniser else None, always=always)


def _calls(conversation: Conversation, heard: Heard | None, tools: Sequence[ToolSpec]) -> list[ToolCall]:
    """The calls that the last user message asks for, of the tools that are offered: the voice first."""
    offered = {tool.name: tool for tool in tools if tool.name in (VOICE, DOCUMENTS, WEB)}
    user = conversation.last_user
    if not offered or user is None:
        return []
    names = _voice_names(offered[VOICE]) if VOICE in offered else []
    wishes = read_wishes(
        transcribed(Conversation([user]), heard.text if heard is not None else "").messages[0].text, names
    )
    wanted: list[tuple[str, str]] = []
    if wishes.voice is not None:
        wanted.append((VOICE, wishes.voice))
    if wishes.search is not None:
        wanted.append((_place(wishes.search, offered), wishes.search.query))
    calls = []
    for name, query in wanted:
        argument = _argument(offered[name].parameters) if name in offered else None
        if argument is not None:
            calls.append(ToolCall(f"call_{uuid4().hex[:12]}", name, {argument: query}))
    return calls


def _place(search: Search, offered: Mapping[str, ToolSpec]) -> str:
    """The tool for a search. Documents come first where the user names no place."""
    if search.where is None:
        return DOCUMENTS if DOCUMENTS in offered else WEB
    return DOCUMENTS if search.where == "documents" else WEB


def _argument(parameters: Mapping[str, Any]) -> str | None:
    """The name of the parameter that takes the query; None for a tool of another form."""
    known = parameters.get("properties", {})
    required = list(parameters.get("required", ()))
    if set(required) <= {"query"} and "query" in known:
        return "query"
    return required[0] if len(required) == 1 else None


def _voice_names(tool: ToolSpec) -> list[str]:
    """The names of voices in the phrases of `audio_search`."""
    found = (_NAME.search(phrase) for phrase in tool.phrases if isinstance(phrase, str))
    return [match[1] for match in found if match][:_MOST_NAMES]


def _as_text(conversation: Conversation) -> Conversation:
    """The conversation with the transcripts in place of the sounds, for models that do not hear."""
    return Conversation(
        [
            Message(
                message.role,
                tuple(
                    TextPart(part.transcript or "") if isinstance(part, AudioPart) else part for part in message.parts
                ),
            )
            for message in conversation
        ]
    )
