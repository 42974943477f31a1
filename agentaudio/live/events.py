"""The events of a live session, besides those of its turns (agentaudio.events)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from agentaudio.events import AudioSpoken, BaseEvent
from agentaudio.sound.audio import Audio

NoticeReason = Literal["failure", "tool", "idle", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent(BaseEvent):
    """Base class of the events of a live session.

    turn: number of the latest turn; 0 before the first
    at_s: seconds of sound that the microphone has sent
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStarted(LiveEvent):
    """The user has begun to speak. While the agent speaks, this comes once words show that it is an interruption.

    start_s: where the turn begins, in seconds of the microphone
    """

    type: ClassVar[Literal["user.started"]] = "user.started"
    start_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStopped(LiveEvent):
    """The user has stopped speaking.

    answered: whether a turn follows; False for voice without words
    reason: "pause"; "longest" when the turn reached TurnTaking.longest_turn_s; "lost" when the microphone stopped;
        "committed" by `LiveSession.commit`; "dropped" by `clear` or another turn taking
    end_s: where the turn ends, in seconds of the microphone
    """

    type: ClassVar[Literal["user.stopped"]] = "user.stopped"
    answered: bool
    reason: str
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIdle(LiveEvent):
    """The user has answered none of the IdlePrompts. The session rests until somebody speaks."""

    type: ClassVar[Literal["user.idle"]] = "user.idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCommitted(LiveEvent):
    """The user's turn is complete, and the agent begins to answer, unless the session has `answers=False`.

    text: its words, if they are known already
    audio: its sound
    start_s, end_s: the sound that was taken for it, in seconds of the microphone
    """

    type: ClassVar[Literal["turn.committed"]] = "turn.committed"
    text: str | None
    audio: Audio
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSpoken(LiveEvent):
    """The agent says something that is not part of the conversation. Its sound follows as `audio.delta`.

    reason: "failure" of a turn, "tool" that takes its time, "idle" user, or "notice" of `LiveSession.say`
    """

    type: ClassVar[Literal["notice"]] = "notice"
    text: str
    reason: NoticeReason


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSound(AudioSpoken):
    """Sound of a notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFinished(LiveEvent):
    """All sound of a notice was made, or it was interrupted."""

    type: ClassVar[Literal["notice.finished"]] = "notice.finished"
    reason: NoticeReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStarted(LiveEvent):
    """The first sound of the answer was played."""

    type: ClassVar[Literal["agent.started"]] = "agent.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPaused(LiveEvent):
    """Hold the sound that has not been played: somebody speaks, and it is not clear yet whether to the agent."""

    type: ClassVar[Literal["agent.paused"]] = "agent.paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResumed(LiveEvent):
    """Go on playing where it was held: it was no interruption."""

    type: ClassVar[Literal["agent.resumed"]] = "agent.resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStopped(LiveEvent):
    """The answer was interrupted. Drop the sound that has not been played.

    played_s: seconds of the answer that were played
    """

    type: ClassVar[Literal["agent.stopped"]] = "agent.stopped"
    played_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFinished(LiveEvent):
    """The answer was played to its end.

    played_s: seconds of the answer
    """

    type: ClassVar[Literal["agent.finished"]] = "agent.finished"
    played_s: float


AnyLiveEvent = (
    UserStarted
    | UserStopped
    | UserIdle
    | TurnCommitted
    | NoticeSpoken
    | NoticeFinished
    | AgentStarted
    | AgentPaused
    | AgentResumed
    | AgentStopped
    | AgentFinished
)
"""Any event that only live sessions have. `event.type == "notice"` tells type checkers which."""

OF_USER = (UserStarted, UserStopped, TurnCommitted, AgentPaused, AgentResumed)
"""What the user's voice causes at once."""
