"""Frames and words in, actions out: when a turn begins and ends, and what interrupts the agent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share

from agentaudio.live.settings import TurnTaking
from agentaudio.live.turn_taking import (
    FRAME_S,
    Action,
    Hold,
    Listen,
    Resume,
    Stop,
    TurnTaker,
    UserBegan,
    UserEnded,
)

LOUD_DBFS, FAR_DBFS, QUIET_DBFS = -24.0, -40.0, -70.0
LONG_S = 5.0


class Talk:
    """A turn taker whose ears answer with given words after `late_s`; the last of them again."""

    def __init__(self, *words: str, late_s: float = 0.25, hears: bool = True, **times: float) -> None:
        self.taker = TurnTaker(TurnTaking(**times), hears=hears)  # type: ignore[arg-type]
        self.words, self.late_s, self.left_s = list(words) or [""], late_s, 0.0
        self.actions: list[Action] = []
        self._coming: list[tuple[float, Listen]] = []

    def frame(self, probability: float, level_dbfs: float) -> None:
        for due in [due for due in self._coming if due[0] <= self.taker.now_s]:
            self._coming.remove(due)
            self._take(self.taker.heard(due[1].number, self.words.pop(0) if len(self.words) > 1 else self.words[0]))
        self._take(self.taker.push(probability, level_dbfs, agent_left_s=self.left_s))

    def voice(self, seconds: float, level_dbfs: float = LOUD_DBFS) -> None:
        for _ in range(round(seconds / FRAME_S)):
            self.frame(0.95, level_dbfs)

    def quiet(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME_S)):
            self.frame(0.02, QUIET_DBFS)

    def _take(self, actions: list[Action]) -> None:
        self.actions += actions
        for action in actions:
            if isinstance(action, Listen):
                self._coming = [(self.taker.now_s + self.late_s, action)]
            if isinstance(action, Stop):
                self.left_s = 0.0

    def ended(self) -> list[UserEnded]:
        return [action for action in self.actions if isinstance(action, UserEnded)]

    def has(self, kind: type[Action]) -> bool:
        return any(isinstance(action, kind) for action in self.actions)


def silence_before_the_end(*words: str, said: str = "") -> float:
    """The silence after which a turn of these words ends; `said` is what the agent said before."""
    talk = Talk(*words)
    talk.taker.agent_said(said)
    talk.voice(1.5)
    began_s = talk.taker.now_s
    while not talk.ended():
        talk.quiet(FRAME_S)
    return talk.taker.now_s - began_s


def test_a_complete_sentence_is_answered_sooner_than_one_that_wants_more() -> None:
    assert silence_before_the_end("What time is it?") == pytest.approx(0.45, abs=0.05)
    assert silence_before_the_end("A table for") == pytest.approx(1.6, abs=0.05)


def test_digits_may_come_slowly_once_the_agent_has_asked_for_them_and_not_before() -> None:
    assert silence_before_the_end("Seven one.", said="What is your phone number?") == pytest.approx(1.4, abs=0.05)
    assert silence_before_the_end("Seven one.", said="It is cold.") < 0.7


def test_the_turn_after_a_dictated_one_has_its_usual_delay() -> None:
    talk = Talk("0791 442.", "And now the weather, please.")
    talk.taker.agent_said("What is your number?")
    talk.voice(1)
    talk.quiet(2)
    talk.taker.agent_said("Thank you.")
    talk.voice(1)
    talk.quiet(0.7)
    assert len(talk.ended()) == 2


def test_what_is_said_after_a_pause_belongs_to_the_same_turn() -> None:
    talk = Talk("I would like a", "I would like a table.")
    talk.voice(1)
    talk.quiet(1.2)
    talk.voice(0.6)
    talk.quiet(1)
    (ended,) = talk.ended()
    assert ended.words == "I would like a table." and ended.end_s - ended.start_s > 2.7


def test_late_words_do_not_hold_the_turn_up_for_long_and_give_no_second_turn() -> None:
    talk = Talk("What time is it?", late_s=1.5)
    talk.voice(1)
    talk.quiet(1.1)
    (ended,) = talk.ended()
    assert ended.words is None and ended.is_turn
    talk.quiet(2)
    assert len(talk.ended()) == 1


def interruption(late_s: float) -> Talk:
    """Words of which the ears know the beginning when they interrupt a long answer, and the end `late_s` after it."""
    talk = Talk("What is the time?", "What is the time in Tokyo?", late_s=0.2)
    talk.left_s = LONG_S
    talk.voice(1.2)
    assert talk.has(Stop)
    talk.late_s = late_s
    return talk


@pytest.mark.parametrize(("late_s", "words"), ((0.2, "What is the time in Tokyo?"), (5.0, None)))
def test_the_first_words_of_an_interruption_never_stand_for_the_whole_of_it(late_s: float, words: str | None) -> None:
    talk = interruption(late_s)
    talk.quiet(2)
    (ended,) = talk.ended()
    assert ended.words == words and ended.is_turn


def test_an_interruption_that_is_cut_in_the_middle_has_no_words_yet() -> None:
    talk = interruption(late_s=0.2)
    (ended,) = talk.taker.lost()
    assert isinstance(ended, UserEnded) and ended.words is None


def test_an_interruption_of_a_single_burst_waits_for_the_words_of_its_end() -> None:
    talk = Talk("What is the time?", late_s=0.5)
    talk.left_s = LONG_S
    talk.voice(0.7)
    talk.late_s = 5.0
    talk.quiet(2)
    (ended,) = talk.ended()
    assert ended.words is None


@pytest.mark.parametrize("words", ("", "[Music]", "(coughs)"))
def test_a_noise_while_the_agent_is_silent_is_no_turn(words: str) -> None:
    talk = Talk(words)
    talk.voice(0.3)
    talk.quiet(1.0)
    (ended,) = talk.ended()
    assert not ended.is_turn


def test_stop_of_200_ms_stops_a_long_answer() -> None:
    talk = Talk("Stop.")
    talk.left_s = LONG_S
    talk.voice(0.2)
    assert talk.has(Hold)
    talk.quiet(0.6)
    assert talk.has(Stop) and not talk.has(Resume)


def test_speech_whose_words_come_too_late_interrupts_all_the_same() -> None:
    talk = Talk("What is the time in Tokyo?", late_s=4)
    talk.left_s = LONG_S
    talk.voice(2.0)
    talk.quiet(2.0)
    assert talk.has(Stop) and not talk.has(Resume)
    (ended,) = talk.ended()
    assert ended.is_turn and ended.end_s - ended.start_s > 2


def test_a_short_noise_on_which_the_ears_are_still_at_work_does_not_interrupt() -> None:
    talk = Talk("", late_s=4)
    talk.left_s = LONG_S
    talk.voice(0.3)
    talk.quiet(3.0)
    assert talk.has(Resume) and not talk.has(Stop)


def test_stop_stops_also_after_several_false_alarms() -> None:
    talk = Talk("Mm-hmm.", "Yeah.", "Okay.", "Stop.")
    talk.left_s = LONG_S
    for _ in range(3):
        talk.voice(0.3)
        talk.quiet(0.8)
    assert not talk.has(Stop)
    talk.voice(0.2)
    talk.quiet(0.6)
    assert talk.has(Stop)


def test_a_back_channel_holds_the_answer_for_a_moment_only() -> None:
    talk = Talk("Mm-hmm.")
    talk.left_s = LONG_S
    talk.voice(0.4)
    talk.quiet(0.6)
    assert [type(action) for action in talk.actions if not isinstance(action, Listen)] == [Hold, Resume]


@pytest.mark.parametrize("left_s", (0.1, 0.3, 0.6))
def test_yes_just_before_the_end_of_a_question_is_its_answer(left_s: float) -> None:
    talk = Talk("Yes.")
    talk.taker.agent_said("Shall I book it?")
    talk.left_s = left_s
    talk.voice(0.22)
    talk.left_s = talk.left_s if talk.has(Hold) else 0.0
    talk.quiet(1.2)
    (ended,) = talk.ended()
    assert ended.is_turn and ended.words == "Yes."


def test_a_back_channel_just_before_the_end_of_a_statement_is_no_turn() -> None:
    talk = Talk("Mm-hmm.")
    talk.taker.agent_said("It was built in two years.")
    talk.left_s = 0.2
    talk.voice(0.3)
    talk.left_s = 0.0
    talk.quiet(1)
    assert not any(ended.is_turn for ended in talk.ended())


def test_who_talks_farther_away_neither_interrupts_nor_is_answered() -> None:
    talk = Talk("What time is it?")
    talk.voice(1.5)
    talk.quiet(1)
    count = len(talk.actions)
    talk.left_s = LONG_S
    talk.voice(2, FAR_DBFS)
    talk.left_s = 0.0
    talk.voice(2, FAR_DBFS)
    talk.quiet(1)
    assert len(talk.actions) == count


def test_a_turn_ends_although_somebody_farther_away_goes_on_talking() -> None:
    talk = Talk("What time is it?")
    talk.voice(1.5)
    talk.quiet(1)
    talk.voice(1, FAR_DBFS - 3)
    talk.voice(1.5)
    talk.voice(1, FAR_DBFS - 3)
    assert len(talk.ended()) == 2


def test_a_user_who_moved_away_is_heard_again_after_a_while() -> None:
    talk = Talk("What time is it?")
    talk.voice(1.5)
    talk.quiet(15)
    talk.voice(1.5, FAR_DBFS)
    talk.quiet(1)
    assert len(talk.ended()) == 2


def test_voice_interrupts_without_ears_once_it_lasts() -> None:
    talk = Talk(hears=False)
    talk.left_s = LONG_S
    talk.voice(0.3)
    talk.quiet(0.5)
    assert talk.has(Resume) and not talk.has(Stop)
    talk.voice(0.6)
    assert talk.has(Stop)


def test_nothing_interrupts_where_interruptions_are_off() -> None:
    talk = Talk("Stop.", interruptible=False)
    talk.left_s = LONG_S
    talk.voice(2)
    talk.quiet(1)
    assert talk.actions == []


def test_a_turn_has_a_longest_time() -> None:
    talk = Talk("and then", longest_turn_s=4)
    talk.voice(5)
    assert [ended.why for ended in talk.ended()] == ["longest"]


def test_what_is_open_ends_when_the_microphone_is_lost() -> None:
    talk = Talk("Hello")
    talk.voice(1)
    assert [type(action) for action in talk.taker.lost()] == [UserEnded]
    talk.left_s = LONG_S
    talk.voice(0.3)
    assert talk.taker.lost() == [Resume()] and talk.taker.lost() == []


STRETCHES = st.lists(
    st.tuples(
        st.sampled_from((0.02, 0.4, 0.95)), st.sampled_from((-70.0, -40.0, -24.0)), st.integers(1, 60), st.booleans()
    ),
    max_size=25,
)
WORDS = st.lists(
    st.sampled_from(("", "Mm-hmm.", "Stop.", "I want to", "What is it?", "4 7 1", "好的。")), min_size=1, max_size=8
)


def played_out(
    stretches: list[tuple[float, float, int, bool]], words: list[str], late_s: float, hears: bool
) -> list[tuple[float, Action]]:
    """The actions of stretches of frames, and of silence after them, checked as they come."""
    talk = Talk(*words, late_s=late_s, hears=hears, longest_turn_s=10)
    happened: list[tuple[float, Action]] = []
    is_held, held_s, is_open = False, 0.0, False
    after = [(0.02, QUIET_DBFS, round(12 / FRAME_S), False)]
    for probability, level_dbfs, count, is_busy in [*stretches, *after]:
        talk.left_s = math.inf if is_busy else 0.0
        for _ in range(count):
            talk.frame(probability, level_dbfs)
            for action in talk.actions:
                happened.append((talk.taker.now_s, action))
                match action:
                    case Hold():
                        assert not is_held and not is_open
                        is_held, held_s = True, 0.0
                    case Resume():
                        assert is_held
                        is_held = False
                    case Stop():
                        is_held = False
                    case UserBegan():
                        assert not is_open
                        is_open = True
                    case UserEnded():
                        assert is_open and action.start_s < action.end_s <= talk.taker.now_s + 1e-9
                        is_open = False
            talk.actions.clear()
            held_s += FRAME_S
            assert not is_held or held_s <= talk.taker.settings.longest_hold_s + 0.2
    assert not is_held and not is_open and not talk.taker.user_speaks
    return happened


@settings(max_examples=share(60), deadline=None)
@given(STRETCHES, WORDS, st.sampled_from((0.1, 0.4, 3.0)), st.booleans())
def test_whatever_happens_the_agent_is_let_go_turns_end_and_the_same_input_gives_the_same_actions(
    stretches: list[tuple[float, float, int, bool]], words: list[str], late_s: float, hears: bool
) -> None:
    assert played_out(stretches, words, late_s, hears) == played_out(stretches, words, late_s, hears)
