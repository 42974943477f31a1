"""The events of a turn, as the user of an agent sees them.

A turn begins with `turn.started` and ends with `turn.finished`, or with `turn.failed` in its place.
Each generation lies between `step.started` and `step.finished`, which is missing when the turn is cut off;
the calls that it made run after that. `heard` comes before anything the agent says. `tool.finished`
comes after `tool.started` of the same call, and any `tool.progress` of the call lies between the two.
`voice.changed` comes after the tool that found the voice, and before the sound in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

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
class StepStarted(Event):
    """The model begins to generate. step: its number in the turn, from 1."""

    type = "step.started"
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechHeard(Event):
    """The user's words.

    confidence: 0 to 1; None for text, or when the model does not say
    final: False for words recognised while the user still speaks; the next `heard` replaces them
    """

    type = "heard"
    text: str
    confidence: float | None = None
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpoken(Event):
    """More words of the answer."""

    type = "text.delta"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSpoken(Event):
    """More sound of the answer, at the model's `sample_rate_hz`."""

    type = "audio.delta"
    audio: Audio


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    """The model has ended a generation.

    reason: "stop", "length" (a limit ended it) or "tool_calls"
    usage: counts such as `input_tokens` and `output_tokens`
    """

    type = "step.finished"
    step: int
    reason: Literal["stop", "length", "tool_calls"]
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(Event):
    type = "tool.started"
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProgress(Event):
    """Progress that a tool reports. share: 0 to 1, None when unknown."""

    type = "tool.progress"
    call: ToolCall
    message: str
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished(Event):
    type = "tool.finished"
    run: ToolRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequested(Event):
    """A call that the caller of the agent must run; its result is the input of the next turn."""

    type = "tool.requested"
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceChanged(Event):
    """The agent speaks in this voice from now on; None is the model's own."""

    type = "voice.changed"
    voice: Voice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageCited(Event):
    type = "citation"
    citation: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished(Event):
    type = "turn.finished"
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFailed(Event):
    """The turn broke off. The stream raises `error` after this event.

    reply: what was done until then; its `stop` is "failed"
    """

    type = "turn.failed"
    error: Exception
    reply: Reply
