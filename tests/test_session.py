"""Sessions: heard speech, voices, failures, and calls for the caller."""

from __future__ import annotations

import asyncio
import logging
import math
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, GenerateOptions, Session, events, tool
from agentaudio.conversation import (
    NOT_TOLD,
    STILL_RUNNING,
    Citation,
    Conversation,
    Passage,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.errors import (
    BackendError,
    ConsentError,
    ConversationError,
    LimitError,
    OptionError,
    ToolError,
    VoiceNotFound,
)
from agentaudio.limits import Limits
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    Delta,
    End,
    Heard,
    ReferenceVoice,
    TextDelta,
    TokensDelta,
    UnspokenDelta,
)
from agentaudio.sound.audio import Audio
from agentaudio.tools.context import RunContext
from agentaudio.tools.external import external_tool
from agentaudio.tools.result import ToolResult
from agentaudio.voice_library.library import VoiceLibrary

OPEN_DOOR = external_tool("open_door", "Open a door.", {"type": "object", "properties": {"door": {"type": "string"}}})
FIFTEEN_SECONDS = " ".join(f"word{number}" for number in range(50))  # Scripted takes 0.3 s for a word


def speech(session: Session) -> list[SpeechPart]:
    return [part for message in session.conversation for part in message.parts if isinstance(part, SpeechPart)]


async def test_turns_are_numbered_from_one() -> None:
    session = Agent(scripted("One.", "Two.")).session()
    assert [{event.turn for event in await all_events(session)} for _ in range(2)] == [{1}, {2}]


async def all_events(session: Session, user: str = "go") -> list[events.Event]:
    return [event async for event in session.stream(user)]


async def play(session: Session, seconds: float, user: str = "go") -> list[events.Event]:
    """Read a turn as a player does, and interrupt it after `seconds` of sound."""
    seen, arrived = [], 0.0
    async for event in session.stream(user):
        seen.append(event)
        if isinstance(event, events.AudioSpoken):
            arrived += event.audio.duration
            session.played(min(arrived, seconds))
            if arrived >= seconds:
                await session.interrupt()
    return seen


# What was heard


async def test_interrupting_early_in_a_long_answer_keeps_what_was_played() -> None:
    session = Agent(scripted(FIFTEEN_SECONDS, "Yes?")).session()
    seen = await play(session, 0.3)
    (part,) = speech(session)
    assert (part.text, part.interrupted) == ("word0", True) and part.cut_s == pytest.approx(0.3)
    assert part.audio is not None and part.audio.duration == pytest.approx(0.3)
    end = seen[-1]
    assert isinstance(end, events.TurnFinished)
    assert (end.reply.stop, end.reply.text) == ("interrupted", "word0")
    assert (await session.run("what")).text == "Yes?"


async def test_the_unplayed_rest_of_a_finished_answer_is_cut_when_the_user_speaks() -> None:
    session = Agent(scripted(FIFTEEN_SECONDS, "Yes?")).session(plays=True)
    made = await all_events(session)
    assert isinstance(made[-1], events.TurnFinished) and made[-1].reply.stop == "answered"
    session.played(0.65)
    await session.run("stop")
    assert [part.text for part in speech(session)] == ["word0 word1", "Yes?"]
    assert speech(session)[0].interrupted


async def test_an_answer_that_was_never_played_is_removed() -> None:
    session = Agent(scripted("Never heard.", "Yes?")).session(plays=True)
    await all_events(session)
    await session.interrupt()
    assert [message.role for message in session.conversation] == ["user"]


async def test_an_answer_that_was_played_to_its_end_is_kept_whole() -> None:
    session = Agent(scripted("All of it.", "Yes?")).session(plays=True)
    await all_events(session)
    session.played(0.9)
    await session.run("next")
    assert (speech(session)[0].text, speech(session)[0].interrupted) == ("All of it.", False)


async def test_a_reader_that_does_not_play_has_heard_what_it_read() -> None:
    session = Agent(scripted(FIFTEEN_SECONDS, "Yes?")).session(plays=False)
    read: list[str] = []
    async with aclosing(session.stream("go")) as happening:
        async for event in happening:
            if isinstance(event, events.TextSpoken):
                read.append(event.text)
            if len(read) == 3:
                break
    (part,) = speech(session)
    assert part.text == "".join(read) == "word0 word1 word2" and part.interrupted


async def test_closing_the_stream_of_an_ended_turn_keeps_only_what_was_read() -> None:
    session = Agent(scripted("One two three.")).session(plays=False)
    async with aclosing(session.stream("go")) as happening:
        async for event in happening:
            if isinstance(event, events.AudioSpoken):
                await asyncio.sleep(0.01)  # the turn ends meanwhile
                break
    (part,) = speech(session)
    assert (part.text, part.interrupted) == ("One", True)


async def test_an_interruption_without_any_report_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    session = Agent(scripted(*[FIFTEEN_SECONDS] * 3)).session()
    for _ in range(2):
        async for event in session.stream("go"):
            if isinstance(event, events.AudioSpoken):
                await session.interrupt()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "no playback position was reported" in caplog.text


async def test_a_report_may_come_after_the_next_turn_began() -> None:
    session = Agent(scripted(FIFTEEN_SECONDS, "Two.", "Three.")).session(plays=True)
    async for event in session.stream("go"):
        if isinstance(event, events.AudioSpoken):
            session.played(0.3)
            await session.interrupt()
    made_s = 0.3
    await all_events(session, "two")
    session.played(0.45, turn=1)
    assert speech(session)[0].cut_s == pytest.approx(made_s)  # the answer has no more sound
    session.played(9, turn=2)
    assert speech(session)[1].text == "Two."
    await all_events(session, "three")
    session.played(0.1, turn=1)
    assert [part.text for part in speech(session)] == ["word0", "Two.", "Three."]


async def test_a_report_on_the_last_turn_does_not_change_the_next() -> None:
    session = Agent(scripted(FIFTEEN_SECONDS, "This answer is heard whole.")).session(plays=True)
    await play(session, 0.3)
    async for event in session.stream("next"):
        if isinstance(event, events.AudioSpoken):
            session.played(0.2, turn=1)
    session.played(9)
    await session.interrupt()
    assert speech(session)[1].text == "This answer is heard whole." and not speech(session)[1].interrupted


@pytest.mark.parametrize("seconds", [-1.0, math.nan, "x", None])
async def test_an_invalid_report_is_refused(seconds: Any) -> None:
    session = Agent(scripted("Hi.")).session()
    with pytest.raises(OptionError, match="before the first turn"):
        session.played(1.0)
    await session.run("hi")
    with pytest.raises(OptionError, match="0 or more"):
        session.played(seconds)


async def test_the_tokens_of_an_interrupted_answer_are_cut_too() -> None:
    codes = SpeechTokens(tuple(range(50)), "cosyvoice2", 25.0)
    deltas = [TextDelta("A long answer."), TokensDelta(codes), AudioDelta(tone(duration_s=2.0))]
    session = Agent(scripted(deltas, "Yes?")).session(plays=True)
    await all_events(session)
    session.played(1.0)
    await session.interrupt()
    tokens = speech(session)[0].tokens
    assert tokens is not None and tokens.ids == tuple(range(25))


async def test_a_turn_does_not_run_far_ahead_of_its_reader() -> None:
    made: list[int] = []

    def endless(*_: object) -> Iterator[Delta]:
        for number in range(10_000):
            made.append(number)
            yield TextDelta("x")

    session = Agent(scripted(endless)).session(plays=False)
    async with aclosing(session.stream("go")) as happening:
        async for event in happening:
            if isinstance(event, events.TextSpoken):
                await asyncio.sleep(0.05)
                break
    assert len(made) < 100 and speech(session)[0].text == "x"


# Reply


async def test_the_reason_of_the_model_reaches_the_reply() -> None:
    cut = [TextDelta("And then"), End("length", {"output_tokens": 3, "input_tokens": 10})]
    session = Agent(scripted(calls(("nothing", {})), cut)).session()
    seen = await all_events(session)
    finished = [event for event in seen if isinstance(event, events.StepFinished)]
    assert [(event.step, event.reason, dict(event.usage)) for event in finished] == [
        (1, "stop", {"output_characters": 0, "output_sound_s": 0.0}),
        (2, "length", {"output_tokens": 3, "input_tokens": 10, "output_characters": 8, "output_sound_s": 0.0}),
    ]
    end = seen[-1]
    assert isinstance(end, events.TurnFinished) and end.reply.stop == "length"


async def test_usage_is_added_up_over_the_steps() -> None:
    first = [*_call("a"), End("tool_calls", {"input_tokens": 10, "output_tokens": 2})]
    second = [TextDelta("Done."), End("stop", {"input_tokens": 20, "cached_tokens": 5})]
    reply = await Agent(scripted(first, second)).run("go")
    measured = {"output_characters": 5, "output_sound_s": 0.0}
    assert dict(reply.usage) == {"input_tokens": 30, "output_tokens": 2, "cached_tokens": 5, **measured}
    assert reply.stop == "answered"


async def test_first_audio_is_the_time_of_the_first_sound() -> None:
    seen = await all_events(Agent(scripted("One two three.")).session())
    sounds = [event.at_s for event in seen if isinstance(event, events.AudioSpoken)]
    end = seen[-1]
    assert isinstance(end, events.TurnFinished) and len(sounds) == 3
    assert end.reply.timings["first_audio"] <= sounds[0] < sounds[2] <= end.reply.timings["total"]


async def test_the_voice_of_the_reply_is_the_one_that_was_heard(library: VoiceLibrary) -> None:
    step = {"say": "Let me change.", **calls(("audio_search", {"query": "a robot"}))}
    session = Agent(scripted(step, "Beep beep."), tools=["audio_search"], voices=library).session(plays=True)
    async for event in session.stream("be a robot", voice="ruby"):
        if isinstance(event, events.AudioSpoken):
            session.played(0.3)
        if isinstance(event, events.VoiceChanged):
            await session.interrupt()
    assert isinstance(event, events.TurnFinished)
    assert (event.reply.stop, event.reply.text) == ("interrupted", "Let")
    assert event.reply.voice == library.get("ruby")


@pytest.mark.parametrize(("max_steps", "stop"), [(1, "answered"), (2, "max_steps"), (3, "answered")])
async def test_max_steps_is_the_stop_of_a_turn_that_answers_because_it_must(max_steps: int, stop: str) -> None:
    @tool
    def look() -> str:
        return "seen"

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        wants = len(conversation) == 1 and specs
        return [CallDelta(ToolCall("c", "look", {}))] if wants else [TextDelta("Well.")]

    reply = await Agent(scripted(answer, answer), tools=[look], max_steps=max_steps).run("go")
    assert (reply.text, reply.stop) == ("Well.", stop)


# Failures


def fails(*_: object) -> list[Delta]:
    raise ZeroDivisionError("oops")


def says_and_fails(*_: object) -> Iterator[Delta]:
    yield TextDelta("One moment")
    yield AudioDelta(tone())
    raise OSError("the line is dead")


async def failed(session: Session) -> events.TurnFailed:
    seen = []
    with pytest.raises(BackendError):
        async for event in session.stream("go"):
            seen.append(event)
    end = seen[-1]
    assert isinstance(end, events.TurnFailed) and end.reply.stop == "failed" and not session.conversation.open_calls
    return end


async def test_a_failed_turn_restores_the_voice(library: VoiceLibrary) -> None:
    model = scripted(calls(("audio_search", {"query": "a robot"})), fails, "Yes.")
    session = Agent(model, tools=["audio_search"], voices=library, voice="ruby").session()
    end = await failed(session)
    assert session.voice == library.get("ruby")
    assert [run.call.name for run in end.reply.tool_calls] == ["audio_search"]
    (output,) = session.conversation.last_outputs
    assert "voice was not changed" in output.text  # the conversation must say so too


async def test_calls_that_ran_before_a_failure_are_kept() -> None:
    @tool
    def order(what: str) -> str:
        return f"{what} was ordered, number 7"

    broken = iter([True, False])

    def answer(*_: object) -> list[Delta]:
        return fails() if next(broken) else [TextDelta("It was.")]

    session = Agent(scripted(calls(("order", {"what": "tea"})), answer), tools=[order]).session()
    await failed(session)
    assert [output.text for output in session.conversation.last_outputs] == ["tea was ordered, number 7"]
    assert (await session.run("did it work?")).text == "It was."


def emits_nonsense(*_: object) -> list[Any]:
    return [ToolCall("1", "transfer", {"amount": 50})]


@pytest.mark.parametrize("breaks", [fails, emits_nonsense])
async def test_what_tools_did_in_a_failed_turn_is_marked_and_said_to_the_model(breaks: Any) -> None:
    made: list[int] = []
    read: list[str] = []

    @tool
    def transfer(amount: int) -> str:
        made.append(amount)
        return f"{amount} euros were sent"

    def again(conversation: Conversation, *_: object) -> list[Delta]:
        read.extend(output.text for message in conversation for output in message.tool_outputs)
        return [TextDelta("They were sent.")]

    answers = iter([breaks, again, again])
    answer = lambda *given: next(answers)(*given)  # noqa: E731
    model = scripted(calls(("transfer", {"amount": 50})), answer, answer)
    session = Agent(model, tools=[transfer]).session()
    with pytest.raises(BackendError):
        await session.run("send fifty euros")
    assert [message.failed for message in session.conversation] == [False, False, True]
    assert [output.text for output in session.conversation.last_outputs] == ["50 euros were sent"]
    assert (await session.run("send fifty euros")).text == "They were sent."
    await session.run("thanks")
    assert made == [50]
    assert read == ["50 euros were sent\n" + NOT_TOLD] * 2


async def test_a_turn_that_took_too_long_keeps_the_result_that_it_had() -> None:
    release = threading.Event()

    @tool
    def transfer(amount: int) -> str:
        return f"{amount} euros were sent"

    @tool
    def confirm() -> str:
        release.wait(10)
        return "confirmed"

    model = scripted(calls(("transfer", {"amount": 50}), ("confirm", {})), "Yes.")
    session = Agent(model, tools=[transfer, confirm], limits=Limits(turn_s=0.3)).session()
    with pytest.raises(LimitError):
        await session.run("send fifty euros")
    sent, confirmed = session.conversation.last_outputs
    assert sent.text == "50 euros were sent" and STILL_RUNNING in confirmed.text
    assert session.conversation.messages[-1].failed
    release.set()
    while session.conversation.last_outputs[1].text != "confirmed":
        await asyncio.sleep(0.01)
    assert session.conversation.for_model().last_outputs[1].text == f"confirmed\n{NOT_TOLD}"


async def test_a_mark_stays_when_the_speech_of_the_failed_turn_was_not_heard() -> None:
    conversation = Conversation()
    conversation.add("user", "go")
    said = SpeechPart("One moment", interrupted=True)
    conversation.add("assistant", said)
    conversation.mark_failed()
    conversation.replace(said, None)
    assert [(message.role, message.failed) for message in conversation] == [("user", True)]


async def test_speech_before_a_failure_is_kept_and_marked() -> None:
    session = Agent(scripted(says_and_fails, "Again.")).session()
    end = await failed(session)
    assert [(part.text, part.interrupted) for part in speech(session)] == [("One moment", True)]
    assert end.reply.text == "One moment" and end.reply.audio is not None
    assert (await session.run("and?")).text == "Again."


async def test_a_failed_turn_keeps_a_late_result_of_an_earlier_turn() -> None:
    booked = asyncio.Event()

    @tool(cancellable=False)
    async def book() -> str:
        await booked.wait()
        return "booked, number 7"

    async def late(conversation: Conversation) -> None:
        booked.set()
        await asyncio.sleep(0.01)

    class Failing(type(scripted("x"))):  # type: ignore[misc]
        async def generate(self, conversation: Conversation, **given: Any) -> AsyncGenerator[Delta, None]:
            if len(conversation) > 2:
                await late(conversation)
                raise ZeroDivisionError("oops")
            async for delta in super().generate(conversation, **given):
                yield delta

    session = Agent(Failing([calls(("book", {}))]), tools=[book]).session()
    async for event in session.stream("book a table"):
        if isinstance(event, events.ToolStarted):
            await asyncio.sleep(0.01)
            await session.interrupt()
    with pytest.raises(BackendError):
        await session.run("and?")
    assert [message.role for message in session.conversation] == ["user", "assistant", "tool"]
    assert [output.text for output in session.conversation.last_outputs] == ["booked, number 7"]


async def test_recognised_words_are_kept_with_the_sound_and_removed_with_a_failed_turn() -> None:
    session = Agent(scripted({"heard": "hello", "say": "Hi."})).session()
    await session.run(tone())
    assert [(message.role, message.text) for message in session.conversation] == [
        ("user", "hello"),
        ("assistant", "Hi."),
    ]

    def hears_and_fails(*_: object) -> Iterator[Delta]:
        yield Heard("hello")
        raise ZeroDivisionError("oops")

    broken = Agent(scripted(hears_and_fails)).session()
    with pytest.raises(BackendError):
        await broken.run(tone())
    assert len(broken.conversation) == 0


# Voices and options of a turn


async def test_an_answer_is_whole_while_it_plays_and_cut_when_it_is_interrupted() -> None:
    session = Agent(scripted(FIFTEEN_SECONDS)).session(plays=True)
    await session.run("hi")
    session.played(1.0)
    assert [part.text for part in speech(session)] == [FIFTEEN_SECONDS]
    await session.interrupt()
    assert [part.cut_s for part in speech(session)] == [1.0]


async def test_a_turn_of_which_nothing_was_heard_is_retracted_and_no_other() -> None:
    session = Agent(scripted("One.", "Two.")).session(plays=True)
    assert not await session.retract(), "no turn has begun"
    await session.run("first")
    session.played(60)
    assert not await session.retract(), "it was heard"
    await session.run("second")
    assert await session.retract()
    assert [message.text for message in session.conversation] == ["first", "One."]
    await session.run("third")
    session.played(60)
    assert [message.text for message in session.conversation][2:] == ["third", "Two."]


async def test_a_first_turn_is_retracted_while_it_runs() -> None:
    session = Agent(scripted(FIFTEEN_SECONDS)).session(plays=True)
    async with aclosing(session.stream("first")) as happening:
        async for event in happening:
            if isinstance(event, events.AudioSpoken):
                break
        assert await session.retract()
    assert list(session.conversation) == []


async def test_a_turn_that_called_a_tool_is_not_retracted() -> None:
    @tool
    async def order() -> str:
        return "ordered"

    session = Agent(scripted(calls(("order", {})), "Done."), tools=[order]).session(plays=True)
    await session.run("order it")
    assert not await session.retract()
    assert [call.name for message in session.conversation for call in message.tool_calls] == ["order"]


async def test_the_voice_of_a_session_changes_from_the_next_turn_on(library: VoiceLibrary) -> None:
    session = Agent(scripted("One.", "Two.", "Three."), voices=library, voice="ruby").session()
    await session.change_voice("walter")
    assert (await session.run("hi")).voice == session.voice == library.get("walter")
    await session.change_voice(None)  # the agent's
    assert (await session.run("hi")).voice == library.get("ruby")
    with pytest.raises(VoiceNotFound):
        await session.change_voice("nobody")
    assert session.voice == library.get("ruby")


def test_a_turn_of_a_synchronous_program_takes_a_voice_and_options(library: VoiceLibrary) -> None:
    session = Agent(scripted("One.", "Two."), voices=library, voice="ruby").session()
    silent = session.run_sync("hi", voice="walter", options=GenerateOptions(speak=False))
    assert (silent.voice, silent.audio) == (library.get("walter"), None)
    spoken = session.run_sync("hi")
    assert spoken.voice == library.get("ruby") and spoken.audio is not None


async def test_a_synchronous_turn_in_an_event_loop_says_what_to_write_instead() -> None:
    with pytest.raises(OptionError, match=r"write `await agent\.run"):
        Agent(scripted("One.")).session().run_sync("hi")


async def test_a_conversation_is_answered_as_it_is_and_kept_apart_from_the_callers() -> None:
    session = Agent(scripted("Tea.")).session()
    await session.run("a question of before")
    given = Conversation()
    given.add("user", TextPart("What is it?"), turn=1)
    async for _ in session.respond(given):
        pass
    assert [message.text for message in session.conversation] == ["What is it?", "Tea."]
    assert [message.text for message in given] == ["What is it?"]


async def test_a_turn_may_have_a_voice_and_options_of_its_own(library: VoiceLibrary) -> None:
    session = Agent(scripted("One.", "Two."), voices=library, voice="ruby").session()
    first = await session.run("hi", voice="walter", options=GenerateOptions(speak=False))
    second = await session.run("hi")
    assert first.voice == library.get("walter") and first.audio is None
    assert second.voice == library.get("ruby") and second.audio is not None
    assert session.voice == library.get("ruby")


async def test_a_voice_found_by_a_tool_replaces_the_voice_of_the_turn(library: VoiceLibrary) -> None:
    model = scripted(calls(("audio_search", {"query": "a robot"})), "Beep.", "Beep.")
    session = Agent(model, tools=["audio_search"], voices=library).session()
    await session.run("be a robot", voice="walter")
    assert session.voice == library.get("robot")


async def test_default_is_the_voice_of_the_agent(library: VoiceLibrary) -> None:
    @tool
    def reset() -> ToolResult:
        return ToolResult("Back.", voice="default")

    agent = Agent(scripted(calls(("reset", {})), "Yes.", "Yes."), tools=[reset], voices=library, voice="ruby")
    session = agent.session(voice="walter")
    assert session.voice == library.get("walter")
    reply = await session.run("go back")
    assert session.voice == reply.voice == library.get("ruby")
    other = Agent(scripted("Yes."), voices=library, voice="ruby").session(voice="walter")
    assert (await other.run("hi", voice="default")).voice == library.get("ruby")
    assert other.voice == library.get("walter")


async def test_voices_that_cannot_be_used_are_refused_before_the_turn(library: VoiceLibrary) -> None:
    session = Agent(scripted("Hi."), voices=library).session()
    for wanted, error in (("waltr", VoiceNotFound), ("secret", ConsentError)):
        with pytest.raises(error):
            await session.run("hi", voice=wanted)
    with pytest.raises(OptionError, match="does not take temperature; it takes: speak, seed"):
        await (
            Agent(scripted("Hi.", options=frozenset({"seed"})))
            .session()
            .run("hi", options=GenerateOptions(temperature=0.5))
        )
    assert len(session.conversation) == 0


async def test_a_conversation_is_continued() -> None:
    agent = Agent(scripted("One.", "Two."), instructions="Be brief.")
    first = agent.session()
    await first.run("a")
    second = agent.session(first.conversation)
    await second.run("b")
    assert [message.text for message in second.conversation] == ["Be brief.", "a", "One.", "b", "Two."]
    assert len(first.conversation) == 3
    bare = Conversation()
    bare.add("user", "before")
    assert [message.text for message in agent.session(bare).conversation] == ["Be brief.", "before"]


# Calls of the caller


def _call(*ids: str) -> list[Delta]:
    return [CallDelta(ToolCall(one, "open_door", {"door": one})) for one in ids]


async def test_calls_for_the_caller_end_the_turn_and_are_answered_in_the_next() -> None:
    read: list[ToolOutput] = []

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        read.extend(conversation.last_outputs)
        return [TextDelta("It is open.")]

    @tool
    def look() -> str:
        return "a red door"

    step = [*_call("front"), CallDelta(ToolCall("x", "look", {})), *_call("back")]
    session = Agent(scripted(step, answer), tools=[OPEN_DOOR, look]).session()
    seen = await all_events(session, "open the doors")
    end = seen[-1]
    assert isinstance(end, events.TurnFinished) and end.reply.stop == "tool_calls"
    assert [call.id for call in end.reply.open_calls] == ["front", "back"]
    assert [event.call.id for event in seen if isinstance(event, events.ToolRequested)] == ["front", "back"]
    assert [run.result.text for run in end.reply.tool_calls] == ["a red door"]
    reply = await session.run({"back": ToolError("it is stuck"), "front": {"angle": 90}})
    assert (reply.stop, reply.text) == ("answered", "It is open.")
    assert [(run.call.id, run.status) for run in reply.tool_calls] == [("front", "done"), ("back", "failed")]
    assert [(output.call_id, output.text, output.is_error) for output in read] == [
        ("x", "a red door", False),
        ("front", '{"angle": 90}', False),
        ("back", "open_door failed: it is stuck", True),
    ]


async def test_a_result_from_the_caller_may_contain_a_voice_and_passages(library: VoiceLibrary) -> None:
    passage = Passage("The door is oak.", "Doors", "doors.md")
    result = ToolResult("Open.", passages=(passage,), voice=library.get("walter"))
    session = Agent(scripted(_call("a"), "The door is oak."), tools=[OPEN_DOOR], voices=library).session()
    await session.run("go")
    reply = await session.run({"a": result})
    assert session.voice == reply.voice == library.get("walter")
    assert [citation.source for citation in reply.citations] == ["doors.md"]


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ({"a": "x"}, "the calls b have no result"),
        ({"a": "x", "b": "y", "c": "z"}, "there is no open call 'c'; open calls: a, b"),
    ],
)
async def test_every_open_call_needs_one_result(results: dict[str, str], words: str) -> None:
    session = Agent(scripted(_call("a", "b"), "Done."), tools=[OPEN_DOOR]).session()
    await session.run("go")
    with pytest.raises(ConversationError, match=words):
        await session.run(results)
    assert [call.id for call in session.conversation.open_calls] == ["a", "b"]
    assert (await session.run({"a": 1, "b": None})).stop == "answered"


async def test_results_can_be_given_again_after_the_model_failed_on_them() -> None:
    @tool
    def look() -> str:
        return "a red door"

    step = [*_call("front"), CallDelta(ToolCall("x", "look", {}))]
    failures = [True, True]

    def answer(*_: object) -> list[Delta]:
        return fails() if failures and failures.pop() else [TextDelta("It is open.")]

    session = Agent(scripted(step, answer), tools=[OPEN_DOOR, look]).session()
    assert (await session.run("open the door")).stop == "tool_calls"
    for _ in range(2):
        with pytest.raises(BackendError):
            await session.run({"front": "done"})
        assert [call.id for call in session.conversation.open_calls] == ["front"]
    reply = await session.run({"front": "done"})
    assert reply.text == "It is open." and [
        output.text for output in session.conversation.messages[-2].tool_outputs
    ] == ["done"]


async def test_a_call_with_wrong_arguments_is_not_left_to_the_caller() -> None:
    strict = {"type": "object", "properties": {"door": {"type": "string"}}, "required": ["door"]}
    door = external_tool("open_door", "Open a door.", strict)
    step = [CallDelta(ToolCall("a", "open_door", {})), CallDelta(ToolCall("b", "open_door", {}), problem="not JSON")]
    reply = await Agent(scripted(step, "Which door?"), tools=[door]).run("go")
    assert (reply.stop, reply.open_calls) == ("answered", ())
    assert [(run.status, "door" in run.result.text) for run in reply.tool_calls] == [
        ("failed", True),
        ("failed", False),
    ]


async def test_results_without_open_calls_are_refused() -> None:
    session = Agent(scripted("Hi.")).session()
    for results in ({}, {"a": 1}):
        with pytest.raises(ConversationError, match="no call is open"):
            await session.run(results)
    assert len(session.conversation) == 0


async def test_speaking_instead_of_giving_results_closes_the_calls() -> None:
    session = Agent(scripted(_call("a"), "Never mind."), tools=[OPEN_DOOR]).session()
    await session.run("go")
    reply = await session.run("forget it")
    assert reply.text == "Never mind." and not reply.open_calls
    outputs = [output for message in session.conversation for output in message.tool_outputs]
    assert [(output.call_id, output.is_error) for output in outputs] == [("a", True)]


async def test_an_interrupted_turn_leaves_no_calls_for_the_caller() -> None:
    @tool
    async def forever() -> str:
        await asyncio.sleep(60)
        return ""

    step = [*_call("a"), CallDelta(ToolCall("b", "forever", {}))]
    session = Agent(scripted(step), tools=[OPEN_DOOR, forever]).session()
    async for event in session.stream("go"):
        if isinstance(event, events.ToolStarted):
            await asyncio.sleep(0)
            await session.interrupt()
    assert not session.conversation.open_calls
    assert [output.is_error for output in session.conversation.last_outputs] == [True, True]


# Interruptions


async def test_an_interrupted_turn_has_no_citations() -> None:
    @tool
    def look() -> ToolResult:
        return ToolResult("Oak.", passages=(Passage("The door is oak.", "Doors", "doors.md"),))

    session = Agent(scripted(calls(("look", {})), "The door is oak. " * 9), tools=[look]).session(plays=False)
    seen = []
    async for event in session.stream("go"):
        seen.append(event)
        if isinstance(event, events.TextSpoken) and "oak" in event.text:
            await session.interrupt()
    end = seen[-1]
    assert isinstance(end, events.TurnFinished) and end.reply.stop == "interrupted" and not end.reply.citations
    assert not any(isinstance(event, events.PassageCited) for event in seen)


async def test_citations_of_the_model_are_emitted_once() -> None:
    cited = Citation("Doors", "doors.md", "The door is oak.")
    reply = await Agent(scripted([CitationDelta(cited), TextDelta("Oak."), CitationDelta(cited)])).run("go")
    assert reply.citations == (cited,)


async def test_words_without_sound_are_an_event() -> None:
    model = scripted([TextDelta("He said слово."), UnspokenDelta(("слово",))])
    found = [event.words async for event in Agent(model).stream("go") if event.type == "text.unspoken"]
    assert found == [("слово",)]


async def test_turns_started_together_replace_each_other_and_all_report_their_end() -> None:
    session = Agent(Scripted(["One."], loop=True), instructions="x").session()
    replies = await asyncio.gather(session.run("a"), session.run("b"), session.run("c"))
    assert [reply.stop for reply in replies] == ["interrupted", "interrupted", "answered"]
    roles = [message.role for message in session.conversation]
    assert roles[-2:] == ["user", "assistant"] and not session.conversation.open_calls


async def test_a_turn_that_is_replaced_at_once_has_a_beginning_and_an_end() -> None:
    session = Agent(scripted("One.", "Two.")).session()
    first, second = await asyncio.gather(all_events(session), all_events(session))
    assert [event.type for event in first][0] == "turn.started" and first[-1].type == "turn.finished"
    assert second[-1].type == "turn.finished"


async def test_a_turn_that_runs_in_another_loop_is_not_touched() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @tool
    def wait() -> str:
        begun.set()
        go_on.wait(10)
        return "waited"

    session = Agent(scripted("Hello.", calls(("wait", {})), "Done.", "Yes."), tools=[wait]).session()
    await session.run("hello")  # that the turn before has ended does not count
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(session.run_sync, "go")
        await asyncio.to_thread(begun.wait, 10)
        for wrong in (session.run("stop"), session.interrupt()):
            with pytest.raises(OptionError, match="runs in another event loop"):
                await wrong
        go_on.set()
        assert (await asyncio.wrap_future(elsewhere)).text == "Done."
    assert (await session.run("and now?")).text == "Yes."


async def test_the_voice_of_a_turn_ends_with_it_even_when_nobody_reads_on(library: VoiceLibrary) -> None:
    session = Agent(scripted("One two.", "Two."), voices=library, voice="ruby").session()
    left = session.stream("hi", voice="walter")
    assert (await anext(left)).type == "turn.started"
    assert (await session.run("hi")).voice == session.voice == library.get("ruby")
    await left.aclose()
    assert session.voice == library.get("ruby")


async def test_text_is_added_to_the_conversation() -> None:
    session = Agent(scripted("Hi.")).session()
    await session.run("please play song.wav")
    assert session.conversation.messages[0].parts == (TextPart("please play song.wav"),)


async def test_every_kind_of_sound_input_is_heard(tmp_path: Path) -> None:
    path = tone().save(tmp_path / "question.wav")
    content = path.read_bytes()
    heard = {"heard": "hello", "say": "Hi."}
    with path.open("rb") as file:
        for source in (
            path,
            content,
            bytearray(content),
            memoryview(content),
            file,
            tone(),
        ):
            assert (await Agent(scripted(heard)).run(source)).heard == "hello"


async def test_text_that_names_a_file_is_not_read_as_sound(tmp_path: Path) -> None:
    path = tone().save(tmp_path / "private.wav")
    session = Agent(scripted("Hi.")).session()
    await session.run(str(path))
    assert session.conversation.messages[0].parts == (TextPart(str(path)),)


def test_the_audio_of_a_reply_covers_all_steps() -> None:
    reply = Agent(scripted("One two.")).run_sync("hi")
    assert isinstance(reply.audio, Audio) and reply.audio.duration == pytest.approx(0.6)


# What an attacker found


async def test_the_voice_of_a_turn_does_not_reach_the_turn_that_replaces_it(library: VoiceLibrary) -> None:
    spoken_in: list[ReferenceVoice | None] = []

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> Iterator[Delta]:
        spoken_in.append(voice)
        for _ in range(100):
            yield TextDelta("word ")

    session = Agent(scripted(answer, answer), voices=library).session(plays=False)
    first = session.stream("one", voice="walter")
    async for event in first:
        if isinstance(event, events.TextSpoken):
            break  # the reader stops reading, and keeps the stream
    reply = await session.run("two")
    assert spoken_in == [library.get("walter"), None] and reply.voice is None and session.voice is None
    await first.aclose()
    assert session.voice is None


async def test_a_model_that_ignores_cancellation_runs_no_tool_after_it() -> None:
    bought: list[str] = []

    @tool
    async def buy() -> str:
        bought.append("it")
        return "bought"

    class Ignores(Scripted):
        async def generate(self, conversation: Conversation, **given: Any) -> AsyncGenerator[Delta, None]:
            yield TextDelta("Well")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
            yield CallDelta(ToolCall("c", "buy", {}))

    session = Agent(Ignores(["x"]), tools=[buy]).session()
    async for event in session.stream("go"):
        if isinstance(event, events.TextSpoken):
            await asyncio.wait_for(session.interrupt(), 5)
    assert isinstance(event, events.TurnFinished) and event.reply.stop == "interrupted" and bought == []


async def test_an_interruption_during_the_lookup_of_a_voice_stops_the_turn(library: VoiceLibrary) -> None:
    session = Agent(scripted("Hi."), voices=library).session()
    running = asyncio.ensure_future(session.run("hi", voice="walter"))
    await asyncio.sleep(0)
    await session.interrupt()
    assert (await running).stop == "interrupted" and session.voice is None


async def test_a_result_with_a_voice_does_not_change_a_fixed_voice(library: VoiceLibrary) -> None:
    session = Agent(scripted(_call("a"), "No.", voices="fixed"), tools=[OPEN_DOOR]).session()
    await session.run("go")
    seen = []
    async for event in session.stream({"a": library.get("walter")}):
        seen.append(event.type)
    (output,) = (output for message in session.conversation for output in message.tool_outputs)
    assert session.voice is None and "voice.changed" not in seen
    assert output.is_error and "cannot change its voice" in output.text


async def test_a_report_of_the_end_after_an_interruption_restores_the_answer() -> None:
    session = Agent(scripted("One two three.", "Yes.")).session(plays=True)
    await all_events(session)
    session.played(0.35)
    await session.interrupt()
    assert speech(session)[0].text == "One"
    session.played(0.9)
    assert speech(session)[0].text == "One two three." and not speech(session)[0].interrupted


async def test_an_answer_that_nobody_read_to_its_end_was_interrupted() -> None:
    session = Agent(scripted("One two three.", "Yes.")).session(plays=False)
    happening = session.stream("go")
    async for event in happening:
        if isinstance(event, events.AudioSpoken):
            await asyncio.sleep(0.01)  # the turn ends meanwhile
            break
    await session.run("and?")
    rest = [event async for event in happening]
    assert isinstance(rest[-1], events.TurnFinished)
    assert (rest[-1].reply.stop, rest[-1].reply.text) == ("interrupted", "One")


async def test_calls_that_were_not_offered_are_not_run() -> None:
    ran: list[int] = []

    @tool
    def look(n: int) -> str:
        ran.append(n)
        return "seen"

    def greedy(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        return [CallDelta(ToolCall("c", "look", {"n": len(conversation)}))]

    reply = await Agent(scripted(greedy, greedy), tools=[look], max_steps=2).run("go")
    assert (reply.stop, len(ran)) == ("max_steps", 1)
    assert [run.status for run in reply.tool_calls] == ["done", "failed"]
    assert "not run" in reply.tool_calls[1].result.text


async def test_a_generate_that_is_not_a_generator_is_named() -> None:
    class Lists(Scripted):
        def generate(self, conversation: Conversation, **given: Any) -> Any:
            return [TextDelta("Hi.")]

    with pytest.raises(BackendError, match="generate of model 'scripted' returned list"):
        await Agent(Lists(["x"])).run("hi")


async def test_a_failure_after_calls_were_made_leaves_no_call_without_its_question() -> None:
    step = [*_call("a"), End(usage={"tokens": "many"})]  # type: ignore[dict-item]
    session = Agent(scripted(step), tools=[OPEN_DOOR]).session()
    with pytest.raises(BackendError, match="usage"):
        await session.run("go")
    assert len(session.conversation) == 0


CLOSED_LOOP = """
import asyncio
from agentaudio import Agent
from agentaudio.model.scripted import Scripted

session = Agent(Scripted(["One two three. " * 20], loop=True)).session()

async def leave():
    happening = session.stream("go")
    await anext(happening)
    return happening

loop = asyncio.new_event_loop()
left = loop.run_until_complete(leave())
loop.close()
print(session.run_sync("and now?").stop)
"""


def test_a_session_goes_on_after_its_loop_was_closed_in_a_turn() -> None:
    # A separate process: when Python clears the abandoned task away, and what asyncio says of it, is not ours.
    command = [sys.executable, "-c", CLOSED_LOOP]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "answered"), done.stderr


async def test_the_recognised_words_are_events_with_their_confidence() -> None:
    deltas = [Heard("hel", 0.4, final=False), Heard("hello", 0.9), TextDelta("Hi.")]
    seen = await all_events(Agent(scripted(deltas)).session())
    heard = [(event.text, event.confidence, event.final) for event in seen if isinstance(event, events.SpeechHeard)]
    assert heard == [("hel", 0.4, False), ("hello", 0.9, True)]
    end = seen[-1]
    assert isinstance(end, events.TurnFinished) and (end.reply.heard, end.reply.confidence) == ("hello", 0.9)
    assert 0 <= end.reply.timings["heard"] <= end.reply.timings["total"]


async def test_the_options_of_the_turn_reach_the_model() -> None:
    given: list[GenerateOptions] = []

    class Listens(Scripted):
        async def generate(
            self, conversation: Conversation, *, options: GenerateOptions = GenerateOptions(), **other: Any
        ) -> AsyncGenerator[Delta, None]:
            given.append(options)
            yield TextDelta("Hi.")

    agent = Agent(Listens(["x"]), options=GenerateOptions(seed=1))
    await agent.run("hi")
    await agent.run("hi", options=GenerateOptions(seed=2))
    assert [options.seed for options in given] == [1, 2]


async def test_slow_phrases_do_not_hold_up_the_event_loop() -> None:
    beats: list[float] = []

    def slow_phrases(context: RunContext) -> list[str]:
        time.sleep(0.3)
        return ["look around"]

    @tool(phrases=slow_phrases)
    def look() -> str:
        return "seen"

    async def beat() -> None:
        while True:
            beats.append(time.perf_counter())
            await asyncio.sleep(0.01)

    beating = asyncio.create_task(beat())
    assert (await Agent(scripted("Hi."), tools=[look]).run("go")).text == "Hi."
    beating.cancel()
    assert len(beats) >= 5
