"""What happens in a turn, as its user sees it.

A turn is `turn.started`, then any of the others, then `turn.finished`, or `error` in its place.
`heard` comes before anything the agent says; each `tool.finished` after its `tool.started`, any
`tool.progress` of the call between the two;
`voice.changed` after the tool that found the voice, and before the sound in it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from agentaudio.conversation import Citation, ToolCall
from agentaudio.plain import plain
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """turn: its number in the session, from 1; at_s: seconds since the turn began."""

    type: ClassVar[str]
    turn: int
    at_s: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, `type` first; sound as its length and rate only."""
        return {"type": self.type} | {item.name: plain(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(Event):
    type = "turn.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Event):
    """The user's words. confidence: 0 to 1; None for text, or when the model does not tell."""

    type = "heard"
    text: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta(Event):
    """More words of the answer."""

    type = "text.delta"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioDelta(Event):
    """More sound of the answer."""

    type = "audio.delta"
    audio: Audio


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(Event):
    type = "tool.started"
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProgress(Event):
    """How far a tool is, for tools that tell. share: 0 to 1, None when unknown."""

    type = "tool.progress"
    call: ToolCall
    message: str
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished(Event):
    type = "tool.finished"
    run: ToolRun


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceChanged(Event):
    """The agent speaks in this voice from now on; None is the model's own."""

    type = "voice.changed"
    voice: Voice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationUsed(Event):
    type = "citation"
    citation: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished(Event):
    type = "turn.finished"
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFailed(Event):
    """The turn broke off; the exception follows, out of the stream."""

    type = "error"
    error: Exception
