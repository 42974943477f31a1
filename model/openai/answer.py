"""`ChatAnswer`: the chunks of a Chat Completions answer, as deltas."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from agentaudio.conversation import ToolCall
from agentaudio.errors import BackendError
from agentaudio.model.call_arguments import read_arguments
from agentaudio.model.openai.usage import CHAT, token_counts
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, EndReason, TextDelta
from agentaudio.sound.audio import Audio

log = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 24_000
"""Of streamed sound: pcm16, mono."""

MOST_CALLS = 256
_REASONS: dict[str, EndReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_WAV_HEADER = 44


class ChatAnswer:
    """Reads the chunks of one answer, streamed or whole, from servers of any strictness.

    name: of the model, for messages
    one_base64: the pieces of sound are one base64 text, cut anywhere; otherwise each piece is whole

    Calls are complete at the end of the answer. Some servers repeat the id and the name of a call in
    each of its chunks, leave out its index or id, or send arguments as an object: all of these are read.
    A call whose arguments are broken becomes one with a problem, which the model is told.
    """

    def __init__(self, name: str, *, one_base64: bool = False) -> None:
        self._name = name
        self._one_base64, self._base64 = one_base64, ""
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._pcm = bytearray()
        self._rate_hz = SAMPLE_RATE_HZ
        self._sound_began = False
        self._content = False
        self._reason: str | None = None
        self._usage: dict[str, float] = {}
        self.has_words = False
        """Whether the answer had words or sound so far."""

    def push(self, chunk: Mapping[str, Any]) -> list[Delta]:
        """The words and the sound in a chunk. Raises BackendError for an error that the server reports."""
        if error := chunk.get("error"):
            said = error.get("message", error) if isinstance(error, dict) else error
            raise BackendError(f"{self._name} failed in the middle of an answer: {str(said)[:300]}")
        if isinstance(usage := chunk.get("usage"), dict):
            self._usage = token_counts(usage, CHAT)
        choices = chunk.get("choices")
        deltas: list[Delta] = []
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            part = choice.get("delta") or choice.get("message") or {}
            if isinstance(part, dict):
                deltas += self._read(part)
            if isinstance(reason := choice.get("finish_reason"), str):
                # A second choice with sound may end after the one with the words; "stop" does not undo a reason.
                self._reason = reason if self._reason in (None, "stop") else self._reason
        self.has_words = self.has_words or bool(deltas)
        return deltas

    def finish(self) -> list[Delta]:
        """The calls, and the End. Raises BackendError for an answer that broke off."""
        if self._reason is None:
            raise BackendError(f"the answer of {self._name} broke off in the middle; check the server")
        if self._reason == "content_filter":
            raise BackendError(f"{self._name} refused to answer: its content filter stopped the answer")
        calls: list[Delta] = [call.delta() for call in self._calls if call.name or call.arguments]
        reason = _REASONS.get(self._reason, "stop")
        if calls and reason != "length":
            reason = "tool_calls"
        elif not calls and reason == "tool_calls":
            reason = "stop"
        return [*calls, End(reason, self._usage)]

    @property
    def has_calls(self) -> bool:
        return any(call.name for call in self._calls)

    def _read(self, part: Mapping[str, Any]) -> Iterator[Delta]:
        for text in (_text(part.get("content")), _text(part.get("refusal"))):
            if text:
                self._content = True
                yield TextDelta(text)
        audio = part.get("audio")
        if isinstance(audio, dict):
            transcript = audio.get("transcript")
            if isinstance(transcript, str) and transcript and not self._content:
                yield TextDelta(transcript)
            if isinstance(data := audio.get("data"), str) and (sound := self._sound(data)):
                yield AudioDelta(sound)
        calls = part.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                self._take(call, position)
        if isinstance(legacy := part.get("function_call"), dict):
            self._take({"index": 0, "function": legacy}, 0)

    def _take(self, chunk: Mapping[str, Any], position: int) -> None:
        function = chunk.get("function")
        function = function if isinstance(function, dict) else {}
        index, call_id, name = chunk.get("index"), chunk.get("id"), function.get("name")
        call = self._call(index if isinstance(index, int) else None, call_id, name, position)
        call.add(call_id, name, function.get("arguments"))

    def _call(self, index: int | None, call_id: Any, name: Any, position: int) -> _Call:
        """The call that a chunk belongs to: by its index, else by its id, else the latest."""
        if index is None:
            known = next((call for call in self._calls if call_id and call.id == call_id), None)
            if known is not None:
                return known
            if self._calls and not call_id and not (name and position):
                return self._calls[-1]
        elif index in self._by_index:
            call = self._by_index[index]
            # Some servers number every call 0.
            if not (call_id and call.id and call_id != call.id and name):
                return call
        if len(self._calls) >= MOST_CALLS:
            raise BackendError(f"{self._name} made more than {MOST_CALLS} calls in one answer")
        call = _Call()
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call

    def _sound(self, data: str) -> Audio | None:
        if self._one_base64:
            data = self._base64 + data
            whole = len(data) // 4 * 4
            data, self._base64 = data[:whole], data[whole:]
        try:
            # Some servers leave out the padding of a piece.
            self._pcm += base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise BackendError(f"{self._name} sent sound that is not base64: {data[:40]!r}") from None
        if not self._sound_began:
            if len(self._pcm) < _WAV_HEADER and self._pcm.startswith(b"RIFF"[: len(self._pcm)]):
                return None
            if self._pcm.startswith(b"RIFF"):  # some servers begin with the header of an endless file
                self._rate_hz = int.from_bytes(self._pcm[24:28], "little") or SAMPLE_RATE_HZ
                del self._pcm[:_WAV_HEADER]
            self._sound_began = True
        whole = len(self._pcm) // 2 * 2
        pcm, self._pcm = bytes(self._pcm[:whole]), self._pcm[whole:]
        return Audio.from_pcm16(pcm, self._rate_hz) if pcm else None


@dataclass(slots=True)
class _Call:
    """A call as its pieces arrive."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    whole: dict[str, Any] | None = None

    def add(self, call_id: Any, name: Any, arguments: Any) -> None:
        if isinstance(call_id, str) and call_id:
            self.id = self.id or call_id
        if isinstance(name, str) and name and name != self.name:
            # A name comes in pieces from some servers, and repeated or growing from others.
            self.name = name if name.startswith(self.name) else self.name + name
        if isinstance(arguments, dict):
            self.whole = arguments
        elif isinstance(arguments, str):
            self.arguments.append(arguments)

    def delta(self) -> CallDelta:
        arguments, problem = read_arguments("".join(self.arguments) if self.whole is None else self.whole)
        return CallDelta(ToolCall(self.id or f"call_{uuid4().hex[:16]}", self.name or "unknown", arguments), problem)


def _text(content: Any) -> str:
    """The text of a content field: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""
