"""The words of a conversation for spans that hold them, as OpenTelemetry's conventions for generative AI write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agentaudio.conversation import AudioPart, Message, Part, SpeechPart, TextPart, ToolCall, ToolOutput
from agentaudio.plain import plain
from agentaudio.tools.tool import Tool


def as_json(value: Any) -> str:
    """Any value as JSON."""
    return json.dumps(plain(value), ensure_ascii=False)


def messages_json(messages: Iterable[Message], *, finish_reason: str | None = None) -> str:
    """`gen_ai.input.messages` and `gen_ai.output.messages`: words, calls and results. Sound is left out.

    finish_reason: of an answer
    """
    ended = {} if finish_reason is None else {"finish_reason": finish_reason}
    found = [{"role": one.role, "parts": [_part(part) for part in one.parts], **ended} for one in messages]
    return json.dumps(found, ensure_ascii=False)


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text=text) | SpeechPart(text=text):
            return {"type": "text", "content": text}
        case AudioPart(transcript=transcript):
            return {"type": "text", "content": transcript or ""}
        case ToolCall(id=call_id, name=name, arguments=arguments):
            return {"type": "tool_call", "id": call_id, "name": name, "arguments": plain(arguments)}
        case ToolOutput(call_id=call_id, text=text):
            return {"type": "tool_call_response", "id": call_id, "response": text}


def definitions(tools: Mapping[str, Tool]) -> str:
    """`gen_ai.tool.definitions`."""
    return json.dumps(
        [
            {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in tools.values()
        ],
        ensure_ascii=False,
    )
