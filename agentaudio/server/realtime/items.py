"""Items of a conversation: messages, function calls and their outputs, as clients see them and as the agent does."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentaudio.conversation import AudioPart, TextPart
from agentaudio.server.realtime.formats import SoundFormat
from agentaudio.server.realtime.refusal import Refusal, wrong_type
from agentaudio.sound.audio import Audio

Status = Literal["completed", "incomplete", "in_progress"]
LONGEST_ID = 128
MOST_PARTS = 100
MOST_SOUND_BYTES = 720_000
"""More sound is left out of an item: some clients close the connection at a frame of 1 MiB."""
LONGEST_CALL_ID = 32
"""Characters. Clients replace longer ids of calls when they repeat a conversation."""


@dataclass(frozen=True, slots=True)
class ItemLimits:
    """What an item of a client may hold.

    form: of its sound
    sound_s: of all its sound, in seconds
    text_chars: of all its text
    """

    form: SoundFormat
    sound_s: float
    text_chars: int


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


@dataclass(eq=False, slots=True)
class Message:
    """A message of the user, the system or the assistant.

    parts: of the user, system, or of an assistant's message that a client made: text and sound, in order
    said: words of the assistant; None for a message that a client made
    transcript: the user's words, when they are known
    sound: whether the assistant's message has sound
    """

    id: str
    role: Literal["user", "assistant", "system"]
    parts: list[TextPart | AudioPart] = field(default_factory=list)
    status: Status = "completed"
    said: str | None = None
    transcript: str | None = None
    sound: bool = False

    def to_wire(self, form: SoundFormat | None = None) -> dict[str, Any]:
        """The item. form: also the user's sound, in this format, as far as MOST_SOUND_BYTES of it are enough"""
        return {
            "id": self.id, "object": "realtime.item", "type": "message", "status": self.status, "role": self.role,
            "content": self._content(form),
        }  # fmt: skip

    def _content(self, form: SoundFormat | None) -> list[dict[str, Any]]:
        if self.said is not None:
            return [output_part(self.said, sound=self.sound)] if self.said or self.sound else []
        found: list[dict[str, Any]] = []
        left_bytes = MOST_SOUND_BYTES - 4 * text_length(self)
        for part in self.parts:
            if isinstance(part, AudioPart):
                one: dict[str, Any] = {"type": "input_audio", "transcript": self.transcript or part.transcript}
                if form is not None and part.audio.duration * form.rate_hz * form.sample_bytes <= left_bytes:
                    sound = form.encode(part.audio.resample(form.rate_hz))
                    left_bytes -= len(sound)
                    one["audio"] = base64.b64encode(sound).decode("ascii")
                found.append(one)
            else:
                found.append({"type": "output_text" if self.role == "assistant" else "input_text", "text": part.text})
        return found


@dataclass(eq=False, slots=True)
class FunctionCall:
    """A call that the client runs. call_id: on the wire; the agent knows the call by `ToolCall.id`"""

    id: str
    call_id: str
    name: str
    arguments: str
    status: Status = "completed"

    def to_wire(self, form: SoundFormat | None = None) -> dict[str, Any]:
        return {
            "id": self.id, "object": "realtime.item", "type": "function_call", "status": self.status, "name": self.name,
            "call_id": self.call_id, "arguments": self.arguments,
        }  # fmt: skip


@dataclass(eq=False, slots=True)
class FunctionOutput:
    """The result of a call that the client ran."""

    id: str
    call_id: str
    output: str
    status: Status = "completed"

    def to_wire(self, form: SoundFormat | None = None) -> dict[str, Any]:
        return {
            "id": self.id, "object": "realtime.item", "type": "function_call_output", "status": self.status,
            "call_id": self.call_id, "output": self.output,
        }  # fmt: skip


Item = Message | FunctionCall | FunctionOutput


def output_part(text: str, *, sound: bool) -> dict[str, Any]:
    """The content of an assistant's message in an item."""
    return {"type": "output_audio", "transcript": text} if sound else {"type": "output_text", "text": text}


def text_length(item: Item) -> int:
    """Characters of an item."""
    match item:
        case Message(parts=parts, said=said):
            texts = [part.text if isinstance(part, TextPart) else part.transcript for part in parts]
            return sum(len(text) for text in (said, *texts) if text)
        case FunctionCall(arguments=text) | FunctionOutput(output=text):
            return len(text)


def read_item(value: Any, limits: ItemLimits, *, param: str = "item") -> Item:
    """An item that a client makes. Raises Refusal."""
    item = _read_item(value, limits, param)
    if text_length(item) > limits.text_chars:
        raise Refusal(
            f"'{param}' has more than the {limits.text_chars} characters that the server takes.",
            code="string_above_max_length", param=param,
        )  # fmt: skip
    return item


def _read_item(value: Any, limits: ItemLimits, param: str) -> Item:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    item_id = value.get("id")
    if item_id is None:
        item_id = new_id("item")
    elif not isinstance(item_id, str) or not 0 < len(item_id) <= LONGEST_ID:
        raise Refusal(f"Invalid value for '{param}.id': 1 to {LONGEST_ID} characters.", param=f"{param}.id")
    match value.get("type", "message" if "role" in value else None):
        case "message":
            return _message(value, item_id, limits, param)
        case "function_call":
            name, arguments = _text(value, "name", param), value.get("arguments", "")
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments, ensure_ascii=False)
            call_id = value.get("call_id")
            return FunctionCall(item_id, _text(value, "call_id", param) if call_id else new_id("call"), name, arguments)
        case "function_call_output":
            output = value.get("output", "")
            if not isinstance(output, str):
                output = json.dumps(output, ensure_ascii=False)
            return FunctionOutput(item_id, _text(value, "call_id", param), output)
        case other:
            raise Refusal(
                f"Invalid value for '{param}.type': {str(other)[:60]!r}. Supported values are: 'message', "
                "'function_call', and 'function_call_output'.",
                param=f"{param}.type",
            )


def decode_base64(value: Any, param: str) -> bytes:
    """The bytes of a base64 string. Raises Refusal."""
    if not isinstance(value, str):
        raise wrong_type(param, "a base64 string")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError):
        raise Refusal(f"Invalid '{param}': not valid base64.", code="invalid_base64", param=param) from None


def _message(value: Mapping[str, Any], item_id: str, limits: ItemLimits, param: str) -> Message:
    role = value.get("role")
    if role == "developer":
        role = "system"
    if role not in ("user", "assistant", "system"):
        raise Refusal(
            f"Invalid value for '{param}.role'. Supported values are: 'user', 'assistant', 'system'.",
            param=f"{param}.role",
        )
    content = value.get("content")
    if isinstance(content, str):
        content = [{"type": "input_text", "text": content}]
    if not isinstance(content, list) or len(content) > MOST_PARTS:
        raise wrong_type(f"{param}.content", f"a list of at most {MOST_PARTS} parts")
    sound_s = 0.0
    parts: list[TextPart | AudioPart] = []
    for number, one in enumerate(content):
        place = f"{param}.content[{number}]"
        part = _part(one, limits, place)
        if part is not None:
            parts.append(part)
        sound_s += part.audio.duration if isinstance(part, AudioPart) else 0.0
        if sound_s > limits.sound_s:
            raise _too_long(place, limits)
    return Message(item_id, role, parts)


def _too_long(place: str, limits: ItemLimits) -> Refusal:
    return Refusal(
        f"The sound up to '{place}.audio' is longer than {limits.sound_s:g} s.", code="audio_too_long",
        param=f"{place}.audio",
    )  # fmt: skip


def _part(value: Any, limits: ItemLimits, place: str) -> TextPart | AudioPart | None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("input_text", "output_text", "text"):
        text = value.get("text")
        if not isinstance(text, str):
            raise wrong_type(f"{place}.text", "a string")
        return TextPart(text) if text.strip() else None
    if kind in ("input_audio", "output_audio", "audio"):
        words = value.get("transcript")
        words = words if isinstance(words, str) and words.strip() else None
        if value.get("audio") and kind == "input_audio":
            content = decode_base64(value["audio"], f"{place}.audio")
            form = limits.form
            if len(content) / (form.sample_bytes * form.rate_hz) > limits.sound_s:
                raise _too_long(place, limits)
            sound = form.decode(content[: len(content) - len(content) % form.sample_bytes])
            return AudioPart(as_heard(sound), words) if len(sound) else None
        return None if words is None else TextPart(words)
    raise Refusal(
        f"Invalid value for '{place}.type'. Supported values are: 'input_text', 'input_audio', 'output_text', "
        "'output_audio'.",
        param=f"{place}.type",
    )


def as_heard(sound: Audio) -> Audio:
    """Sound at the rate that models of speech hear."""
    return sound.resample(16_000)


def _text(value: Mapping[str, Any], name: str, param: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID:
        raise Refusal(
            f"Invalid value for '{param}.{name}': a string of 1 to {LONGEST_ID} characters.", param=f"{param}.{name}"
        )
    return found
