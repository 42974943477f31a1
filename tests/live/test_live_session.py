"""A live session in a room: who speaks when, and what the conversation keeps of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from support.live_room import RATE, GivenWords, Room, silence

from agentaudio import Agent, Audio, Conversation
from agentaudio.conversation import AudioPart, ToolCall, ToolSpec
from agentaudio.demo.run import questions_folder
from agentaudio.errors import AudioError, OptionError
from agentaudio.live.settings import TurnTaking
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, CallDelta, ReferenceVoice, TextDelta
from agentaudio.tools.tool import tool

Samples = NDArray[np.float32]

ANSWER_S = 4.0
WORDS = "one two three four five six seven eight"


@cache
def question(name: str) -> Samples:
    return Audio.load(questions_folder() / f"{name}.flac").resample(RATE).samples


@cache
def answer_sound() -> Samples:
    """A sound of ANSWER_S that is loud all the time."""
    time = np.arange(round(ANSWER_S * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)


def answering(
    conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None
) -> list[TextDelta | AudioDelta]:
    words, sound = WORDS.split(), answer_sound()
    deltas: list[TextDelta | AudioDelta] = []
    for place, word in enumerate(words):
        piece = sound[place * len(sound) // len(words) : (place + 1) * len(sound) // len(words)]
        deltas += [TextDelta(f"{word} "), AudioDelta(Audio(piece, RATE))]
    return deltas


def room(
    *words: str, model: Scripted | None = None, echo: float = 0.0, delay_s: float = 0.0, **settings: float
) -> Room:
    agent = Agent(model or Scripted([answering], loop=True))
    ears = GivenWords(*words, delay_s=delay_s) if words else None
    live = agent.live(ears=ears, turn_taking=TurnTaking(**settings))  # type: ignore[arg-type]
    return Room(live, echo=echo)


def user_sounds(conversation: Conversation) -> list[float]:
    """The seconds of each sound of the user."""
    return [
        part.audio.duration
        for message in conversation
        if message.role == "user"
        for part in message.parts
        if isinstance(part, AudioPart)
    ]


async def test_a_spoken_question_is_taken_whole_and_answered() -> None:
    async with room("What is the time in Tokyo?") as at:
        await at.quiet(0.5)
        began = await at.say(question("time-in-tokyo"))
        ended = at.now_s
        await at.until_playing()
        assert at.now_s - ended < 0.8
        await at.quiet(ANSWER_S + 0.5)
    kinds = [kind for kind in at.types() if kind.startswith(("user.", "turn.", "agent."))]
    assert kinds[:4] == ["user.started", "user.stopped", "turn.committed", "turn.started"]
    # How far the model is ahead of the loudspeaker when playback begins depends on the machine.
    assert set(kinds[4:6]) == {"agent.started", "turn.finished"} and kinds[6:] == ["agent.finished"]
    committed = next(event for _, event in at.happened if event.type == "turn.committed")
    assert committed.text == "What is the time in Tokyo?"
    assert committed.start_s < began + 0.15 and committed.end_s > ended - 0.3
    played = np.concatenate(at.heard)
    assert np.count_nonzero(np.abs(played) > 1e-3) / RATE == pytest.approx(ANSWER_S, abs=0.1)


async def test_an_interruption_stops_the_answer_and_the_conversation_keeps_what_was_heard() -> None:
    async with room("Tell me about the great wall.", "Stop, what is the time in Tokyo?") as at:
        await at.say(question("great-wall"))
        await at.until_playing(1.0)
        began = await at.say(question("time-in-tokyo"))
        sounding = [bool(np.any(frame)) for frame in at.heard[round(began / 0.02) :]]
        voiced = np.flatnonzero(np.abs(question("time-in-tokyo")) > 0.02)[0] / RATE
        assert sounding.index(False) * 0.02 < voiced + 0.2
        assert not any(sounding[sounding.index(False) :])
        await at.until_playing()
        heard = at.live.conversation.messages[1]
        await at.quiet(1)
    assert heard.role == "assistant"
    assert WORDS.startswith(heard.text) and 2 <= len(heard.text.split()) <= 4
    assert at.types().count("agent.stopped") == 1
    assert len(user_sounds(at.live.conversation)) == 2


@pytest.mark.parametrize("words", ["Mm-hmm.", "Yeah.", "", "[Music]", "嗯。"])
async def test_a_listening_noise_holds_the_answer_for_a_moment_and_nothing_of_it_is_lost(words: str) -> None:
    async with room("Tell me about the great wall.", words) as at:
        await at.say(question("great-wall"))
        await at.until_playing(1.0)
        await at.say([question("time-in-tokyo")[: RATE // 2]])
        await at.quiet(ANSWER_S + 1)
    assert "agent.stopped" not in at.types()
    assert at.types().count("agent.paused") == at.types().count("agent.resumed") == 1
    played = np.concatenate(at.heard)
    assert np.count_nonzero(np.abs(played) > 1e-3) / RATE == pytest.approx(ANSWER_S, abs=0.1)
    assert [message.role for message in at.live.conversation] == ["user", "assistant"]
    assert at.live.conversation.messages[1].text == WORDS


async def test_who_goes_on_before_the_answer_is_heard_has_said_one_thing() -> None:
    slow = Scripted([answering], loop=True, delay_s=0.3)
    async with room("Book a table for two.", "No, for four.", model=slow) as at:
        first, second = question("great-wall"), question("time-in-tokyo")
        await at.say(first)
        while "turn.committed" not in at.types():
            await at.quiet(0.02)
        await at.say(second)
        await at.until_playing()
    assert len(user_sounds(at.live.conversation)) == 1
    assert user_sounds(at.live.conversation)[0] > (len(first) + len(second)) / RATE
    assert [event.type for _, event in at.happened].count("turn.committed") == 2


async def test_a_call_that_has_run_stays_when_the_user_goes_on() -> None:
    runs = []

    @tool
    async def book(people: int) -> str:
        """Book a table.

        Args:
            people: how many.
        """
        runs.append(people)
        return "booked"

    def step(
        conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None
    ) -> list[TextDelta | AudioDelta | CallDelta]:
        if any(message.role == "tool" for message in conversation):
            return list(answering(conversation, tools, voice))
        return [CallDelta(ToolCall("1", "book", {"people": 2}))]

    slow = Scripted([step], loop=True, delay_s=0.2)
    live = Agent(slow, tools=[book]).live(ears=GivenWords("Book a table for two.", "No, for four."))
    async with Room(live) as at:
        await at.say(question("great-wall"))
        while "tool.finished" not in at.types():
            await at.quiet(0.02)
        await at.say(question("time-in-tokyo"))
        await at.until_playing()
    assert runs == [2]
    assert len(user_sounds(at.live.conversation)) == 2
    assert at.live.conversation.open_calls == ()


async def test_a_noise_without_words_while_the_agent_thinks_delays_the_answer_and_does_not_break_it() -> None:
    slow = Scripted([answering], loop=True, delay_s=0.05)
    async with room("What is the time in Tokyo?", "", model=slow) as at:
        await at.say(question("time-in-tokyo"))
        while "turn.committed" not in at.types():
            await at.quiet(0.02)
        await at.say(question("great-wall")[: RATE // 3])
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
    played = np.concatenate(at.heard)
    assert np.count_nonzero(np.abs(played) > 1e-3) / RATE == pytest.approx(ANSWER_S, abs=0.1)
    assert [message.role for message in at.live.conversation] == ["user", "assistant"]


async def test_voice_without_words_makes_no_turn() -> None:
    async with room("") as at:
        await at.say(question("time-in-tokyo")[:RATE])
        await at.quiet(1)
    assert at.types() == ["user.started", "user.stopped"]
    assert len(at.live.conversation) == 0


async def test_unfinished_words_hold_the_turn_open() -> None:
    pause = silence(0.9)
    async with room("I would like a table for", "I would like a table for four.") as at:
        await at.say([question("great-wall"), pause, question("time-in-tokyo")])
        await at.until_playing()
    assert len(user_sounds(at.live.conversation)) == 1


async def test_the_own_voice_from_the_loudspeaker_is_not_an_interruption() -> None:
    talk = Audio.load(questions_folder() / "scottish-man.flac").resample(RATE).samples
    speech = np.concatenate([talk, talk])

    def speaking(*_: object) -> list[TextDelta | AudioDelta]:
        return [TextDelta("a long answer"), AudioDelta(Audio(speech, RATE))]

    async with room("Tell me.", "a long answer", model=Scripted([speaking], loop=True), echo=0.15) as at:
        await at.say(question("great-wall"))
        await at.until_playing()
        await at.quiet(len(speech) / RATE + 1)
    assert "agent.stopped" not in at.types()
    assert [message.role for message in at.live.conversation] == ["user", "assistant"]


async def test_interruptions_can_be_switched_off() -> None:
    async with room("Tell me.", "Stop!", interruptible=False) as at:
        await at.say(question("great-wall"))
        await at.until_playing(0.5)
        await at.say(question("time-in-tokyo"))
        await at.quiet(ANSWER_S)
    assert "agent.stopped" not in at.types() and "agent.paused" not in at.types()


async def test_a_program_that_decides_on_interruptions_is_told_of_them_and_the_sound_goes_on() -> None:
    async with room("Tell me about the great wall.", "Stop, what is the time in Tokyo?") as at:
        at.live.change_turn_taking(TurnTaking(), stops=False)
        await at.say(question("great-wall"))
        await at.until_playing(0.5)
        await at.say(question("time-in-tokyo")[: round(1.5 * RATE)])
        kinds = at.types()
        assert kinds.count("user.started") == 2
        assert kinds.count("agent.paused") == kinds.count("agent.resumed") == 1
        assert "agent.stopped" not in kinds and at.is_playing


async def test_a_microphone_that_stops_in_the_middle_of_a_word_ends_the_turn() -> None:
    async with room("What is the time", lost_s=0.3) as at:
        await at.say(question("time-in-tokyo")[:RATE])
        await asyncio.sleep(0.8)
        assert at.live.is_busy or "turn.committed" in at.types()
        stopped = next(event for _, event in at.happened if event.type == "user.stopped")
        assert stopped.reason == "lost"


async def test_typed_words_are_answered_too() -> None:
    async with room("hello") as at:
        await at.live.send("what is the time?")
        await at.until_playing(0.2)
        await at.live.send("and in London?")
        await at.until_playing(0.2)
    users = [message.text for message in at.live.conversation if message.role == "user"]
    assert users == ["what is the time?", "and in London?"]


async def test_nothing_runs_on_after_a_session() -> None:
    before = asyncio.all_tasks()
    async with room("Tell me about the great wall.") as at:
        await at.say(question("great-wall"))
        await at.until_playing(0.3)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_sound_that_cannot_be_taken_is_refused_and_the_session_goes_on() -> None:
    async with room("What is the time?") as at:
        with pytest.raises(AudioError, match="finite|NaN"):
            at.live.push(np.array([np.nan] * 320, np.float32))
        at.live.push(b"\0")
        at.live.push(b"\0\1\0")
        await at.say(question("time-in-tokyo"))
        await at.until_playing()


async def test_what_a_session_cannot_do_is_said_at_once() -> None:
    agent = Agent(Scripted(["hello"]))
    with pytest.raises(OptionError, match="did you mean 'ears'"):
        agent.live(ear=None)  # type: ignore[call-arg]
    with pytest.raises(OptionError, match="pause_s is 0"):
        TurnTaking(pause_s=0)
    with pytest.raises(OptionError, match="not open"):
        agent.live(ears=None).push(b"\0\0")


async def test_a_request_that_was_taken_back_is_answered_when_no_words_follow_it() -> None:
    slow = Scripted([answering], loop=True, delay_s=0.3)
    async with room("Book a table for two.", "No, for", "", model=slow) as at:
        await at.say(question("great-wall"))
        while "turn.committed" not in at.types():
            await at.quiet(0.02)
        await at.say(
            [question("time-in-tokyo")[: RATE // 2], silence(0.3), question("time-in-tokyo")[RATE // 2 : RATE]]
        )
        await at.until_playing()
    assert len(user_sounds(at.live.conversation)) == 1


async def test_an_answer_without_sound_that_was_held_does_not_stay_held() -> None:
    def silent(*_: object) -> list[TextDelta | AudioDelta]:
        return [TextDelta("done")]

    slow = Scripted([silent], loop=True, delay_s=0.05)
    async with room("Tell me.", "Stop, something else.", model=slow) as at:
        await at.say(question("great-wall"))
        while "turn.committed" not in at.types():
            await at.quiet(0.02)
        await at.say(question("time-in-tokyo"))
        await at.quiet(2)
    assert at.types().count("agent.paused") == at.types().count("agent.resumed") + at.types().count("agent.stopped")
