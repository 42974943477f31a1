"""From the messages of a request to a conversation, and the input of the turn that answers it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    Part,
    SpeechPart,
    TextPart,
    ToolCall,
    ToolOutput,
)
from agentaudio.errors import AudioError, ConversationError
from agentaudio.hearing import UserInput
from agentaudio.model.parts import Recognises
from agentaudio.server.auth import Caller
from agentaudio.server.bodies import SoundReader, has_lone_surrogate
from agentaudio.server.chat_completions.request import (
    AssistantContent,
    AssistantMessage,
    AudioContent,
    AudioUrlContent,
    ChatRequest,
    SystemMessage,
    TextContent,
    ToolMessage,
    UserContent,
    UserMessage,
)
from agentaudio.server.errors import ApiError
from agentaudio.server.past_turns import PastTurn
from agentaudio.server.state import ServerState
from agentaudio.tools.execution import without_result


@dataclass(frozen=True)
class Asked:
    """What a request asks.

    conversation: all before the input
    user: the input of the turn
    digests: of the input's sounds, as `SentSound` has them
    past: the last turn that the request refers to; None when it refers to none
    sound_s: seconds of sound in the request
    """

    conversation: Conversation
    user: UserInput
    digests: tuple[str, ...]
    past: PastTurn | None
    sound_s: float


async def read_history(request: ChatRequest, state: ServerState, caller: Caller) -> Asked:
    """Read the messages of a request. Raises ApiError, and ConversationError for an order that makes no sense."""
    if len(request.messages) > state.settings.messages:
        raise ApiError(400, f"a conversation may have {state.settings.messages} messages", param="messages")
    history = _History(state, caller)
    *before, last = request.messages
    for number, message in enumerate(before):
        await history.add(message, f"messages.{number}")
    return await history.end(last, f"messages.{len(before)}")


class _History:
    def __init__(self, state: ServerState, caller: Caller) -> None:
        self._state, self._caller = state, caller
        self._reader = SoundReader(state, caller)
        self._conversation = Conversation()
        self._results: dict[str, ToolOutput] = {}  # of the calls that are open
        self._own_ids: dict[str, str] = {}  # of calls, by the ids that the client gives them, maybe in each turn anew
        self._last: PastTurn | None = None
        self._chars = 0
        self._sound_s = 0.0

    async def add(self, message: Any, param: str) -> None:
        """Take a message that is not the last."""
        if isinstance(message, ToolMessage):
            self._take_result(message, param)
            return
        self._settle()
        match message:
            case SystemMessage():
                if text := self._text(message.content, param):
                    self._conversation.add("system", text)
            case AssistantMessage():
                self._add_assistant(message, param)
            case UserMessage():
                parts, _ = await self._parts(message.content, param, is_past=True)
                if parts:
                    self._conversation.add("user", *parts)

    async def end(self, message: Any, param: str) -> Asked:
        """Take the last message, which the turn answers."""
        if isinstance(message, ToolMessage):
            self._take_result(message, param)
            waiting = self._conversation.open_calls
            results: dict[str, Any] = {call.id: ConversationError(without_result(call).text) for call in waiting}
            results |= {call_id: output.text for call_id, output in self._results.items()}
            return self._asked(results, ())
        if not isinstance(message, UserMessage):
            raise ApiError(
                400, "the last message must be of the user, or the result of a tool", code="invalid_conversation",
                param=param,
            )  # fmt: skip
        self._settle()
        parts, digests = await self._parts(message.content, param, is_past=False)
        said = [part.text if isinstance(part, TextPart) else part for part in parts]
        if not said:
            raise ApiError(400, "the last message is empty; say or write something", param=param)
        return self._asked(said[0] if len(said) == 1 else said, digests)

    def _asked(self, user: Any, digests: Sequence[str]) -> Asked:
        return Asked(self._conversation, user, tuple(digests), self._last, self._sound_s)

    # Messages

    def _add_assistant(self, message: AssistantMessage, param: str) -> None:
        text = self._text(message.content, param)
        if (past := self._past(message, text, param)) is not None:
            try:
                for one in past.messages:
                    self._conversation.add(one.role, *one.parts)
            except ConversationError:  # such as the same turn twice
                raise ApiError(400, "this turn was already in the messages", param=param) from None
            self._last = past
            return
        parts: list[Part] = [SpeechPart(text)] if text else []
        known = self._conversation.call_ids if message.tool_calls else set()
        for call in message.tool_calls or ():
            own = next(name for n in count() if (name := f"{call.id}-{n}" if n else call.id) not in known)
            self._own_ids[call.id] = own
            parts.append(ToolCall(own, call.function.name, _arguments(call.function.arguments)))
        if parts:
            self._conversation.add("assistant", *parts)

    def _past(self, message: AssistantMessage, text: str, param: str) -> PastTurn | None:
        """The turn that a message refers to by its audio or its calls.

        Raises ApiError for audio that is unknown, unless the message has its words too.
        """
        ids = [message.audio.id] if message.audio is not None else []
        ids += [call.id for call in message.tool_calls or ()]
        for one in ids:
            if (found := self._state.past.find(self._caller, one)) is not None:
                return found
        if message.audio is not None and not text and not message.tool_calls:
            raise ApiError(
                400, "this audio has expired, or was never made here; send its transcript as `content` instead",
                code="audio_not_found", param=f"{param}.audio.id",
            )  # fmt: skip
        return None

    def _take_result(self, message: ToolMessage, param: str) -> None:
        names = {call.id: call.name for call in self._conversation.open_calls}
        call_id = self._own_ids.get(message.tool_call_id, message.tool_call_id)
        if call_id not in names:
            raise ApiError(
                400, "no assistant message before it has a call with this id that waits for a result",
                code="invalid_conversation", param=f"{param}.tool_call_id",
            )  # fmt: skip
        self._results[call_id] = ToolOutput(call_id, names[call_id], self._text(message.content, param))

    def _settle(self) -> None:
        """Give every open call its result, or a note that none came."""
        calls = self._conversation.open_calls
        if calls:
            outputs = [self._results.get(call.id) or without_result(call) for call in calls]
            self._conversation.add("tool", *outputs)
        self._results = {}

    # Content

    def _text(self, content: str | Sequence[TextContent] | Sequence[AssistantContent] | None, param: str) -> str:
        if content is None or isinstance(content, str):
            return self._counted(content or "", param)
        pieces = (part.text if isinstance(part, TextContent) else part.refusal for part in content)
        return self._counted("\n".join(pieces), param)

    def _counted(self, text: str, param: str) -> str:
        self._chars += len(text)
        if self._chars > self._state.settings.text_chars:
            raise ApiError(
                400, f"the texts of a request may have {self._state.settings.text_chars} characters", param=param
            )  # fmt: skip
        if has_lone_surrogate(text):
            raise ApiError(400, "the text holds half a character (a lone surrogate)", code="invalid_value", param=param)
        return text

    async def _parts(
        self, content: str | Iterable[UserContent], param: str, *, is_past: bool
    ) -> tuple[list[TextPart | AudioPart], list[str]]:
        """The parts of a user's message, and the digests of its sounds."""
        if isinstance(content, str):
            content = [TextContent(type="text", text=content)]
        parts: list[TextPart | AudioPart] = []
        digests: list[str] = []
        for number, part in enumerate(content):
            place = f"{param}.content.{number}"
            if isinstance(part, TextContent):
                if self._counted(part.text, place).strip():
                    parts.append(TextPart(part.text))
                continue
            sound = await self._sound(part, place)
            self._sound_s += sound.audio.duration
            digests.append(sound.digest)
            words = self._state.past.words(self._caller, sound.digest) if is_past else None
            if words is None and is_past:
                words = await self._recognised(sound.audio)
            parts.append(AudioPart(sound.audio, words))
        return parts, digests

    async def _sound(self, part: AudioContent | AudioUrlContent, place: str) -> Any:
        if isinstance(part, AudioContent):
            sent = part.input_audio
            return await self._reader.base64(sent.data, sent.format, f"{place}.input_audio.data")
        return await self._reader.url(part.audio_url.url, f"{place}.audio_url.url")

    async def _recognised(self, audio: Any) -> str | None:
        """The words of an earlier sound; None where the model hears sounds of the past itself."""
        model = self._state.agent.model
        if not isinstance(model, Recognises):
            return None
        try:
            return (await model.recognise(audio)).text
        except AudioError:
            return ""


def _arguments(text: str) -> Mapping[str, Any]:
    """The arguments of a call in the history; those that are not a JSON object stay readable."""
    try:
        value = json.loads(text or "{}")
        is_whole = isinstance(value, dict) and not has_lone_surrogate(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError):
        return {"arguments": text}
    return value if is_whole else {"arguments": text}
