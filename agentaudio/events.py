"""The events of a turn, for users of an agent.

A turn begins with `turn.started` and ends with `turn.finished` or `turn.failed`. Each generation lies between
`step.started` and `step.finished`; the latter is missing when the turn is cut off. The calls of a generation
run after it. `heard` comes before the answer. `tool.finished` follows `tool.started` of the same call, with
any `tool.progress` between them. `voice.changed` comes after the call that found the voice, and before sound
in that voice. `conversation.compacted` comes before the generation that sees less of the conversation. `turn.stopped`
comes when a check or a usage limit ends the turn. `saving.failed` and `saving.resumed`, of a stored session, come right
before the end of a turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from agentaudio.compaction import Compacted
from agentaudio.conversation import Citation, ToolCall
from agentaudio.model.speech_lm import EndReason
from agentaudio.plain import PlainForm, plain
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseEvent(PlainForm):
    """Base class of the events.

    turn: number of the turn in its session, from 1
    at_s: seconds since the turn began
    """

    type: ClassVar[str]
    turn: int
    at_s: float

    def to_dict(self) -> dict[str, Any]:
        """Data for JSON, `type` first. Sound becomes its duration and sample rate."""
        return {"type": self.type} | {item.name: plain(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(BaseEvent):
    type: ClassVar[Literal["turn.started"]] = "turn.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(BaseEvent):
    """A generation begins.

    step: its number in the turn, from 1
    """

    type: ClassVar[Literal["step.started"]] = "step.started"
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechHeard(BaseEvent):
    """The user's words as the model recognised them.

    confidence: 0 to 1; None when unknown
    final: False for words recognised while the user is still speaking; the next `heard` replaces them
    """

    type: ClassVar[Literal["heard"]] = "heard"
    text: str
    confidence: float | None = None
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpoken(BaseEvent):
    """More words of the answer."""

    type: ClassVar[Literal["text.delta"]] = "text.delta"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSpoken(BaseEvent):
    """More sound of the answer, at the model's `sample_rate_hz`."""

    type: ClassVar[Literal["audio.delta"]] = "audio.delta"
    audio: Audio


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsUnspoken(BaseEvent):
    """Words of the answer that have no sound, because the synthesiser cannot speak them, such as those of a script
    that it does not know."""

    type: ClassVar[Literal["text.unspoken"]] = "text.unspoken"
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(BaseEvent):
    """A generation has ended.

    reason: as in the model's `End`; "length" when a limit ended it
    usage: counts such as `input_tokens` and `output_tokens`
    irregular_calls: calls that the model wrote in another form than its own, such as JSON in its text
    """

    type: ClassVar[Literal["step.finished"]] = "step.finished"
    step: int
    reason: EndReason
    usage: Mapping[str, float] = field(default_factory=dict, hash=False)
    irregular_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(BaseEvent):
    type: ClassVar[Literal["tool.started"]] = "tool.started"
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProgress(BaseEvent):
    """Progress reported by a tool.

    share: of the work that is done, 0 to 1; None when unknown
    """

    type: ClassVar[Literal["tool.progress"]] = "tool.progress"
    call: ToolCall
    message: str
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished(BaseEvent):
    type: ClassVar[Literal["tool.finished"]] = "tool.finished"
    run: ToolRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequested(BaseEvent):
    """A call that the caller of the agent must run. Its result is the input of the next turn."""

    type: ClassVar[Literal["tool.requested"]] = "tool.requested"
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceChanged(BaseEvent):
    """The agent speaks in `voice` from now on; None is the model's own."""

    type: ClassVar[Literal["voice.changed"]] = "voice.changed"
    voice: Voice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageCited(BaseEvent):
    type: ClassVar[Literal["citation"]] = "citation"
    citation: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCompacted(BaseEvent):
    """The model sees a shorter form of the older conversation from now on. The conversation itself keeps everything.

    It was compacted in the idle time before this turn, or, when there was none, now.
    """

    type: ClassVar[Literal["conversation.compacted"]] = "conversation.compacted"
    compacted: Compacted


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingFailed(BaseEvent):
    """The session cannot be stored. It goes on, and what it could not store is tried again; sent once."""

    type: ClassVar[Literal["saving.failed"]] = "saving.failed"
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingResumed(BaseEvent):
    """After `saving.failed`: everything is stored now."""

    type: ClassVar[Literal["saving.resumed"]] = "saving.resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStopped(BaseEvent):
    """A check or a usage limit ends the turn. What a check says to the user follows, as words and sound of the answer.

    stop: as in Reply
    by: name of the check, or the limit, such as "no_prices" or "requests of the session"
    """

    type: ClassVar[Literal["turn.stopped"]] = "turn.stopped"
    stop: Literal["refused", "usage_limit"]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished(BaseEvent):
    type: ClassVar[Literal["turn.finished"]] = "turn.finished"
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFailed(BaseEvent):
    """The turn failed. The stream raises `error` after this event.

    reply: what was said and done until then, with stop="failed"
    """

    type: ClassVar[Literal["turn.failed"]] = "turn.failed"
    error: BaseException
    reply: Reply


Event = (
    TurnStarted
    | StepStarted
    | SpeechHeard
    | TextSpoken
    | AudioSpoken
    | WordsUnspoken
    | StepFinished
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | ToolRequested
    | VoiceChanged
    | PassageCited
    | ConversationCompacted
    | SavingFailed
    | SavingResumed
    | TurnStopped
    | TurnFinished
    | TurnFailed
)
"""Any event of a turn. `event.type == "text.delta"` tells type checkers which."""
