"""Conversations and tools as the events of an OpenAI Realtime client."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentaudio.conversation import AudioPart, Conversation, Message, Part, SpeechPart, TextPart, ToolCall, ToolSpec
from agentaudio.sound.audio import Audio

SAMPLE_RATE_HZ = 24_000
"""Of sound in both directions: pcm16, mono."""

APPEND_S = 2.0
"""Seconds of sound in one event: 128 kB of base64, since some servers close at frames above 1 MiB."""

Event = dict[str, Any]
Dialect = Literal["ga", "beta"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session asks of its server.

    dialect: "ga" is the present protocol; "beta" the flat fields of 2024, which StepFun and others speak
    voice: name of a preset voice; None is the server's own choice
    transcription: model that writes down the user's words; None for none
    """

    dialect: Dialect = "ga"
    voice: str | None = None
    transcription: str | None = None


def opening_events(
    conversation: Conversation, tools: Sequence[ToolSpec], settings: Settings, *, speak: bool, max_tokens: int | None
) -> Iterator[Event]:
    """The events that set up a session, repeat the conversation, and ask for a response.

    The sound of the last user message goes through the input buffer, so that the server transcribes it.
    Earlier sound is sent as its words where they are known.
    """
    messages = list(conversation)
    system = [message for message in messages if message.role == "system"]
    instructions = "\n\n".join(message.text for message in system)
    yield {"type": "session.update", "session": _session(instructions, tools, settings, speak, max_tokens)}
    ends_with_user = bool(messages) and messages[-1].role == "user"
    for message in messages:
        if message.role == "system":
            continue
        is_last = message is messages[-1] and ends_with_user
        yield from _message_events(message, settings.dialect, is_last)
    yield {"type": "response.create"}


def _session(
    instructions: str, tools: Sequence[ToolSpec], settings: Settings, speak: bool, max_tokens: int | None
) -> dict[str, Any]:
    transcription = {"model": settings.transcription} if settings.transcription else None
    flat_tools = [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
        for tool in tools
    ]
    limit = {} if max_tokens is None else {"max_output_tokens": max_tokens}
    if settings.dialect == "beta":
        limit = {} if max_tokens is None else {"max_response_output_tokens": max_tokens}
        return {
            "modalities": ["text", "audio"] if speak else ["text"],
            "instructions": instructions,
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "turn_detection": None,
            "tools": flat_tools,
            **({"voice": settings.voice} if settings.voice else {}),
            **({"input_audio_transcription": transcription} if transcription else {}),
            **limit,
        }
    pcm = {"type": "audio/pcm", "rate": SAMPLE_RATE_HZ}
    return {
        "type": "realtime",
        "output_modalities": ["audio"] if speak else ["text"],
        "instructions": instructions,
        "audio": {
            "input": {"format": pcm, "turn_detection": None, "transcription": transcription},
            "output": {"format": pcm, **({"voice": settings.voice} if settings.voice else {})},
        },
        "tools": flat_tools,
        "tool_choice": "auto",
        **limit,
    }


def _message_events(message: Message, dialect: Dialect, is_last: bool) -> Iterator[Event]:
    if message.role == "tool":
        for output in message.tool_outputs:
            yield _item({"type": "function_call_output", "call_id": output.call_id, "output": output.text})
        return
    if message.role == "assistant":
        words = " ".join(part.text for part in message.parts if isinstance(part, TextPart | SpeechPart) and part.text)
        if words:
            kind = "text" if dialect == "beta" else "output_text"
            yield _item({"type": "message", "role": "assistant", "content": [{"type": kind, "text": words}]})
        for call in message.tool_calls:
            yield _item(_call(call))
        return
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if is_last and isinstance(part, AudioPart):
            if content:
                yield _item({"type": "message", "role": "user", "content": content})
                content = []
            yield from _spoken(part.audio)
        elif (sent := _content(part)) is not None:
            content.append(sent)
    if content:
        yield _item({"type": "message", "role": "user", "content": content})


def _content(part: Part) -> dict[str, Any] | None:
    if isinstance(part, AudioPart) and part.transcript is None:
        return {"type": "input_audio", "audio": _base64(part.audio)}
    text = part.transcript if isinstance(part, AudioPart) else part.text if isinstance(part, TextPart) else None
    return {"type": "input_text", "text": text} if text else None


def _spoken(audio: Audio) -> Iterator[Event]:
    pcm = audio.resample(SAMPLE_RATE_HZ).to_pcm16()
    step = int(APPEND_S * SAMPLE_RATE_HZ) * 2
    for start in range(0, len(pcm), step):
        piece = base64.b64encode(pcm[start : start + step]).decode("ascii")
        yield {"type": "input_audio_buffer.append", "audio": piece}
    yield {"type": "input_audio_buffer.commit"}


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}


def _item(item: Mapping[str, Any]) -> Event:
    return {"type": "conversation.item.create", "item": dict(item)}


def _base64(audio: Audio) -> str:
    return base64.b64encode(audio.resample(SAMPLE_RATE_HZ).to_pcm16()).decode("ascii")
