"""`TurnTaker`: who speaks when, decided frame by frame from voice activity, the words heard so far and a turn model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentaudio.live.levels import Levels
from agentaudio.live.settings import TurnTaking
from agentaudio.live.words import (
    Completeness,
    asks_to_dictate,
    completeness,
    is_back_channel,
    is_noise,
    with_sound,
)

FRAME_S = 0.032
"""Seconds of one decision of the voice detector."""
STARTS_ABOVE, ENDS_BELOW = 0.5, 0.35
STARTS_AFTER_S = 0.1
"""Voice after which a turn of the user begins, while the agent is silent."""
PRE_ROLL_S = 0.3
"""Sound before the first voice that belongs to the turn; the detector is late, and soft consonants begin it."""
TAIL_S = 0.1
LISTENS_AFTER_S = 0.16
"""Silence after which the words so far are asked for."""
JUDGES_AFTER_S = 0.2
"""Silence after which the turn model is asked; it was trained on so much of it behind the speech."""
HOPELESS_S = 0.5
"""Silence after which voice without words is dropped."""
BURST_S = 0.6
"""Voice, while the agent speaks, after which the words so far are asked for."""
LATER = (1, 4.5, 9, 18)
"""How many times hold_s the voice must last, after none, one, two, or more false alarms of late."""
CALM_S = 8.0
"""Time without a false alarm after which one is forgotten."""
ENDING_S = 0.35
"""Voice that begins when so little of the agent's sound is left answers it; the sound is played to its end."""
EARLY_S = 1.0
"""A short word answers a question of the agent of which so little is left."""


@dataclass(frozen=True, slots=True)
class UserBegan:
    """The user has begun to speak. start_s: on the clock of the microphone."""

    start_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the agent's sound until it is clear whether the user interrupts."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the held sound: nobody has interrupted."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The user interrupts: stop the agent."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Ask the ears for the words from start_s to end_s, and give them to `TurnTaker.heard` with this number."""

    number: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Judge:
    """Ask the turn model about the sound from start_s to end_s, and give its answer to `TurnTaker.judged` with this
    number.
    """

    number: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class UserEnded:
    """The user has stopped speaking.

    words: of the turn, when they are known; None without ears, or when they are late
    is_turn: whether it is to be answered; False for voice without words
    why: "pause", "longest" or "lost"
    """

    start_s: float
    end_s: float
    words: str | None
    is_turn: bool
    why: str = "pause"


Action = UserBegan | Hold | Resume | Stop | Listen | Judge | UserEnded


class TurnTaker:
    """Decides on turns from the probabilities of speech, 32 ms each. It does no work of its own and has no clock
    but the frames, so that the same frames, words and answers of the turn model always give the same actions.

    settings: the times
    hears: whether there are ears that answer `Listen`
    judges: whether there is a turn model that answers `Judge`
    """

    def __init__(self, settings: TurnTaking = TurnTaking(), *, hears: bool, judges: bool = False) -> None:
        self.settings, self._hears, self._judges = settings, hears, judges
        self.now_s = 0.0
        self._dictating = self._asked_user = False
        self._listens = self._questions = 0
        self._alarms: list[float] = []  # when voice of late was no interruption
        self._levels = Levels()
        self._left_s = 0.0  # audible sound of the agent that is still to come
        self._reset()

    def _reset(self) -> None:
        self._open = False  # a turn of the user, or what may become one, is open
        self._undecided = False  # whether it interrupts the agent is open
        self._holding = False  # the agent's sound is held meanwhile
        self._overlaps = False  # it began while the agent's last sound was played
        self._voiced = False
        self._run_s = self._voice_s = self._quiet_s = 0.0
        self._glimpsed_s = 0.0  # seconds of the next frame with which the latest glimpse held a voice
        self._onset_s = self._start_s = self._last_voice_s = 0.0
        self._since_ask_s = 0.0
        self._pending: int | None = None
        self._question: int | None = None  # to the turn model about this pause
        self._finished: float | None = None  # its answer
        self._state: Completeness | None = None
        self._words: str | None = None

    @property
    def user_speaks(self) -> bool:
        """Whether a turn of the user is open."""
        return self._open

    @property
    def nobody_below_dbfs(self) -> float:
        """The level below which nobody need be listened for; minus infinity while nothing is known of the user."""
        return self._levels.nobody_below_dbfs

    @property
    def inaudible(self) -> float:
        """`nobody_below_dbfs` as a mean power."""
        below_dbfs = self._levels.nobody_below_dbfs
        return 0.0 if below_dbfs == -math.inf else 10 ** (below_dbfs / 10)

    @property
    def begins_above_dbfs(self) -> float:
        """The level from which on voice may begin a turn; minus infinity while nothing is known of the user."""
        return self._levels.begins_above_dbfs

    def agent_said(self, text: str) -> None:
        """Take the words of the agent's latest answer: after a question for a number, digits may come slowly."""
        self._dictating = asks_to_dictate(text)
        self._asked_user = text.rstrip(" \n\"'”’»)").endswith(("?", "？"))

    def push(self, probability: float, level_dbfs: float, *, agent_left_s: float) -> list[Action]:
        """Take the next frame.

        probability: that it holds a voice
        level_dbfs: of the frame
        agent_left_s: audible sound of the agent that is still to come, at least; infinite while the agent thinks
        """
        self.now_s += FRAME_S
        self._left_s = agent_left_s
        has_voice = probability >= (ENDS_BELOW if self._voiced else STARTS_ABOVE)
        if not self._open:
            if not has_voice and agent_left_s <= 0:
                self._levels.quiet(FRAME_S)
            self._voiced = has_voice and self._levels.may_begin(level_dbfs)
            if has_voice and not self._voiced:
                self._levels.farther(FRAME_S)
            return self._waiting(agent_left_s)
        if has_voice:
            self._last_voice_s = self.now_s  # a soft end of the last word belongs to the turn
        self._voiced = has_voice and self._levels.goes_on(level_dbfs)
        if self._voiced:
            self._levels.voice(level_dbfs)
            self._run_s += FRAME_S
            self._voice_s, self._since_ask_s = self._voice_s + FRAME_S, self._since_ask_s + FRAME_S
            if self._quiet_s >= LISTENS_AFTER_S:
                self._pending = None
            # What was heard so far is not the whole turn.
            self._state = self._words = self._question = self._finished = None
            self._quiet_s = 0.0
        else:
            self._run_s = 0.0
            self._quiet_s += FRAME_S
        if self.now_s - self._start_s >= self.settings.longest_turn_s:
            return self._end("longest")
        return self._deciding() if self._undecided else self._speaking()

    def glimpse(self, probability: float, level_dbfs: float, new_s: float, *, agent_left_s: float) -> list[Action]:
        """Take the latest 32 ms, of which new_s belong to the next frame, while the agent speaks: its sound is held
        half a frame sooner.
        """
        is_voice = probability >= STARTS_ABOVE and self._levels.may_begin(level_dbfs)
        if self._open or not is_voice or agent_left_s <= ENDING_S or not self.settings.interruptible:
            self._glimpsed_s = 0.0
            return []
        self._glimpsed_s = new_s
        return self._may_interrupt(self._run_s + new_s) if self._run_s else []

    def heard(self, number: int, text: str) -> list[Action]:
        """Take the words of a `Listen`; those of an earlier one are ignored."""
        if not self._open or number != self._pending:
            return []
        self._pending = None
        if self._undecided:
            return self._heard_meanwhile(text)
        self._take_words(text)
        return self._speaking()

    def judged(self, number: int, probability: float) -> list[Action]:
        """Take the turn model's answer to a `Judge`: how probable it is that the user has finished. One about an
        earlier pause is ignored.
        """
        if not self._open or number != self._question:
            return []
        self._finished = probability
        return self._speaking()

    def lost(self) -> list[Action]:
        """The microphone has stopped sending: end what is open."""
        actions: list[Action] = []
        if self._open and self._undecided:
            actions = [Resume()] if self._holding else []
            self._levels.ended(is_turn=False)
            self._reset()
        elif self._open:
            actions = self._end("lost")
        self._voiced = False
        return actions

    def _waiting(self, agent_left_s: float) -> list[Action]:
        """Nobody speaks to the agent: does a turn begin?"""
        if self._voiced:
            self._run_s, self._quiet_s = self._run_s + FRAME_S, 0.0
        else:
            self._quiet_s += FRAME_S
            if self._quiet_s > 0.1:
                self._run_s = 0.0
        interrupts = agent_left_s > ENDING_S
        if interrupts and not self.settings.interruptible:
            self._run_s = 0.0
        sooner_s = FRAME_S - self._glimpsed_s if self._voiced and self._glimpsed_s else 0.0
        self._glimpsed_s = 0.0
        if interrupts:
            return self._may_interrupt(self._run_s + sooner_s)
        if self._run_s < STARTS_AFTER_S - 1e-9:
            return []
        self._begin(self._run_s)
        self._overlaps = agent_left_s > 0
        return [UserBegan(self._start_s)]

    def _may_interrupt(self, voice_s: float) -> list[Action]:
        if voice_s < self.settings.hold_s - 1e-9:
            return []
        self._begin(voice_s)
        self._overlaps = self._undecided = True
        if not self._hears and voice_s >= self.settings.interrupts_after_s - 1e-9:
            return self._confirmed()
        return self._hold()

    def _begin(self, voice_s: float) -> None:
        self._open, self._voice_s = True, voice_s
        self._onset_s = self.now_s - self._run_s
        self._start_s = max(0.0, self._onset_s - PRE_ROLL_S)
        self._last_voice_s, self._quiet_s, self._since_ask_s = self.now_s, 0.0, self._run_s

    def _hold(self) -> list[Action]:
        """Hold the agent's sound; each false alarm of late makes that later. Words are listened for all the same."""
        self._alarms = [then for then in self._alarms if self.now_s - then < CALM_S]
        if self._holding or self._voice_s < self.settings.hold_s * LATER[min(3, len(self._alarms))] - 1e-9:
            return []
        self._holding = True
        return [Hold()]

    def _deciding(self) -> list[Action]:
        """Voice while the agent thinks or speaks: is it the user, who interrupts?"""
        actions = self._hold() if self._voiced else []
        if not self._hears:
            if self._voice_s >= self.settings.interrupts_after_s:
                return actions + self._confirmed()
            return actions + (self._false_alarm() if self._quiet_s >= 0.3 else [])
        if self.now_s - self._onset_s >= self.settings.longest_hold_s:
            words_are_late = self._pending is not None and self._voice_s >= self.settings.interrupts_after_s
            return actions + (self._confirmed() if words_are_late else self._false_alarm())
        if self._pending is None:
            ended = self._quiet_s >= LISTENS_AFTER_S and self._since_ask_s > 0
            if ended or self._since_ask_s >= BURST_S:
                return actions + self._listen()
        return actions

    def _heard_meanwhile(self, text: str) -> list[Action]:
        answers = self._asked_user and self._left_s <= EARLY_S and not is_noise(text)
        if answers or not is_back_channel(text):
            self._take_words(text)
            return self._confirmed()
        ended = self._quiet_s >= LISTENS_AFTER_S
        return self._false_alarm() if ended and self._since_ask_s == 0 else []

    def _take_words(self, text: str) -> None:
        """Keep the words of the turn, unless the user has said more since they were asked for."""
        if self._since_ask_s == 0:
            self._words, self._state = text, completeness(text, dictating=self._dictating)

    def _confirmed(self) -> list[Action]:
        self._undecided = self._holding = self._overlaps = False
        return [UserBegan(self._start_s), Stop(), *self._speaking()]

    def _false_alarm(self) -> list[Action]:
        self._alarms.append(self.now_s)
        actions: list[Action] = [Resume()] if self._holding else []
        self._levels.ended(is_turn=False)
        self._reset()
        return actions

    def _speaking(self) -> list[Action]:
        """While the user speaks: is the turn over?"""
        actions: list[Action] = []
        if self._hears and self._quiet_s >= LISTENS_AFTER_S and self._since_ask_s > 0:
            actions += self._listen()
        if self._judges and self._question is None and self._quiet_s >= JUDGES_AFTER_S and not self._dictating:
            actions += self._judge()
        if self._quiet_s >= self._needed_s() - 1e-9:
            return self._end("pause")
        return actions

    def _needed_s(self) -> float:
        settings = self.settings
        if self._words is not None and is_noise(self._words):
            return HOPELESS_S
        if self._state is None and (self._pending is not None or self._finished is None):
            late_s = settings.pause_s if self._pending is None else settings.late_s
            return max(late_s, settings.dictation_s * self._dictating)
        return {
            "complete": settings.complete_s,
            "unclear": settings.pause_s,
            "unfinished": settings.unfinished_s,
            "open": settings.open_s,
            "dictated": settings.dictation_s,
        }[with_sound(self._state, self._finished)]

    def _listen(self) -> list[Action]:
        self._listens += 1
        self._pending, self._since_ask_s = self._listens, 0.0
        return [Listen(self._listens, self._start_s, self.now_s)]

    def _judge(self) -> list[Action]:
        self._questions += 1
        self._question = self._questions
        return [Judge(self._questions, self._start_s, self.now_s)]

    def _end(self, why: str) -> list[Action]:
        end_s = min(self.now_s, self._last_voice_s + TAIL_S) if why == "pause" else self.now_s
        is_turn = self._words is None or not is_noise(self._words)
        if self._overlaps and not self._asked_user and self._words is not None and is_back_channel(self._words):
            is_turn = False
        self._levels.ended(is_turn=is_turn)
        ended = UserEnded(self._start_s, end_s, self._words, is_turn, why)
        self._reset()
        return [ended]
