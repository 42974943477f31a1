"""`Conversation` and its typed messages, which models and tools share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentaudio.errors import ConversationError
from agentaudio.sound.aside import SoundsAside
from agentaudio.sound.audio import Audio
from agentaudio.text.template import Phrase

Role = Literal["system", "user", "assistant", "tool"]

UNEXPECTED = "failed unexpectedly"
"""Text of a failed call whose error message is not meant for the listener."""
STILL_RUNNING = "still running; how it ends is not known yet"
"""Text of a call that runs on after its turn or its time limit."""
IN_BACKGROUND = "has begun and goes on in the background"
"""Text of a call of a background tool, whose result comes later."""
MAY_HAVE_EFFECT = "it may have taken effect"
"""Text of a call that was stopped, of a tool that is not idempotent."""
NOT_TOLD = "(After this the turn failed: the user got no answer and was not told of this result.)"


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of retrieved text and its source.

    source: path or URL
    position: where the text starts in the source, in characters
    """

    text: str
    title: str
    source: str
    position: int = 0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer used.

    quote: the words that were used
    position: where they start in the source, in characters
    """

    title: str
    source: str
    quote: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text."""

    text: str


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Sound from the user.

    transcript: its words; None until a model has recognised them
    """

    audio: Audio
    transcript: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechTokens:
    """Speech as token ids of a codec. Only models with the same codec can read them.

    codec: name of the codec, such as "cosyvoice2"
    rate_hz: ids per second of sound
    """

    ids: tuple[int, ...]
    codec: str
    rate_hz: float

    def __add__(self, more: SpeechTokens) -> SpeechTokens:
        """Concatenate. Raises ConversationError for tokens of another codec."""
        if (self.codec, self.rate_hz) != (more.codec, more.rate_hz):
            raise ConversationError(f"tokens of the codec {more.codec!r} cannot follow those of {self.codec!r}")
        return replace(self, ids=self.ids + more.ids)

    def until(self, seconds: float) -> SpeechTokens:
        """The tokens of the first `seconds` of sound, without one that would be cut."""
        return replace(self, ids=self.ids[: int(seconds * self.rate_hz + 1e-6)])


@dataclass(frozen=True, slots=True)
class SpeechPart:
    """Speech of the assistant, as far as the listener heard it: words, sound and speech tokens.

    tokens: None for models without speech tokens
    interrupted: whether the speech was cut off; if so, this part ends at the cut
    cut_s: seconds of sound that were heard before the cut; None when the sound was not cut
    """

    text: str
    audio: Audio | None = None
    tokens: SpeechTokens | None = None
    interrupted: bool = False
    cut_s: float | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call by the model.

    id: unique in the conversation; the output refers to it
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """The output of a tool call, as the model reads it."""

    call_id: str
    name: str
    text: str
    passages: tuple[Passage, ...] = ()
    is_error: bool = False


Part = TextPart | AudioPart | SpeechPart | ToolCall | ToolOutput


def with_sound_aside(part: Part, aside: SoundsAside) -> Part:
    """The part with its sound in a file; the same object where there is nothing to move."""
    if not isinstance(part, AudioPart | SpeechPart) or part.audio is None:
        return part
    audio = aside.put(part.audio)
    return part if audio is part.audio else replace(part, audio=audio)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """The description of a tool for a model.

    parameters: JSON Schema of an object
    phrases: examples of what users say when they want this tool, for models that recognise speech or choose tools by
        example. The slots of a Template stand for arguments; a str is a sentence, whatever characters it holds.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] = field(hash=False)
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A message by one role: its parts, in order.

    failed: whether the turn failed after this message, so that the user got no answer, or not a whole one
    turn: number of the session's turn that it belongs to, from 1; 0 for a message from outside
    """

    role: Role
    parts: tuple[Part, ...]
    failed: bool = False
    turn: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The words of all parts: written, recognised or spoken."""
        words = []
        for part in self.parts:
            if isinstance(part, TextPart | SpeechPart):
                words.append(part.text)
            elif isinstance(part, AudioPart) and part.transcript:
                words.append(part.transcript)
        return " ".join(words)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple([part for part in self.parts if isinstance(part, ToolCall)])

    @property
    def tool_outputs(self) -> tuple[ToolOutput, ...]:
        return tuple([part for part in self.parts if isinstance(part, ToolOutput)])


@dataclass(slots=True)
class Conversation:
    """The messages so far. Each tool call has one output before the conversation goes on.

    `add` raises ConversationError for an output without a call, a second output for a call, a call id that
    is already used, and any other message while calls are open.
    """

    messages: list[Message] = field(default_factory=list)

    def add(self, role: Role, *parts: Part | str, turn: int = 0) -> Message:
        """Append a message; a string becomes a TextPart. turn: as in Message"""
        message = Message(role, tuple([TextPart(part) if isinstance(part, str) else part for part in parts]), turn=turn)
        if not message.parts:
            raise ConversationError(f"an empty {role} message; give at least one part")
        open_ids = [call.id for call in self.open_calls]
        if role == "tool":
            _check_outputs(message, open_ids)
        elif open_ids:
            raise ConversationError(f"calls {sorted(open_ids)} have no output yet; answer them first")
        elif message.tool_outputs:
            raise ConversationError(f"a {role} message cannot hold tool outputs; add them with the role 'tool'")
        if calls := message.tool_calls:
            known = self.call_ids
            for call in calls:
                if call.id in known:
                    raise ConversationError(f"there is already a call with the id {call.id!r}; give each call its own")
                known.add(call.id)
        self.messages.append(message)
        return message

    @property
    def call_ids(self) -> set[str]:
        """The ids of all calls."""
        return {part.id for message in self.messages for part in message.parts if isinstance(part, ToolCall)}

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        """The calls without an output, in order."""
        answered: set[str] = set()
        for message in reversed(self.messages):
            if message.role == "assistant":
                return tuple([call for call in message.tool_calls if call.id not in answered])
            if message.role != "tool":
                break
            answered.update(output.call_id for output in message.tool_outputs)
        return ()

    @property
    def last_outputs(self) -> tuple[ToolOutput, ...]:
        """The tool outputs at the end of the conversation, in order; empty when it ends with another message."""
        outputs: list[ToolOutput] = []
        for message in reversed(self.messages):
            if message.role != "tool":
                break
            outputs[:0] = message.tool_outputs
        return tuple(outputs)

    @property
    def last_user(self) -> Message | None:
        """The latest user message."""
        return next((m for m in reversed(self.messages) if m.role == "user"), None)

    @property
    def unanswered(self) -> tuple[Part, ...]:
        """The parts of the user's messages at the end of the conversation, in order."""
        parts: list[Part] = []
        for message in reversed(self.messages):
            if message.role != "user":
                break
            parts[:0] = message.parts
        return tuple(parts)

    def replace(self, old: Part, new: Part | None) -> bool:
        """Replace the part `old`, found by identity, with `new`; None removes it.

        A message without parts is removed too. Returns False when `old` is not in the conversation.
        """
        for position in range(len(self.messages) - 1, -1, -1):
            message = self.messages[position]
            if any(part is old for part in message.parts):
                parts = tuple(new if part is old else part for part in message.parts)
                kept = tuple(part for part in parts if part is not None)
                self.messages[position : position + 1] = [replace(message, parts=kept)] if kept else []
                if message.failed and position and not kept:
                    self.mark_failed(position - 1)
                return True
        return False

    def replace_output(self, output: ToolOutput) -> bool:
        """Put an output in the place of the one for the same call. Returns False when there is none."""
        for message in self.messages:
            for old in message.tool_outputs:
                if old.call_id == output.call_id:
                    return self.replace(old, output)
        return False

    def of_turn(self, number: int) -> list[Message]:
        """The messages of a turn, in order."""
        found: list[Message] = []
        for message in reversed(self.messages):
            if message.turn == number:
                found.append(message)
            elif message.turn < number:
                break  # turns follow each other
        return found[::-1]

    def remove_turn(self, number: int) -> None:
        """Remove the messages of a turn."""
        self.messages[:] = [message for message in self.messages if message.turn != number]

    def mark_failed(self, position: int = -1) -> None:
        """Say of a message, by default the last, that its turn failed after it."""
        if self.messages[position:]:
            self.messages[position] = replace(self.messages[position], failed=True)

    def for_model(self) -> Conversation:
        """A copy in which the last result of a failed turn says that the user was not told of it."""
        shown = self.copy()
        for position, message in enumerate(self.messages):
            if message.failed and message.tool_outputs:
                *before, last = message.tool_outputs
                told = replace(last, text=f"{last.text}\n{NOT_TOLD}")
                shown.messages[position] = replace(message, parts=(*before, told))
        return shown

    def copy(self) -> Conversation:
        """A new conversation with the same messages, which are immutable."""
        return Conversation(list(self.messages))

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def __len__(self) -> int:
        return len(self.messages)


def _check_outputs(message: Message, open_ids: list[str]) -> None:
    waiting = set(open_ids)
    for part in message.parts:
        if not isinstance(part, ToolOutput):
            raise ConversationError(f"a tool message holds tool outputs, not {type(part).__name__}")
        if part.call_id not in waiting:
            raise ConversationError(
                f"tool output for call {part.call_id!r}, which is not open; open calls: {sorted(waiting) or 'none'}"
            )
        waiting.remove(part.call_id)
