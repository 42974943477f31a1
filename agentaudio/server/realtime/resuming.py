"""A stored conversation as items, with which a session goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Literal

from agentaudio.conversation import AudioPart, Message, SpeechPart, TextPart, ToolCall, ToolOutput
from agentaudio.server.realtime import items
from agentaudio.server.realtime.history import History
from agentaudio.server.realtime.items import FunctionCall, FunctionOutput, Item, new_id
from agentaudio.server.realtime.share import Share, Spoken


def resume(history: History, conversation: Iterable[Message]) -> list[Item]:
    """Put the turns of a stored conversation into an empty history. Returns its items, in order."""
    calls: dict[str, str] = {}  # ids of calls that the client runs, as the agent and the client know them
    for turn, messages in groupby(conversation, key=lambda message: message.turn):
        if turn:
            _resume_turn(history, turn, list(messages), calls)
    return list(history)


def _resume_turn(history: History, turn: int, messages: list[Message], calls: dict[str, str]) -> None:
    first = next((at for at, message in enumerate(messages) if message.role == "assistant"), len(messages))
    for message in messages[:first]:
        for item in _before_answer(message, calls):
            history.append(item)
    share = Share()
    share.turn = turn
    history.begin(share)
    share.collect(messages[first:])
    answered = {output.call_id for message in messages[first:] for output in message.tool_outputs}
    answers = [message for message in messages[first:] if message.role == "assistant"]
    for step, message in enumerate(answers, 1):
        for part in message.parts:
            match part:
                case SpeechPart(text=text):
                    status: items.Status = "incomplete" if part.interrupted else "completed"
                    said = items.Message(new_id("item"), "assistant", [], status, said=text)
                    share.spoken.append(Spoken(said, step, words=text, pieces=None))
                    history.append(said)
                case ToolCall(id=call_id) if call_id not in answered:
                    calls[call_id] = new_id("call")
                    call = FunctionCall(new_id("item"), calls[call_id], part.name, _json(part.arguments))
                    share.calls[call.id] = call, part
                    history.append(call)


def _before_answer(message: Message, calls: Mapping[str, str]) -> Iterable[Item]:
    if message.role == "tool":
        for part in message.parts:
            if isinstance(part, ToolOutput) and part.call_id in calls:
                yield FunctionOutput(new_id("item"), calls[part.call_id], part.text)
        return
    role: Literal["system", "user"] = "system" if message.role == "system" else "user"
    parts = [part for part in message.parts if isinstance(part, TextPart | AudioPart)]
    words = next((part.transcript for part in parts if isinstance(part, AudioPart)), None)
    yield items.Message(new_id("item"), role, parts, transcript=words)


def _json(arguments: Mapping[str, object]) -> str:
    return json.dumps(dict(arguments), ensure_ascii=False)
