"""Stored turns as messages, and messages as turns to be stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from agentaudio.conversation import (
    STILL_RUNNING,
    AudioPart,
    Conversation,
    Message,
    Part,
    SpeechPart,
    TextPart,
    ToolCall,
    ToolOutput,
)
from agentaudio.errors import ConversationError, StorageError
from agentaudio.sound.audio import Audio
from agentaudio.sound.filed import FiledAudio
from agentaudio.storage.records import TurnRow
from agentaudio.wire import FindSound, StoredMessage, message_data, message_parts

UNKNOWN_END = "It is unknown how this call ended: the conversation was left before its result came."
"""Text of a call whose result can no longer come. The model reads it."""
NOT_KEPT = "(spoken words, of which neither the sound nor a transcript was kept)"

_MESSAGES: TypeAdapter[list[StoredMessage]] = TypeAdapter(list[StoredMessage])


def stored_messages(messages: Iterable[Message], *, keep_sound: bool) -> tuple[str, dict[str, Audio]]:
    """Messages as JSON, and their sounds by file name; without `keep_sound`, words alone are left.

    Raises ConversationError for arguments of calls without end.
    """
    sounds: dict[str, Audio] = {}
    if not keep_sound:
        messages = map(_in_words, messages)
    data = [message_data(one, sounds) for one in messages]
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode(), sounds


def lightened(message: Message, sound: FindSound | None) -> Message:
    """The message with its sound in files; without `sound`, with words alone where there are some."""

    def light(part: Part) -> Part:
        if not isinstance(part, AudioPart | SpeechPart) or part.audio is None or isinstance(part.audio, FiledAudio):
            return part
        if sound is not None and len(part.audio):
            return replace(part, audio=sound(f"{part.audio.sha256}.wav", part.audio.sample_rate))
        if isinstance(part, AudioPart) and part.transcript is None:
            return part
        return _resumed(_without_sound(part))

    return replace(message, parts=tuple(light(part) for part in message.parts))


def turn_messages(row: TurnRow, sound: FindSound) -> list[Message]:
    """The messages of a stored turn. Raises StorageError when they are damaged, and what `sound` raises."""
    try:
        stored = _MESSAGES.validate_json(row.messages)
        if not stored:
            raise ConversationError("it has no messages")
        return [
            Message(one.role, tuple(_resumed(part) for part in message_parts(one, sound)), one.failed, row.number)
            for one in stored
        ]
    except (ValidationError, ConversationError) as error:
        raise StorageError(
            f"turn {row.number} is damaged: {str(error):.200}; it was left as it is; restore the store from a copy"
        ) from None


def conversation_of(rows: Sequence[TurnRow], sound: FindSound) -> Conversation:
    """The conversation of stored turns, of which some may be missing: cut off before the first, or erased.

    Every result has its call, every call but those at the end its result, and every answer its question. Raises what
    `turn_messages` raises.
    """
    kept: list[Message] = []
    waiting: dict[str, ToolCall] = {}
    for row in rows:
        turn = turn_messages(row, sound)
        if waiting and not any(output.call_id in waiting for output in turn[0].tool_outputs):
            kept.append(_unknown(waiting, kept[-1].turn))
        elif not waiting and turn[0].role == "tool":
            # The turn with its calls was erased, and with it what this one answers.
            turn = turn[next((at for at, one in enumerate(turn) if one.role == "user"), len(turn)) :]
        for message in turn:
            if message.role == "tool":
                outputs = [part for part in message.tool_outputs if waiting.pop(part.call_id, None) is not None]
                message = replace(message, parts=tuple(_ended(output) for output in outputs))
            elif waiting:
                kept.append(_unknown(waiting, kept[-1].turn))
            if message.role == "assistant":
                waiting.update((call.id, call) for call in message.tool_calls)
            if message.parts:
                kept.append(message)
    return Conversation(kept)


def _unknown(waiting: dict[str, ToolCall], turn: int) -> Message:
    """The outputs of calls whose result can no longer come. `waiting` is emptied."""
    outputs = tuple(ToolOutput(call.id, call.name, UNKNOWN_END, is_error=True) for call in waiting.values())
    waiting.clear()
    return Message("tool", outputs, turn=turn)


def _ended(output: ToolOutput) -> ToolOutput:
    """The output of a call that ran on when the session was left: nothing of it runs now."""
    return replace(output, text=UNKNOWN_END) if STILL_RUNNING in output.text else output


def _in_words(message: Message) -> Message:
    """The message without its sound."""
    if not any(isinstance(part, AudioPart | SpeechPart) for part in message.parts):
        return message
    return replace(message, parts=tuple([_without_sound(part) for part in message.parts]))


def _without_sound(part: Part) -> Part:
    if isinstance(part, AudioPart):
        return replace(part, audio=Audio.silence(0.0, part.audio.sample_rate))
    if isinstance(part, SpeechPart) and (part.audio is not None or part.tokens is not None):
        return replace(part, audio=None, tokens=None)  # tokens are the sound in another form
    return part


def _resumed(part: Part) -> Part:
    """The part as a model can take it."""
    if isinstance(part, AudioPart) and not isinstance(part.audio, FiledAudio) and not len(part.audio):
        return TextPart(NOT_KEPT if part.transcript is None else part.transcript)
    return part
