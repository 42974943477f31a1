"""A live session under speech, silence, tools, failures, interruptions and reports in any order.

What the conversation keeps of each answer is what was played of it, and nothing runs on after the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.examples import share
from support.live_room import RATE, GivenWords, Room

from agentaudio import Agent, Audio, Conversation, tool
from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.demo.run import questions_folder
from agentaudio.errors import BackendError
from agentaudio.events import AudioSpoken
from agentaudio.live.events import AgentFinished, AgentStopped
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, TextDelta

WORDS = 10
WORD_S = 0.25
SPEECH = Audio.load(questions_folder() / "great-wall.flac").resample(RATE).samples


class Answers(Scripted):
    """Answers with numbered words, each with its sound; calls a tool or fails first, when told to."""

    def __init__(self) -> None:
        super().__init__(["x"], loop=True)
        self.answers = 0
        self.next = "answer"

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[ToolSpec] = (), **given: Any
    ) -> AsyncGenerator[Delta, None]:
        what, self.next = self.next, "answer"
        if what == "fail":
            raise BackendError("out of order")
        if what == "call":
            yield CallDelta(ToolCall(f"call {self.answers}", "wait", {}))
            return
        self.answers += 1
        sound = Audio(np.full(round(WORD_S * RATE), 0.2, np.float32), RATE)
        for word in range(WORDS):
            yield TextDelta(f" a{self.answers}w{word}")
            yield AudioDelta(sound)
            await asyncio.sleep(0)


class LiveMachine(RuleBasedStateMachine):
    @initialize(ears=st.booleans())
    def begin(self, ears: bool) -> None:
        @tool
        async def wait() -> str:
            """Wait a little."""
            await asyncio.sleep(0.02)
            return "done"

        self.runner = asyncio.Runner()
        self.model = Answers()
        agent = Agent(self.model, tools=[wait])
        words = GivenWords("What is this?", "", "Yeah.", "Stop that now.", "I want a", "And who was it?")
        self.room = Room(agent.live(ears=words if ears else None))
        self.run(self.room.__aenter__())

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.runner.run(work)

    @rule(seconds=st.sampled_from([0.1, 0.3, 0.7, 1.5]))
    def speech(self, seconds: float) -> None:
        self.run(self.room.say(SPEECH[RATE // 4 :][: round(seconds * RATE)]))

    @rule(seconds=st.sampled_from([0.02, 0.3, 0.8, 2.0]))
    def silence(self, seconds: float) -> None:
        self.run(self.room.quiet(seconds))

    @rule(next_is=st.sampled_from(["answer", "answer", "call", "fail"]), seconds=st.sampled_from([0.0, 0.1, 0.6, 1.2]))
    def typed(self, next_is: str, seconds: float) -> None:
        self.model.next = next_is
        self.run(self.room.live.send("go on"))
        self.run(self.room.quiet(seconds))

    @rule(next_is=st.sampled_from(["call", "fail"]))
    def something_happens_next(self, next_is: str) -> None:
        self.model.next = next_is

    @rule()
    def interrupted(self) -> None:
        self.run(self.room.live.interrupt())

    @rule()
    def say(self) -> None:
        self.run(self.room.live.say("one moment"))

    @rule(turn=st.integers(0, 3), seconds=st.floats(0, 1))
    def a_late_report(self, turn: int, seconds: float) -> None:
        """An old report arrives again: it says less than the ones before."""
        number = self.room.live._answers.number - turn
        if number > 0 and self.room._played.get(number, 0) / RATE > seconds:
            self.room.live.played(seconds, turn=number)

    @invariant()
    def is_held_only_while_it_is_unclear(self) -> None:
        if hasattr(self, "room") and self.room._paused:
            assert self.room.live._listener.user_speaks

    def teardown(self) -> None:
        if hasattr(self, "room"):
            try:
                self.run(self._end())
            finally:
                self.runner.close()

    async def _end(self) -> None:
        room = self.room
        await room.quiet(3.0)  # what is open ends
        over = {event.turn: event for _, event in room.happened if isinstance(event, AgentStopped | AgentFinished)}
        texts = " ".join(message.text for message in room.live.conversation if message.role == "assistant")
        made = {event.turn: event.turn for _, event in room.happened if isinstance(event, AudioSpoken)}
        await room.__aexit__(None, None, None)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for number in made:
            ended = over.get(number)
            if ended is None:
                continue
            said = [event.text for _, event in room.happened if event.type == "text.delta" and event.turn == number]
            kept = sum(word.strip() in texts.split() for word in said)
            assert -1.2 <= kept - ended.played_s / WORD_S <= 0.2, (number, kept, ended)


LiveMachine.TestCase.settings = settings(
    max_examples=share(16), stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLiveMachine = LiveMachine.TestCase
