"""`Response`: the server's events of one response, as deltas."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from agentaudio.conversation import ToolCall
from agentaudio.errors import BackendError
from agentaudio.model.call_arguments import read_arguments
from agentaudio.model.openai.usage import REALTIME, token_counts
from agentaudio.model.realtime.session import SAMPLE_RATE_HZ
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, Heard, TextDelta
from agentaudio.sound.audio import Audio

HARMLESS = frozenset({"response_cancel_not_active", "input_audio_buffer_commit_empty", "item_create_duplicate_item_id"})
"""Codes of error events that change nothing."""

_CALL = "response.function_call_arguments.delta"
_TEXT = ("response.output_audio_transcript.delta", "response.output_text.delta",
         "response.audio_transcript.delta", "response.text.delta")  # fmt: skip
_SOUND = ("response.output_audio.delta", "response.audio.delta")


class Response:
    """Reads the events of one response, in the present dialect and in that of 2024.

    name: of the model, for messages
    end: the End, once the response is complete; None before
    heard: whether the user's words have come
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._half = b""
        self._called: set[str] = set()
        self._names: dict[str, str] = {}
        self.end: End | None = None
        self.heard = False

    def push(self, event: Mapping[str, Any]) -> tuple[list[Delta], bool]:
        """The deltas of an event, and whether it is progress: words, sound or a piece of a call.

        Unknown events have no deltas. Raises BackendError for an error event and a response that failed.
        """
        deltas = list(self._read(event))
        return deltas, bool(deltas) or self.end is not None or _has_call(event)

    def _read(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        kind = event.get("type")
        if kind in _TEXT:
            if isinstance(text := event.get("delta"), str) and text:
                yield TextDelta(text)
        elif kind in _SOUND:
            if sound := self._sound(event.get("delta")):
                yield AudioDelta(sound)
        elif kind == "conversation.item.input_audio_transcription.completed":
            if isinstance(text := event.get("transcript"), str) and not self.heard:
                self.heard = True
                yield Heard(text.strip())
        elif kind == "conversation.item.input_audio_transcription.failed":
            self.heard = True  # nothing more will come
        elif kind in ("response.output_item.added", "response.output_item.done"):
            item = event.get("item")
            if isinstance(item, dict) and item.get("type") == "function_call":
                self._names[str(item.get("call_id"))] = str(item.get("name") or "")
                if kind.endswith("done"):
                    yield from self._call(item)
        elif kind == "response.function_call_arguments.done":
            yield from self._call(event)
        elif kind == "response.done":
            response = event.get("response")
            yield from self._finish(response if isinstance(response, dict) else {})
        elif kind == "error":
            error = event.get("error")
            error = error if isinstance(error, dict) else {"message": str(error)}
            if error.get("code") not in HARMLESS:
                raise BackendError(f"{self._name} reports: {error.get('message') or error.get('code') or error}"[:400])

    def _finish(self, response: Mapping[str, Any]) -> Iterator[Delta]:
        output = response.get("output")
        for item in output if isinstance(output, list) else ():
            if isinstance(item, dict) and item.get("type") == "function_call":
                yield from self._call(item)
        status = response.get("status", "completed")
        details = response.get("status_details")
        details = details if isinstance(details, dict) else {}
        usage = token_counts(response.get("usage"), REALTIME)
        if status == "failed":
            error = details.get("error")
            said = error.get("message") or error.get("code") if isinstance(error, dict) else details
            raise BackendError(f"{self._name} failed: {said}"[:400])
        if status == "cancelled":
            raise BackendError(f"{self._name} cancelled the response ({details.get('reason', 'without a reason')})")
        if status == "incomplete":
            if details.get("reason") == "content_filter":
                raise BackendError(f"{self._name} refused to answer: its content filter stopped the answer")
            self.end = End("length", usage)
        else:
            self.end = End("tool_calls" if self._called else "stop", usage)

    def _call(self, item: Mapping[str, Any]) -> Iterator[CallDelta]:
        call_id = str(item.get("call_id") or f"call_{uuid4().hex[:16]}")
        name = str(item.get("name") or self._names.get(call_id) or "")
        if call_id in self._called or not name:
            return
        self._called.add(call_id)
        arguments, problem = read_arguments(item.get("arguments") or "")
        yield CallDelta(ToolCall(call_id, name, arguments), problem)

    def _sound(self, data: Any) -> Audio | None:
        if not isinstance(data, str):
            return None
        try:
            pcm = self._half + base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise BackendError(f"{self._name} sent sound that is not base64: {data[:40]!r}") from None
        whole = len(pcm) // 2 * 2
        self._half = pcm[whole:]
        return Audio.from_pcm16(pcm[:whole], SAMPLE_RATE_HZ) if whole else None


def _has_call(event: Mapping[str, Any]) -> bool:
    """Whether an event has a piece of a call's arguments."""
    return event.get("type") == _CALL and bool(event.get("delta"))
