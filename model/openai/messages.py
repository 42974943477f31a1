"""Conversations and tools in the form of Chat Completions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentaudio.conversation import AudioPart, Conversation, Message, SpeechPart, TextPart, ToolSpec
from agentaudio.sound.audio import Audio

SoundPart = Callable[[Audio], Mapping[str, Any]]
"""How a server takes sound, as a content part."""

INPUT_RATE_HZ = 16_000


def input_audio(audio: Audio) -> dict[str, Any]:
    """Sound as OpenAI takes it: a 16 kHz WAV file in base64."""
    return {"type": "input_audio", "input_audio": {"data": _wav(audio), "format": "wav"}}


def input_audio_url(audio: Audio) -> dict[str, Any]:
    """Sound as DashScope takes it: a data URL in the place of the base64 data."""
    return {"type": "input_audio", "input_audio": {"data": f"data:;base64,{_wav(audio)}", "format": "wav"}}


def chat_messages(conversation: Conversation, sound: SoundPart | None = None) -> list[dict[str, Any]]:
    """The messages of a conversation, as Chat Completions has them.

    sound: how sound without a transcript is sent; None sends no sound, only words

    Each output follows the message with its call. A user sound whose words are known is sent as sound too,
    where `sound` is given, since the model hears more than words. Assistant speech is sent as its words:
    as far as they were heard.
    """
    return [sent for message in conversation for sent in _messages(message, sound)]


def tool_list(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """The tools as Chat Completions has them."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]


def _messages(message: Message, sound: SoundPart | None) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [
            {"role": "tool", "tool_call_id": output.call_id, "content": output.text} for output in message.tool_outputs
        ]
    if message.role == "assistant":
        return [_assistant(message)]
    if message.role == "user" and sound is not None and any(isinstance(part, AudioPart) for part in message.parts):
        parts = [
            dict(sound(part.audio)) if isinstance(part, AudioPart) else {"type": "text", "text": part.text}
            for part in message.parts
            if isinstance(part, AudioPart | TextPart | SpeechPart)
        ]
        return [{"role": "user", "content": parts}]
    return [{"role": message.role, "content": message.text}]


def _assistant(message: Message) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    if calls := message.tool_calls:
        sent["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)},
            }
            for call in calls
        ]
    elif sent["content"] is None:
        sent["content"] = ""
    return sent


def _wav(audio: Audio) -> str:
    return base64.b64encode(audio.resample(INPUT_RATE_HZ).to_bytes("wav")).decode("ascii")
