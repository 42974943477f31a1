"""Reads an answer whose tokens a server has spelled out: its content, and its calls as OpenAI's clients take them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentaudio.conversation import ToolSpec
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.model.step_audio_2.language.tool_calls import CLOSE, OPEN, ReadCall, ToolCallParser
from agentaudio.model.written_calls import WrittenCalls

_SPEECH = re.compile(r"<audio_\d{1,9}>|<tts_(?:start|end|pad)>|<\|EOT\|>")
_BEGUN = re.compile(r"<(?:a(?:u(?:d(?:i(?:o(?:_\d{0,9})?)?)?)?)?|t(?:t(?:s(?:_\w{0,5})?)?)?|\|(?:E(?:O(?:T\|?)?)?)?)?$")


@dataclass(frozen=True, slots=True)
class WireCall:
    """A call. arguments: JSON; where the model wrote something else, its words, which no client takes for arguments"""

    name: str
    arguments: str


class SpelledAnswer:
    """Separates calls from content that arrives in pieces; the result does not depend on how it is cut.

    Calls are taken in the model's own form and in all others that our native model takes. Spelled speech tokens are
    content; those in a call are dropped.

    tools: of the request
    """

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._tools = {tool.name for tool in tools}
        self._framed = ToolCallParser(tools)
        self._written = WrittenCalls(tools)
        self._held = ""

    def push(self, text: str) -> list[str | WireCall]:
        """The content and the calls that are now certain."""
        text, self._held = self._held + text, ""
        if begun := _BEGUN.search(text):
            text, self._held = text[: begun.start()], begun.group()
        return self._read(text)

    def finish(self) -> list[str | WireCall]:
        """What was held back, at the end of the answer."""
        held, self._held = self._held, ""
        found = self._read(held)
        for piece in self._framed.finish():
            found += self._piece(piece)
        return [*found, *_deltas(self._written.finish())]

    def _read(self, text: str) -> list[str | WireCall]:
        found: list[str | WireCall] = []
        start = 0
        for token in _SPEECH.finditer(text):
            found += self._text(text[start : token.start()])
            start = token.end()
            if not self._framed.open:
                found.append(token.group())
        return found + self._text(text[start:])

    def _text(self, text: str) -> list[str | WireCall]:
        return [one for piece in self._framed.feed(text) for one in self._piece(piece)] if text else []

    def _piece(self, piece: str | ReadCall) -> list[str | WireCall]:
        if isinstance(piece, str):
            return _deltas(self._written.push(piece))
        return [*_deltas(self._written.finish()), self._call(piece)]

    def _call(self, call: ReadCall) -> str | WireCall:
        if call.problem in (None, "misfit", "unknown_function"):
            return WireCall(call.name, _json(call.arguments))
        if call.name in self._tools:
            return WireCall(call.name, "\n".join(call.source.strip().split("\n")[2:]).strip())
        return f"{OPEN}{call.source}{CLOSE if call.closed else ''}"


def _deltas(found: Iterable[TextDelta | CallDelta]) -> list[str | WireCall]:
    return [one.text if isinstance(one, TextDelta) else _wire(one) for one in found]


def _wire(delta: CallDelta) -> WireCall:
    unreadable = delta.problem is not None and not delta.call.arguments
    return WireCall(delta.call.name, str(delta.problem) if unreadable else _json(delta.call.arguments))


def _json(arguments: object) -> str:
    return json.dumps(arguments, ensure_ascii=False, default=str)
