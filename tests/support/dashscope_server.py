"""What DashScope's Qwen-Omni refuses, and how it streams its sound."""

from __future__ import annotations

import base64
import json
from typing import Any

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio
from support.openai_server import DONE, Reply, delta, event

VOICES = ("Cherry", "Ethan", "Chelsie", "Serena")
FIELDS = {"model", "messages", "modalities", "audio", "stream", "stream_options", "tools", "temperature", "top_p",
          "max_tokens", "seed", "stop"}  # fmt: skip


def refused(request: dict[str, Any]) -> Reply | None:
    """The refusal of a request, in the server's form; None for a good one."""
    if (fault := _fault(request)) is None:
        return None
    error = {"code": "invalid_parameter_error", "message": fault, "param": None, "type": "invalid_request_error"}
    return Reply([json.dumps({"error": error}).encode()], status=400, headers={"content-type": "application/json"})


def _fault(request: dict[str, Any]) -> str | None:
    if request.get("stream") is not True:
        return "This model only supports stream mode, please enable the stream parameter."
    if unknown := set(request) - FIELDS:
        return f"unknown fields {sorted(unknown)}"
    if request.get("modalities") not in (["text"], ["text", "audio"]):
        return "modalities must be text, or text and audio"
    if "audio" in request["modalities"]:
        if request.get("audio", {}).get("format") != "wav":
            return "the format of audio must be wav"
        if request["audio"].get("voice") not in VOICES:
            return f"Voice {request['audio'].get('voice')!r} is not supported."
    for message in request["messages"]:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if message["role"] != "user" or part["type"] not in ("text", "input_audio"):
                return f"a part {part['type']} of {message['role']}"
            if part["type"] == "input_audio" and not _is_sound(part["input_audio"]):
                return "The provided URL does not appear to be valid. Ensure it is correctly formatted."
    return None


def _is_sound(given: dict[str, Any]) -> bool:
    head, _, data = given["data"].partition(",")
    if head != "data:;base64" or given["format"] != "wav" or len(given["data"]) > 10 << 20:
        return False
    try:
        return Audio.load(base64.b64decode(data, validate=True)).duration > 0
    except (AudioError, ValueError):
        return False


def spoken(words: str, pcm: bytes, cut: int) -> list[bytes]:
    """An answer whose sound is one base64 text, in pieces of `cut` characters."""
    data = base64.b64encode(pcm).decode()
    pieces = [data[start : start + cut] for start in range(0, len(data), cut)]
    usage = {
        "prompt_tokens": 30, "completion_tokens": 40, "total_tokens": 70,
        "prompt_tokens_details": {"audio_tokens": 25, "text_tokens": 5},
        "completion_tokens_details": {"audio_tokens": 32, "text_tokens": 8},
    }  # fmt: skip
    return [
        delta(role="assistant", content=""),
        *(delta(content=word + " ") for word in words.split(" ")),
        *(delta(audio={"data": piece, "expires_at": 1, "id": "audio_1"}) for piece in pieces),
        delta("stop", content=""),
        event({"id": "1", "choices": [], "usage": usage}),
        DONE,
    ]
