"""A session stays consistent in any order of turns, interruptions, playback reports and tool results."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.examples import share

from agentaudio import Agent, Limits, Stop, UsageLimits, deltas, events, tool
from agentaudio.conversation import Conversation, Message, SpeechPart, ToolCall
from agentaudio.errors import AgentAudioError, BackendError
from agentaudio.keeper import TurnEnd
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, TextDelta
from agentaudio.sound.audio import Audio
from agentaudio.tools.external import external_tool
from agentaudio.watching import TurnBegun

WORD_S = 0.1
RATE = Scripted.capabilities.sample_rate_hz
DOOR = external_tool("door", "Open a door.", {"type": "object", "properties": {}})


@pytest.fixture(scope="module", autouse=True)
def no_clock() -> Iterator[None]:
    """The steps of the event loop must not depend on the time, or Hypothesis cannot repeat them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deltas, "HOLD_S", math.inf)
        yield


class Kept:
    """A Keeper in memory: the messages of each turn that has ended, by its number."""

    recent = None

    def __init__(self) -> None:
        self.ended, self.used = 0, dict[str, float]()
        self.turns: dict[int, list[Message]] = {}

    def keep(self, number: int, messages: Sequence[Message], end: TurnEnd | None) -> None:
        if end is None and number > self.ended:
            return
        self.ended = max(self.ended, number)
        self.turns[number] = list(messages)

    def lightened(self, message: Message) -> Message:
        return message

    async def kept(self, wait_s: float) -> AgentAudioError | None:
        return None


class OwnSound(Scripted):
    """Cannot speak given words."""

    say = None  # type: ignore[assignment]


class Open:
    """Counts what is watched and has not ended."""

    def __init__(self) -> None:
        self.turns, self.context = 0, contextvars.copy_context()

    def turn(self, begun: TurnBegun) -> Open:
        return self

    def live(self) -> Callable[[events.BaseEvent], None]:
        return self.take

    def close(self) -> None: ...

    def take(self, event: events.BaseEvent) -> None:
        self.turns += isinstance(event, events.TurnStarted)
        self.turns -= isinstance(event, events.TurnFinished | events.TurnFailed)


class Talk(RuleBasedStateMachine):
    """A reader that plays, a model that says numbered words and makes calls, and tools that end on request.

    Output checks may think for a while, and refuse every fifth text.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.plan: list[tuple[int, list[str]]] = []
        self.words = 0
        self.made_ids = 0
        self.ending: list[asyncio.Future[None]] = []
        self.seen: list[events.Event] = []
        self.reader: asyncio.Task[None] | None = None
        self.reading = asyncio.Event()
        self.reported: dict[int, float] = {}

        async def wait() -> str:
            end = self.loop.create_future()
            self.ending.append(end)
            await end
            return "done"

        self.tools = [tool(name="quick")(wait), tool(name="sure", cancellable=False)(wait), DOOR]
        self.judged: list[str] = []
        self.refused: list[str] = []

    async def _judges(self, text: str) -> Stop | None:
        self.judged.append(text)
        for _ in range(len(self.judged) % 4):
            await asyncio.sleep(0)
        if len(self.judged) % 5:
            return None
        self.refused += text.split()
        return Stop()

    @initialize(
        plays=st.sampled_from([True, False, None]),
        model=st.sampled_from([Scripted, OwnSound]),
        checks=st.booleans(),
        requests=st.sampled_from([None, 20]),
    )
    def open(self, plays: bool | None, model: type[Scripted], checks: bool, requests: int | None) -> None:
        self.plays, self.checks = plays, checks
        limits = Limits(session=UsageLimits(requests=requests))
        agent = Agent(
            model([self._step], loop=True), tools=self.tools, max_steps=3, limits=limits,
            output_checks=[self._judges] if checks else [],
        )  # fmt: skip
        self.kept, self.watch = Kept(), Open()
        agent.setup = replace(agent.setup, watch=lambda: self.watch)
        self.session = agent.session(plays=plays, keeper=self.kept)

    def _step(self, conversation: Conversation, specs: Any, voice: Any) -> Iterator[Delta]:
        words, calls = self.plan.pop(0) if self.plan else (1, [])
        for _ in range(words):
            self.words += 1
            yield TextDelta(f" w{self.words}")
            yield AudioDelta(Audio.silence(WORD_S, RATE))
        if words < 0:
            raise OSError("the line is dead")
        for name in calls if specs else []:
            self.made_ids += 1
            yield CallDelta(ToolCall(f"c{self.made_ids % 5}", name, {}))

    def _run(self, steps: int = 12) -> None:
        async def a_while() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)

        self.loop.run_until_complete(a_while())

    async def _read(self, user: Any) -> None:
        try:
            async for event in self.session.stream(user):
                self.seen.append(event)
                await self.reading.wait()
        except BackendError:
            pass

    plans = st.lists(
        st.tuples(st.integers(-1, 12), st.lists(st.sampled_from(["quick", "sure", "door"]), max_size=3)), max_size=3
    )

    @rule(plan=plans, answering=st.booleans())
    def begin(self, plan: list[tuple[int, list[str]]], answering: bool) -> None:
        self.plan = list(plan)
        open_calls = self.session.conversation.open_calls
        idle = self.reader is None or self.reader.done()
        user = {call.id: "opened" for call in open_calls} if answering and idle and open_calls else "go"
        self.reader = self.loop.create_task(self._read(user))
        self._run()

    @rule(steps=st.integers(1, 60))
    def go_on(self, steps: int) -> None:
        self.reading.set()
        self._run(steps)

    @rule()
    def stall(self) -> None:
        self.reading.clear()

    # Without preconditions: how far a turn came depends on the clock, and Hypothesis wants the same rules every time.
    @rule(which=st.integers(0, 9))
    def end_a_tool(self, which: int) -> None:
        waiting = [end for end in self.ending if not end.done()]
        if waiting:
            waiting[which % len(waiting)].set_result(None)
        self._run()

    @rule()
    def interrupt(self) -> None:
        self.loop.run_until_complete(asyncio.wait_for(self.session.interrupt(), 5))

    @rule(seconds=st.floats(0, 3))
    def report(self, seconds: float) -> None:
        if not self.seen:
            return
        turn = self.seen[-1].turn
        self.reported[turn] = max(seconds, self.reported.get(turn, 0.0))
        self.session.played(seconds, turn=turn)

    @invariant()
    def every_call_is_answered_at_most_once(self) -> None:
        talk = self.session.conversation
        calls = Counter(call.id for message in talk for call in message.tool_calls)
        outputs = Counter(output.call_id for message in talk for output in message.tool_outputs)
        assert set(calls.values()) | set(outputs.values()) <= {1}
        assert set(outputs) <= set(calls)
        assert set(calls) - set(outputs) == {call.id for call in talk.open_calls}

    @invariant()
    def an_idle_session_waits_for_the_caller_only(self) -> None:
        self.reading.set()
        if self.reader is not None and self.reader.done():
            assert all(call.name == "door" for call in self.session.conversation.open_calls)

    @invariant()
    def what_was_kept_of_an_idle_session_is_its_conversation(self) -> None:
        if self.reader is not None and self.reader.done():
            assert [
                message for turn in self.kept.turns.values() for message in turn
            ] == self.session.conversation.messages

    @invariant()
    def every_turn_ends_once_and_every_call_in_it(self) -> None:
        ends = Counter(e.turn for e in self.seen if isinstance(e, events.TurnFinished | events.TurnFailed))
        assert set(ends.values()) <= {1}
        steps = [(e.turn, e.step) for e in self.seen if isinstance(e, events.StepStarted)]
        calls = [e.call.id for e in self.seen if isinstance(e, events.ToolStarted)]
        # By turn: the results of a caller may be given again after the turn that took them has failed.
        ended = [(e.turn, e.run.call.id) for e in self.seen if isinstance(e, events.ToolFinished)]
        for each_once in (steps, calls, ended):
            assert len(set(each_once)) == len(each_once)

    @invariant()
    def nothing_is_let_out_that_was_not_approved(self) -> None:
        said = [word for event in self.seen if isinstance(event, events.TextSpoken) for word in event.text.split()]
        judged = {word for text in self.judged for word in text.split()} - set(self.refused)
        assert not self.checks or judged.issuperset(said)

    @invariant()
    def words_are_kept_in_order_and_once(self) -> None:
        kept = [word for message in self.session.conversation for word in _words(message.parts)]
        numbers = [int(word[1:]) for word in kept]
        assert numbers == sorted(set(numbers)) and (not numbers or numbers[-1] <= self.words)

    @invariant()
    def a_cut_lies_where_the_sound_ends(self) -> None:
        for message in self.session.conversation:
            for part in message.parts:
                if isinstance(part, SpeechPart) and part.cut_s is not None:
                    assert part.interrupted and part.audio is not None and part.audio.duration == part.cut_s
                    # Without reports, the last word counts as heard when it was read, even if its sound was not.
                    unspoken = 0 if self.plays else 1
                    assert len(part.text.split()) - unspoken <= part.cut_s / WORD_S + 1e-6

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.loop.close()

    def _end(self) -> None:
        self.reading.set()
        if self.reader is not None:
            self.reader.cancel()
        for _ in range(100):  # what goes on may still start tools
            for end in self.ending:
                if not end.done():
                    end.set_result(None)
            self._run()
        assert asyncio.all_tasks(self.loop) == set() and self.watch.turns == 0


def _words(parts: Any) -> list[str]:
    return [word for part in parts if isinstance(part, SpeechPart) for word in part.text.split()]


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=share(60), stateful_step_count=25, deadline=None)
