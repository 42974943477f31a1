"""Chat requests to a vLLM that serves Step-Audio 2, as its clients write them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import soundfile

from agentaudio.conversation import AudioPart, Conversation, Message, SpeechPart, TextPart, ToolCall, ToolSpec
from agentaudio.model.step_audio_2.language.dialect import Translation


def wire_messages(conversation: Conversation, translation: Translation, *, sound_as_it_is: bool = False) -> list[Any]:
    """The messages of a conversation. sound_as_it_is: for `request_turns`, which takes Audio; else WAV files"""
    messages: list[dict[str, Any]] = []
    for message in conversation:
        if message.role == "tool":
            for output in message.tool_outputs:
                texts = [{"type": "text", "text": text} for text in translation.result(output)]
                messages.append({"role": "tool", "tool_call_id": output.call_id, "content": texts})
        else:
            messages.append(_message(message, translation, sound_as_it_is))
    return messages


def _message(message: Message, translation: Translation, sound_as_it_is: bool) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    calls = []
    for part in message.parts:
        if isinstance(part, TextPart):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, SpeechPart):
            codes = [] if part.tokens is None else list(part.tokens.ids)
            content.append({"type": "text", "text": part.text, "codes": codes})
        elif isinstance(part, AudioPart) and sound_as_it_is:
            content.append({"type": "audio", "audio": part.audio})
        elif isinstance(part, AudioPart):
            content.append(input_audio(part))
        elif isinstance(part, ToolCall):
            call = translation.to_native(part)
            function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
            calls.append({"id": call.id, "type": "function", "function": function})
    return {"role": message.role, "content": content, **({"tool_calls": calls} if calls else {})}


def input_audio(part: AudioPart) -> dict[str, Any]:
    """A sound as a WAV file of its own rate, in 32-bit floats."""
    file = io.BytesIO()
    soundfile.write(file, part.audio.samples, part.audio.sample_rate, format="WAV", subtype="FLOAT")
    return {
        "type": "input_audio",
        "input_audio": {"data": base64.b64encode(file.getvalue()).decode(), "format": "wav"},
    }


def wire_tools(specs: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools in a request."""
    return [
        {
            "type": "function",
            "function": {"name": one.name, "description": one.description, "parameters": dict(one.parameters)},
        }
        for one in specs
    ]
