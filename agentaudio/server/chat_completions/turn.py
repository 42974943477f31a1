"""One turn for a request: the session it runs in, and what is kept of it for later requests."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from agentaudio.conversation import Conversation, Message, TextPart, ToolCall
from agentaudio.errors import OptionError
from agentaudio.events import AudioSpoken, Event, TurnFailed, TurnFinished
from agentaudio.reply import Reply
from agentaudio.server.auth import Caller
from agentaudio.server.bodies import has_lone_surrogate
from agentaudio.server.chat_completions.history import Asked, read_history
from agentaudio.server.chat_completions.request import ChatRequest, NamedTool, VoiceId
from agentaudio.server.errors import ApiError
from agentaudio.server.past_turns import PastTurn, renamed
from agentaudio.server.state import ServerState
from agentaudio.session import Session
from agentaudio.setup import Setup
from agentaudio.tools.external import external_tool
from agentaudio.tools.tool import Tool
from agentaudio.voice_library.voice import Voice

ROUTE = "/v1/chat/completions"


class ChatTurn:
    """The turn that answers a request.

    id: of the completion; audio_id: of its sound
    """

    def __init__(self, request: ChatRequest, state: ServerState, caller: Caller) -> None:
        self.request, self._state, self._caller = request, state, caller
        self.id, self.audio_id = f"chatcmpl-{secrets.token_hex(12)}", f"audio_{secrets.token_hex(12)}"
        self.created, self.expires_at = int(time.time()), state.past.expires_at
        self._began = time.perf_counter()
        self._names: dict[str, str] = {}

    async def prepare(self) -> None:
        """Read the request. Raises ApiError, and what the agent raises for a voice."""
        request, state = self.request, self._state
        self._options = request.options(state.agent.model, state.agent.setup.options)
        if request.speaks:
            state.limits.take_sound(self._caller, 0.0)
        tools = _tools(request)
        self._asked: Asked = await read_history(request, state, self._caller)
        self._wanted = await self._voice()
        past = self._asked.past
        voice = self._wanted if past is None else past.voice_after(self._wanted)
        conversation = self._asked.conversation
        given = [message.role for message in conversation]
        if "system" in given and (own := state.instructions_kept()):
            conversation.messages.insert(0, Message("system", (TextPart(own),)))
        self._session: Session = await asyncio.to_thread(state.agent.session, conversation, voice=voice, plays=False)
        self._session.setup = _offered(await state.setup(self._caller), request, tools)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Run the turn. Closing the generator stops it. Raises the error of a failed turn."""
        sound_s, metrics = 0.0, self._state.metrics
        turn = self._session.stream(self._asked.user, options=self._options)
        try:
            async with aclosing(turn):
                async for event in turn:
                    if isinstance(event, AudioSpoken):
                        if not sound_s:
                            metrics.first_sound_s.labels(ROUTE).observe(time.perf_counter() - self._began)
                        sound_s += event.audio.duration
                    elif isinstance(event, TurnFinished):
                        metrics.turns.labels(event.reply.stop).inc()
                        self._keep(event.reply)
                    elif isinstance(event, TurnFailed):
                        metrics.turns.labels("failed").inc()
                    yield event
        finally:
            metrics.sound_s.labels("out").inc(sound_s)
            self._state.limits.count_sound(self._caller, sound_s)

    def outward(self, call: ToolCall) -> ToolCall:
        """A call under the id that the client sees: unique among all answers."""
        return replace(call, id=self._names.setdefault(call.id, f"call_{secrets.token_hex(12)}"))

    async def _voice(self) -> Voice | None:
        wanted: Any = self.request.audio.voice if self.request.audio is not None else None
        if not self.request.speaks or wanted is None:
            return None
        if isinstance(wanted, VoiceId):
            wanted = {"id": wanted.id}
        try:
            return await (await self._state.speaker(self._caller)).find(wanted)
        except OptionError as error:
            raise ApiError(400, str(error), code="unsupported_value", param="audio.voice") from None

    def _keep(self, reply: Reply) -> None:
        """Keep the turn for requests that refer to its audio or its calls, and the words of the sounds."""
        messages: list[Message] = list(
            itertools.dropwhile(lambda message: message.role != "assistant", self._session.conversation.of_turn(1))
        )
        if self.request.parallel_tool_calls is False:
            messages = _with_one_call(messages, reply.open_calls[1:])
        for call_id in Conversation(messages).call_ids:
            self._names.setdefault(call_id, f"call_{secrets.token_hex(12)}")
        ids = [self._names[call.id] for call in reply.open_calls if call.id in self._names]
        if self.request.speaks and reply.audio is not None:
            ids.append(self.audio_id)
        if ids:
            turn = PastTurn(renamed(messages, self._names), self._wanted, self._session.voice)
            self._state.past.keep(self._caller, ids, turn)
        if reply.heard is not None:
            for number, digest in enumerate(self._asked.digests):
                self._state.past.keep_words(self._caller, digest, "" if number else reply.heard)


def _with_one_call(messages: Sequence[Message], unwanted: Sequence[ToolCall]) -> list[Message]:
    """The messages without the calls that the client is not going to see."""
    ids = {call.id for call in unwanted}
    return [
        replace(one, parts=tuple(part for part in one.parts if not (isinstance(part, ToolCall) and part.id in ids)))
        for one in messages
    ]


def _tools(request: ChatRequest) -> list[Tool]:
    """The client's tools. Raises ApiError."""
    tools = []
    for number, sent in enumerate(request.tools or ()):
        one = sent.function
        schema = {"type": "object", "properties": {}, **(one.parameters or {})}
        if not _is_text([one.description, schema]):
            raise ApiError(
                400, "the tool holds half a character (a lone surrogate), or too many levels", code="invalid_value",
                param=f"tools.{number}.function",
            )  # fmt: skip
        try:
            tools.append(external_tool(one.name, one.description or one.name, schema))
        except OptionError as error:
            raise ApiError(400, str(error), code="invalid_value", param=f"tools.{number}.function") from None
    return tools


def _is_text(value: Any) -> bool:
    """Whether data of JSON has a UTF-8 form."""
    try:
        return not has_lone_surrogate(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return False


def _offered(setup: Setup, request: ChatRequest, tools: Sequence[Tool]) -> Setup:
    """The setup with the tools that the request lets the model call.

    `required` offers the client's tools alone, and a named tool is offered alone, so that any call is one of those. A
    model that takes the option `must_call` makes one; others may answer in words.
    """
    choice = request.tool_choice
    if choice == "none":
        return replace(setup, tools={}, _specs=[()])
    if tools and not setup.model.capabilities.calls_tools:
        raise ApiError(400, "this model cannot call tools; leave them out", code="unsupported_value", param="tools")
    offered = setup.with_external(tools)
    if choice in (None, "auto"):
        return offered
    if isinstance(choice, NamedTool):
        name = choice.function.name
        if name not in offered.tools:
            raise ApiError(400, "tool_choice names a tool that is not among the tools", param="tool_choice")
        return replace(offered, tools={name: offered.tools[name]}, _specs=[])
    if not tools:
        raise ApiError(400, "tool_choice is required, but there are no tools", param="tool_choice")
    return replace(setup, tools={}, _specs=[()]).with_external(tools)
