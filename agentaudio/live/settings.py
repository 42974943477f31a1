"""`LiveSettings` of a live session, and `TurnTaking`: when a pause ends a turn, and when a voice interrupts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypedDict

from agentaudio.errors import OptionError
from agentaudio.live.idle import IdlePrompts
from agentaudio.live.turn_model import TurnModelLike
from agentaudio.model.parts import Recogniser

EarsLike = Recogniser | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTaking:
    """When to speak, and when to be silent. All times are in seconds.

    The silence that ends a turn depends on the words heard so far, and on the turn model. With neither it is `pause_s`.

    complete_s: after a complete sentence
    pause_s: after words of which neither is clear
    unfinished_s: where the turn model hears that more will come, and the words do not say so
    open_s: after words that want more, such as "a table for"
    late_s: where the ears are still at work
    dictation_s: after digits and spelled letters, and after any words while something is dictated
    longest_turn_s: a turn ends after it, even if the user goes on
    lost_s: without frames from the microphone for so long, an open turn ends
    interruptible: whether the user's voice may interrupt the agent
    interrupts_after_s: voice that interrupts where there are no ears to tell words from noise, or these are too slow
    hold_s: voice after which the agent's sound is held until it is clear whether the user interrupts
    longest_hold_s: the sound goes on after it, unless words were heard, or the ears are still at work on them
    pre_roll_s: sound before the first voice that belongs to the turn, at most 2
    voice_above: probability of speech, above 0 and below 1, from which a frame counts as voice

    Raises OptionError for values that are not above 0, or too high.
    """

    complete_s: float = 0.45
    pause_s: float = 0.6
    unfinished_s: float = 1.2
    open_s: float = 1.6
    late_s: float = 1.0
    dictation_s: float = 1.4
    longest_turn_s: float = 60.0
    lost_s: float = 1.2
    interruptible: bool = True
    interrupts_after_s: float = 0.5
    hold_s: float = 0.04
    longest_hold_s: float = 2.2
    pre_roll_s: float = 0.3
    voice_above: float = 0.5

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not isinstance(value, bool) and not value > 0:
                raise OptionError(f"TurnTaking.{one.name} is {value!r}; give a number above 0")
        if self.voice_above >= 1 or self.pre_roll_s > 2:
            raise OptionError("TurnTaking.voice_above must be below 1, and pre_roll_s at most 2")


class LiveSettings(TypedDict, total=False):
    """Settings of `Agent.live`.

    ears: who hears words while the user speaks: a Recogniser, or its name. "auto", the default, is the model's own
        recogniser, or else Whisper if its weights are on this machine. None decides by voice and silence alone
    turn_model: who hears by the sound whether the user has finished: a TurnModel, or "smart-turn" for Smart Turn v3.2.
        "auto", the default, is Smart Turn where the "auto" of ears finds none, if its weights are on this machine. None
        decides without
    turn_taking: when to speak, and when to be silent; None detects no turns, until `change_turn_taking`
    sample_rate: of the bytes and samples that are pushed, in Hz; 16,000 by default
    plays: whether the player reports `played`, as it does by default; otherwise sound counts as played in real time
    first_word_s: seconds within which the model must begin to answer; then the turn fails with an apology; 4 by default
    filler_s: seconds of a tool's work after which its filler, or its progress, is spoken; 1.5 by default
    idle: what is said to a user who stays silent; nothing by default
    answers: whether the end of the user's turn begins an answer, as it does by default; otherwise `turn.committed`
        hands its sound to the program, which calls `LiveSession.respond`
    echo_guard: whether the agent's own sound is taken out of the microphone's, as it is by default; a headset does
        not need it
    """

    ears: EarsLike
    turn_model: TurnModelLike
    turn_taking: TurnTaking | None
    sample_rate: int
    plays: bool
    first_word_s: float
    filler_s: float
    idle: IdlePrompts | None
    answers: bool
    echo_guard: bool
