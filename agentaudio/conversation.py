"""What was said: typed messages that every model and every room can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentaudio.errors import ConversationError
from agentaudio.sound.audio import Audio

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of retrieved text and where it comes from.

    source: a path or URL; position: where in the source it starts, in characters
    """

    text: str
    title: str
    source: str
    position: int = 0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer used, and the words of it that were used."""

    title: str
    source: str
    quote: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class TextPart:
    """Written words."""

    text: str


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Sound that was heard, and its words once a model has recognised them."""

    audio: Audio
    transcript: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechPart:
    """What an assistant said: the words, their sound, and the speech tokens it was made from.

    tokens: codec ids of the model that spoke; empty for models without speech tokens
    interrupted: the turn was stopped, so the words may have no end
    """

    text: str
    audio: Audio | None = None
    tokens: tuple[int, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool; `id` ties the output to it."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool call came to, as the model gets to read it."""

    call_id: str
    name: str
    text: str
    passages: tuple[Passage, ...] = ()
    is_error: bool = False


Part = TextPart | AudioPart | SpeechPart | ToolCall | ToolOutput


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told about a tool.

    parameters: JSON Schema of an object
    phrases: what people may say when they want this tool; models that recognise and route by
        examples use them, others may ignore them. `{name}` stands for the value of an argument.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One role's go: its parts, in the order they came."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The words of it: written, recognised or spoken."""
        words = []
        for part in self.parts:
            if isinstance(part, TextPart | SpeechPart):
                words.append(part.text)
            elif isinstance(part, AudioPart) and part.transcript:
                words.append(part.transcript)
        return " ".join(words)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def tool_outputs(self) -> tuple[ToolOutput, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolOutput))


@dataclass(slots=True)
class Conversation:
    """The messages so far. Every tool output answers a call, and every call is answered once.

    Raises ConversationError for an output without a call, a second output of a call, or
    anything said while calls are open.
    """

    messages: list[Message] = field(default_factory=list)

    def add(self, role: Role, *parts: Part | str) -> Message:
        """Append a message; a plain string stands for a TextPart."""
        typed = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
        if not typed:
            raise ConversationError(f"an empty {role} message; give at least one part")
        waiting = {call.id for call in self.open_calls}
        for part in typed:
            if isinstance(part, ToolOutput):
                if part.call_id not in waiting:
                    raise ConversationError(
                        f"tool output for call {part.call_id!r}, which is not open; open calls: {waiting or 'none'}"
                    )
                waiting.remove(part.call_id)
            elif role == "tool":
                raise ConversationError(f"a tool message holds tool outputs, not {type(part).__name__}")
        if role != "tool" and waiting:
            raise ConversationError(f"calls {sorted(waiting)} have no output yet; answer them before going on")
        message = Message(role, typed)
        self.messages.append(message)
        return message

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        """Calls that have no output yet, in order."""
        calls: dict[str, ToolCall] = {}
        for message in reversed(self.messages):
            if message.role == "assistant":
                calls = {call.id: call for call in message.tool_calls}
                break
            if message.role != "tool":
                break
        answered = {output.call_id for output in self._last_outputs()}
        return tuple(call for call_id, call in calls.items() if call_id not in answered)

    def _last_outputs(self) -> Sequence[ToolOutput]:
        outputs: list[ToolOutput] = []
        for message in reversed(self.messages):
            if message.role != "tool":
                break
            outputs.extend(message.tool_outputs)
        return outputs

    @property
    def last_outputs(self) -> tuple[ToolOutput, ...]:
        """The tool outputs that a model is now expected to answer from, in order; else empty."""
        return tuple(reversed(self._last_outputs()))

    @property
    def last_user(self) -> Message | None:
        """The newest message of the user."""
        return next((m for m in reversed(self.messages) if m.role == "user"), None)

    def set_transcript(self, transcript: str) -> None:
        """Remember the recognised words of the newest user message's sound."""
        for position in range(len(self.messages) - 1, -1, -1):
            message = self.messages[position]
            if message.role == "user":
                parts = tuple(
                    AudioPart(part.audio, transcript) if isinstance(part, AudioPart) else part for part in message.parts
                )
                self.messages[position] = Message("user", parts)
                return
        raise ConversationError("there is no user message to transcribe; add one first")

    def copy(self) -> Conversation:
        """A conversation of its own with the same (immutable) messages."""
        return Conversation(list(self.messages))

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def __len__(self) -> int:
        return len(self.messages)
