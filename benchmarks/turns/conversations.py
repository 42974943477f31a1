"""`Conversation`: what happens in one made conversation, and what is right to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["turn", "barge", "ignore"]
After = Literal["start", "said", "agent_start", "agent_end"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that the microphone hears.

    says: words, with pauses of seconds inside a sentence as in "a table for <0.9> four people"; or the name of a sound
        with a star, as in "*cough"
    role: "turn" wants an answer; "barge" is said into an answer, must stop it, and wants another; "ignore" is neither
    after: what `delay_s` counts from: the start of the conversation, the end of the step before, the first sound of the
        answer to the latest turn, or its last audible sound (with a negative delay: before that)
    voice: who says it; "" is the user
    level_db: against the level of the conversation
    is_far: heard through a room
    """

    says: str
    role: Role = "turn"
    after: After = "agent_end"
    delay_s: float = 0.8
    voice: str = ""
    level_db: float = 0.0
    is_far: bool = False


@dataclass(frozen=True, slots=True)
class EchoPath:
    """How the loudspeaker sounds in the microphone.

    level_db: of the echo, against the loudspeaker's sound
    decay_s: in which its reverberation falls by 60 dB
    """

    level_db: float
    delay_ms: float
    decay_s: float = 0.15


@dataclass(frozen=True, slots=True)
class Bed:
    """Sound all the time.

    name: "pink", "music" or "television" (two people talk, in a room)
    snr_db: the level of the user's speech above it
    """

    name: Literal["pink", "music", "television"]
    snr_db: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """One made conversation.

    name: of its kind and number
    voice: of the user
    answers: what the agent says, answer by answer; the last one again when there are more
    level_dbfs: of the user's speech
    think_s: from the end of a turn to the first sound of the answer
    """

    name: str
    kind: str
    steps: tuple[Step, ...]
    voice: str
    answers: tuple[str, ...]
    language: str = "en"
    bed: Bed | None = None
    echo: EchoPath | None = None
    level_dbfs: float = -24.0
    think_s: float = 0.0
    is_test: bool = False
