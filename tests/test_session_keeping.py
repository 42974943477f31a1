"""What a session gives to whoever stores its turns, and what its turns leave behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest
from support.limited import Limited, called, said
from support.models import calls, scripted

from agentaudio import Agent, GenerateOptions, Session, VoiceLibrary, events, tool
from agentaudio.compactor import UNTOUCHED
from agentaudio.conversation import Conversation, Message, SpeechPart, ToolSpec
from agentaudio.errors import AgentAudioError, BackendError, OptionError
from agentaudio.keeper import TurnEnd
from agentaudio.limits import Limits, UsageLimits
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, TextDelta
from agentaudio.sound.audio import Audio
from agentaudio.tools.external import external_tool

SOUND = Audio([0.1, -0.1] * 4000, 16_000)


class Shelf:
    """A Keeper that remembers each turn that it was given: its number, its texts, and its end."""

    ended, recent = 0, None
    used: Mapping[str, float] = {}

    def __init__(self) -> None:
        self.taken: list[tuple[int, list[str], TurnEnd | None]] = []

    def keep(self, number: int, messages: Sequence[Message], end: TurnEnd | None) -> None:
        self.taken.append((number, [message.text for message in messages], end))

    def lightened(self, message: Message) -> Message:
        return message

    async def kept(self, wait_s: float) -> AgentAudioError | None:
        return None

    @property
    def last(self) -> TurnEnd:
        end = self.taken[-1][2]
        assert end is not None
        return end


def kept(agent: Agent, *, plays: bool | None = None) -> tuple[Session, Shelf]:
    shelf = Shelf()
    return Session(agent.setup, Conversation(), agent.voice, plays=plays, keeper=shelf), shelf


class Broken(Scripted):
    """Says some words, and then raises or waits forever."""

    def __init__(self, *words: str, error: Exception | None = None) -> None:
        super().__init__(["unused"])
        self._words, self._error = words, error

    async def generate(self, conversation: Conversation, **more: Any) -> Any:
        for word in self._words:
            yield TextDelta(word)
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()


async def ended(session: Session) -> None:
    """Wait until the running turn has ended by itself."""
    while any(task.get_name().startswith("agentaudio-turn") for task in asyncio.all_tasks()):
        await asyncio.sleep(0.001)


# What the keeper is given


async def test_a_turn_is_kept_once_with_how_it_ended(library: VoiceLibrary) -> None:
    agent = Agent(
        scripted("One.", "Two."), voices=library, voice="ruby", limits=Limits(session=UsageLimits(requests=9))
    )
    session, shelf = kept(agent, plays=False)
    reply = await session.run("first")
    assert [(number, texts) for number, texts, _ in shelf.taken] == [(1, ["first", "One."])]
    end = shelf.last
    assert (end.stop, end.model, end.voice, end.voices, end.error) == ("answered", "scripted", None, ("ruby",), None)
    assert reply.usage and end.usage == reply.usage and reply.timings and end.timings == reply.timings
    assert end.used["requests"] == 1 and end.used["sound_s"] > 0
    await session.change_voice("walter")
    await session.run("second")
    assert shelf.taken[-1][0] == 2 and (shelf.last.voice, shelf.last.voices) == ("walter", ("walter",))


async def test_a_turn_whose_reader_leaves_is_kept_at_once() -> None:
    session, shelf = kept(Agent(Broken("One ", "two ")), plays=False)
    async with aclosing(session.stream("go")) as happening:
        async for event in happening:
            if isinstance(event, events.TextSpoken) and event.text.startswith("two"):
                break
    assert [(number, texts) for number, texts, _ in shelf.taken] == [(1, ["go", "One two"])]
    assert (shelf.last.stop, shelf.last.usage, shelf.last.timings) == ("interrupted", {}, {})


async def test_a_turn_that_ended_unread_is_kept_as_far_as_it_was_read() -> None:
    model = Scripted([[TextDelta("One. "), AudioDelta(SOUND), TextDelta("Two."), AudioDelta(SOUND)]])
    session, shelf = kept(Agent(model), plays=False)
    async with aclosing(session.stream("go")) as happening:
        async for event in happening:
            if isinstance(event, events.AudioSpoken):
                break
        await ended(session)
    ((number, texts, end),) = shelf.taken
    assert (number, texts) == (1, ["go", "One."]) and end is not None
    assert end.stop == "interrupted" and end.usage["output_characters"] == 9 and end.timings["first_audio"] >= 0


async def test_a_failed_turn_is_kept_with_its_error_also_when_nobody_reads_it() -> None:
    for reads_on in (True, False):
        session, shelf = kept(Agent(Broken("One.", error=BackendError("out of order"))), plays=False)
        happening = session.stream("go")
        async for event in happening:
            if isinstance(event, events.TextSpoken):
                break
        await ended(session)
        if reads_on:
            with pytest.raises(BackendError):
                _ = [event async for event in happening]
        await happening.aclose()
        ((_, texts, end),) = shelf.taken
        assert texts == ["go", "One."] and end is not None and (end.stop, end.error) == ("failed", "out of order")


async def test_the_error_of_a_turn_that_nobody_reads_is_not_reported_by_asyncio() -> None:
    reported: list[Mapping[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    session = Agent(Broken("One.", error=BackendError("out of order"))).session(plays=False)
    happening = session.stream("go")
    async for event in happening:
        if isinstance(event, events.TextSpoken):
            break
    await ended(session)
    await happening.aclose()
    del session, happening, event
    await asyncio.sleep(0.01)  # the loop drops the timers of the turn
    gc.collect()
    assert reported == []


async def test_a_retracted_turn_is_kept_as_one_without_messages_and_runs_no_longer() -> None:
    session, shelf = kept(Agent(Broken("One ", "two ")), plays=True)
    async with aclosing(session.stream("go")) as happening:
        async for event in happening:
            if isinstance(event, events.TextSpoken):
                break
        assert await session.retract()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("agentaudio-turn")]
        assert shelf.taken[-1][:2] == (1, [])
    assert list(session.conversation) == []


async def test_a_correction_that_changes_nothing_is_not_kept() -> None:
    session, shelf = kept(Agent(scripted("One.", "Two.")), plays=False)
    await session.run("first")
    await session.run("second")
    before = len(shelf.taken)
    session.correct({1: session.conversation.of_turn(1)})
    assert len(shelf.taken) == before
    session.correct({1: []})
    assert shelf.taken[before:] == [(1, [], None)]


# What was heard


async def test_who_reported_once_has_heard_nothing_of_a_turn_without_a_report() -> None:
    session = Agent(scripted("One.", "Two.")).session()
    await session.run("first")
    session.played(60)
    await session.run("second")
    await session.interrupt()
    assert [message.text for message in session.conversation] == ["first", "One.", "second"]


async def test_reports_on_the_turn_before_the_last_are_taken_and_older_ones_are_not() -> None:
    session = Agent(Scripted(["One."], loop=True)).session(plays=True)
    for _ in range(3):
        await session.run("go")
        session.played(0.1)

    def cut() -> list[int]:
        spoken = [(part, message.turn) for message in session.conversation for part in message.parts]
        return [turn for part, turn in spoken if isinstance(part, SpeechPart) and part.interrupted]

    assert cut() == [1, 2]
    session.played(60, turn=1)
    assert cut() == [1, 2]
    session.played(60, turn=2)
    assert cut() == [1]


async def test_words_without_sound_are_heard_when_they_are_read_also_by_a_player() -> None:
    session = Agent(Broken("One ", "two ")).session(plays=True)
    async for event in session.stream("go", options=GenerateOptions(speak=False)):
        if isinstance(event, events.TextSpoken) and event.text.startswith("two"):
            await session.interrupt()
    (part,) = session.conversation.messages[-1].parts
    assert isinstance(part, SpeechPart) and (part.text, part.interrupted) == ("One two", True)


# News of background tools


async def test_news_that_are_settled_are_no_news_any_more() -> None:
    @tool(background=True)
    async def dig() -> str:
        """Dig."""
        return "gold"

    session = Agent(scripted(calls(("dig", {})), "I dig.", "Yes."), tools=[dig]).session(plays=False)
    await session.run("dig")
    while not session.has_news:
        await asyncio.sleep(0.001)
    session.settle_news()
    assert not session.has_news
    assert [output.text for message in session.conversation for output in message.tool_outputs] == ["gold"]
    await session.run("and?")
    assert len([call for message in session.conversation for call in message.tool_calls]) == 1


# Compacting in idle time


def compactions() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "agentaudio-compaction"]


def long_talk() -> Conversation:
    old = Conversation()
    for _ in range(UNTOUCHED + 4):
        old.add("user", "word " * 40)
        old.add("assistant", SpeechPart("word " * 40))
    return old


async def test_an_interruption_stops_what_runs_in_idle_time() -> None:
    model = Limited(lambda _: said("yes"))
    model.gate.clear()
    session = Agent(model).session(long_talk(), plays=False)
    await session.run("go on")
    (running,) = compactions()
    await session.interrupt()
    await asyncio.wait([running], timeout=5)
    assert running.cancelled()


async def test_nothing_is_compacted_while_calls_are_open_or_another_turn_runs() -> None:
    ask = external_tool("ask", "Ask.", {"type": "object", "properties": {}})
    session = Agent(Limited(lambda _: called("ask", "1")), tools=[ask]).session(long_talk(), plays=False)
    reply = await session.run("go on")
    assert reply.stop == "tool_calls" and compactions() == []

    session = Agent(Limited(lambda _: said("yes"))).session(long_talk(), plays=False)
    first = session.stream("go on")
    await anext(first)
    await ended(session)
    second = session.stream("and on")
    await anext(second)
    _ = [event async for event in first]
    assert compactions() == []
    await second.aclose()


async def test_what_is_read_ahead_comes_with_the_tools() -> None:
    class Noting(Limited):
        tools: Sequence[ToolSpec] = ()

        async def read_ahead(self, conversation: Conversation, **more: Any) -> None:
            self.tools = more["tools"]

    @tool
    def look() -> str:
        """Look."""
        return "nothing"

    model = Noting(lambda _: said("yes"))
    session = Agent(model, tools=[look]).session(long_talk(), plays=False)
    await session.run("go on")
    await asyncio.wait(compactions(), timeout=5)
    assert [spec.name for spec in model.tools] == ["look"]


# Event loops


def test_an_interruption_outside_asyncio_is_refused() -> None:
    with pytest.raises(OptionError):
        Agent(scripted("One.")).session().interrupt().send(None)


async def test_a_turn_that_waits_for_another_in_another_loop_does_not_make_a_third_wait() -> None:
    refusing, go_on = threading.Event(), threading.Event()

    class Stubborn(Scripted):
        async def generate(self, conversation: Conversation, **more: Any) -> Any:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                refusing.set()
                await asyncio.to_thread(go_on.wait, 10)
            yield TextDelta("One.")

    session = Agent(Stubborn(["unused"])).session(plays=False)

    async def two_turns() -> None:
        first = asyncio.create_task(session.run("one"))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(session.run("two"))
        await first
        second.cancel()
        await asyncio.wait([second])

    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(asyncio.run, two_turns())
        assert await asyncio.to_thread(refusing.wait, 10)
        try:
            with pytest.raises(OptionError, match="runs in another event loop"):
                await asyncio.wait_for(session.run("three"), 5)
        finally:
            go_on.set()
        await asyncio.wrap_future(elsewhere)
