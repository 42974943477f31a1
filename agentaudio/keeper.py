"""`Keeper`: what a session asks of whoever stores its turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentaudio.conversation import Message
from agentaudio.errors import AgentAudioError
from agentaudio.reply import StopReason


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """How a turn ended.

    model: name of the model that answered
    voice: id of the session's voice afterwards; None when it is the agent's
    voices: ids of the voices in which the answer was heard
    error: message of the error of a failed turn
    usage, timings: as in Reply
    used: what the session had used by then, by the names of UsageLimits; empty where these are not set
    """

    stop: StopReason
    model: str
    voice: str | None = None
    voices: tuple[str, ...] = ()
    error: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)


class Keeper(Protocol):
    """Stores the turns of one session. For the event loop of the session."""

    @property
    def ended(self) -> int:
        """Number of the last turn that has ended; 0 before the first."""

    @property
    def used(self) -> Mapping[str, float]:
        """What the session had used when its last stored turn ended, as in TurnEnd."""

    def keep(self, number: int, messages: Sequence[Message], end: TurnEnd | None) -> None:
        """Take a turn that has ended, or was corrected since; returns at once.

        number: of the turn in the conversation
        messages: all of the turn; none when it was retracted, or failed before anything was heard or done
        end: None for a correction; a correction of a turn that has not ended is ignored
        """

    def lightened(self, message: Message) -> Message:
        """The message without sound in memory, if its turn is stored."""

    @property
    def recent(self) -> int | None:
        """Number of turns that the conversation needs to hold; None for all. Older ones are left to the keeper."""

    async def kept(self, wait_s: float) -> AgentAudioError | None:
        """Wait until everything taken is stored, `wait_s` seconds at most. Returns why it is not stored."""
