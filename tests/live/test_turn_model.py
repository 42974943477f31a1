"""The turn model: when it is asked whether the user has finished, and what its answer changes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.live_room import RATE, GivenJudgement, GivenWords, Room, silence
from support.weights import require_weights

from agentaudio import Agent, Audio
from agentaudio.demo.run import questions_folder
from agentaudio.errors import BackendError, OptionError, WeightsMissing
from agentaudio.live.settings import TurnTaking
from agentaudio.live.turn_taking import FRAME_S, Action, Judge, Listen, TurnTaker, UserEnded
from agentaudio.live.words import with_sound
from agentaudio.model.scripted import Scripted

QUESTION = Audio.load(questions_folder() / "time-in-tokyo.flac").resample(RATE).samples
TIMES = TurnTaking()


class Talk:
    """A turn taker that hears voice and silence.

    finished: the answers of its turn model, one after the other
    words: of its ears; None for none
    late_s: how long both take
    said: what the agent said before
    """

    def __init__(self, *finished: float, words: str | None = None, late_s: float = 0.06, said: str = "") -> None:
        self.taker = TurnTaker(hears=words is not None, judges=bool(finished))
        self.taker.agent_said(said)
        self.finished, self.words, self.late_s = list(finished), words, late_s
        self.actions: list[Action] = []
        self._coming: list[tuple[float, Judge | Listen]] = []

    def voice(self, seconds: float) -> None:
        self._frames(seconds, 0.95, -24.0)

    def quiet(self, seconds: float) -> None:
        self._frames(seconds, 0.02, -70.0)

    def _frames(self, seconds: float, probability: float, level_dbfs: float) -> None:
        for _ in range(round(seconds / FRAME_S)):
            for due in [due for due in self._coming if due[0] <= self.taker.now_s]:
                self._coming.remove(due)
                self._answer(due[1])
            self._take(self.taker.push(probability, level_dbfs, agent_left_s=0.0))

    def _answer(self, asked: Judge | Listen) -> None:
        if isinstance(asked, Listen):
            self._take(self.taker.heard(asked.number, self.words or ""))
        else:
            self._take(self.taker.judged(asked.number, self.finished.pop(0)))

    def _take(self, actions: list[Action]) -> None:
        self.actions += actions
        for action in actions:
            if isinstance(action, Judge | Listen):
                self._coming.append((self.taker.now_s + self.late_s, action))

    @property
    def asked(self) -> list[Judge]:
        return [action for action in self.actions if isinstance(action, Judge)]

    @property
    def ended(self) -> list[UserEnded]:
        return [action for action in self.actions if isinstance(action, UserEnded)]


def silence_before_the_end(*finished: float, words: str | None = None, said: str = "", late_s: float = 0.06) -> float:
    """The silence after which the turn ends."""
    talk = Talk(*finished, words=words, said=said, late_s=late_s)
    talk.voice(1.5)
    began_s = talk.taker.now_s
    while not talk.ended:
        talk.quiet(FRAME_S)
    return talk.taker.now_s - began_s


@pytest.mark.parametrize(
    ("finished", "expected_s"), [(0.99, TIMES.complete_s), (0.7, TIMES.pause_s), (0.2, TIMES.unfinished_s)]
)
def test_without_words_the_silence_depends_on_what_the_turn_model_hears(finished: float, expected_s: float) -> None:
    assert silence_before_the_end(finished) == pytest.approx(expected_s, abs=0.05)


@pytest.mark.parametrize(
    ("words", "finished", "expected_s"),
    [
        ("What time is it?", 0.3, TIMES.complete_s),
        ("What time is it?", 0.05, TIMES.unfinished_s),
        ("the blue one", 0.99, TIMES.complete_s),
        ("the blue one", 0.3, TIMES.unfinished_s),
        ("A table for", 0.99, TIMES.open_s),
        ("My number is five five", 0.99, TIMES.dictation_s),
    ],
)
def test_clear_words_weigh_more_than_the_sound(words: str, finished: float, expected_s: float) -> None:
    assert silence_before_the_end(finished, words=words) == pytest.approx(expected_s, abs=0.05)


def test_voice_without_words_is_dropped_whatever_the_turn_model_hears() -> None:
    assert silence_before_the_end(0.1, words="") == pytest.approx(0.5, abs=0.05)


def test_an_answer_that_is_late_ends_nothing_later_and_begins_no_second_turn() -> None:
    talk = Talk(0.01, late_s=0.9)
    talk.voice(1)
    talk.quiet(2.5)
    (ended,) = talk.ended
    assert ended.is_turn and silence_before_the_end(0.01, late_s=0.9) == pytest.approx(TIMES.pause_s, abs=0.05)


def test_what_was_heard_of_a_pause_does_not_count_for_the_next_one() -> None:
    talk = Talk(0.99, 0.01, late_s=0.3)
    talk.voice(1)
    talk.quiet(0.3)  # the answer about this pause comes when the user speaks on
    talk.voice(0.6)
    talk.quiet(1.0)
    assert len(talk.asked) == 2 and not talk.ended
    talk.quiet(0.5)
    (ended,) = talk.ended
    assert ended.start_s == talk.asked[1].start_s


def test_while_something_is_dictated_the_turn_model_is_not_asked() -> None:
    talk = Talk(0.99, said="What is your phone number?")
    talk.voice(0.6)
    talk.quiet(1.2)
    assert not talk.asked and not talk.ended


def test_a_microphone_that_stops_in_a_pause_ends_the_turn_and_a_late_answer_changes_nothing() -> None:
    talk = Talk(0.01)
    talk.voice(1)
    talk.quiet(0.4)
    (asked,) = talk.asked
    assert [type(action) for action in talk.taker.lost()] == [UserEnded]
    assert talk.taker.judged(asked.number, 0.99) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["voice", "quiet"]), st.integers(1, 60), st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.8])
        ),
        max_size=30,
    )
)
@settings(max_examples=share(200))
def test_each_answer_whenever_it_comes_leaves_turns_whole(steps: list[tuple[str, int, float, float]]) -> None:
    talk = Talk(*[0.5] * 200)
    for kind, frames, finished, late_s in steps:
        talk.finished[0], talk.late_s = finished, late_s
        (talk.voice if kind == "voice" else talk.quiet)(frames * FRAME_S)
    talk.quiet(3)
    assert not talk.taker.user_speaks
    ends = [ended.end_s for ended in talk.ended]
    assert ends == sorted(ends) and all(ended.end_s > ended.start_s for ended in talk.ended)


@given(st.sampled_from([None, "complete", "unclear", "open", "dictated"]), st.floats(0, 1), st.floats(0, 1))
def test_the_more_finished_it_sounds_the_sooner_the_turn_ends(words: str | None, one: float, other: float) -> None:
    order = ("unfinished", "unclear", "complete")
    less, more = (with_sound(words, finished) for finished in sorted((one, other)))  # type: ignore[arg-type]
    assert less == more or order.index(less) < order.index(more)


def agent() -> Agent:
    return Agent(Scripted(["It is nine."], loop=True))


async def delay_of(model: GivenJudgement, **more: object) -> float:
    """Seconds from the end of a question to its end for the session."""
    async with Room(agent().live(ears=None, turn_model=model, **more)) as at:  # type: ignore[arg-type]
        await at.say(QUESTION)
        ended_s = at.now_s
        await at.quiet(2.0)
        (stopped_s,) = at.times("user.stopped")
    return stopped_s - ended_s


async def test_a_session_without_ears_asks_the_turn_model_about_the_turn_so_far() -> None:
    sure, unsure = GivenJudgement(0.99), GivenJudgement(0.1)
    assert await delay_of(unsure) - await delay_of(sure) > 0.4
    assert sure.asked[-1] == pytest.approx(len(QUESTION) / RATE + 0.3, abs=0.4)


async def test_a_turn_model_that_fails_leaves_the_silence_to_decide(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "agentaudio.live"):
        delay_s = await delay_of(GivenJudgement(BackendError("the file is gone")))
    assert delay_s < await delay_of(GivenJudgement(0.1))
    assert "turn taking goes on without the turn model: the file is gone" in caplog.text


async def test_the_end_of_the_turn_stops_a_turn_model_at_work() -> None:
    slow = GivenJudgement(0.99, delay_s=60.0)
    assert await delay_of(slow) < 1.2
    assert len(slow.asked) >= 1 and slow.cancelled == len(slow.asked)


async def test_the_end_of_the_session_stops_a_turn_model_at_work() -> None:
    slow = GivenJudgement(0.99, delay_s=60.0)
    async with Room(agent().live(ears=None, turn_model=slow)) as at:
        await at.say(QUESTION)
        while not slow.asked:
            await at.quiet(0.02)
    assert slow.cancelled == len(slow.asked)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "agentaudio-live-turn-model"]


async def test_turns_by_the_voice_alone_ask_no_turn_model() -> None:
    model = GivenJudgement(0.1)
    live = agent().live(ears=None, turn_model=model)
    async with Room(live) as at:
        live.change_turn_taking(TurnTaking(), by_words=False)
        await at.say(QUESTION)
        await at.quiet(1.0)
    assert "turn.committed" in at.types() and not model.asked


async def test_beside_ears_a_turn_model_is_asked_when_it_was_named() -> None:
    model = GivenJudgement(0.01)
    async with Room(agent().live(ears=GivenWords("What time is it?"), turn_model=model)) as at:
        await at.say(QUESTION)
        await at.quiet(0.8)
        assert "turn.committed" not in at.types() and model.asked
        await at.quiet(1.0)
    assert "turn.committed" in at.types()


def test_an_unknown_turn_model_is_refused() -> None:
    with pytest.raises(OptionError, match="there is no turn model 'smart-turns'.*did you mean 'smart-turn'"):
        agent().live(turn_model="smart-turns")


def test_a_turn_model_that_is_asked_for_and_missing_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="`agentaudio models fetch smart-turn`"):
        agent().live(turn_model="smart-turn")


async def test_without_its_weights_a_session_works_as_without_a_turn_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path))
    async with Room(agent().live()) as at:
        await at.say(QUESTION)
        await at.quiet(1.0)
    assert at.types().count("turn.committed") == 1


async def test_smart_turn_itself_decides_in_a_session() -> None:
    pytest.importorskip("onnxruntime")
    require_weights("smart-turn")
    patient = TurnTaking(pause_s=1.2, unfinished_s=4.0)  # a busy machine needs time to ask it
    async with agent().live(ears=None, turn_model="smart-turn", turn_taking=patient, plays=False) as live:
        half = len(QUESTION) // 2
        for sound in (QUESTION[:half], silence(1.7), QUESTION[half:], silence(1.5)):
            for frame in Audio(sound, RATE).chunks(20):
                live.push(frame.to_pcm16())
                await asyncio.sleep(0.02)
    committed = [event.audio.duration async for event in live if event.type == "turn.committed"]
    assert committed == [pytest.approx(len(QUESTION) / RATE + 1.7, abs=0.4)]
