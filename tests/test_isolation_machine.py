"""Sessions of one agent share nothing that one of them said, heard or made, in any order of what happens to them."""

from __future__ import annotations

import asyncio
import math
import queue
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.examples import share
from support.marks import Marked, marks_in

from agentaudio import Agent, Session, deltas, events, tool
from agentaudio.conversation import Conversation, Message, TextPart, ToolCall, ToolSpec
from agentaudio.errors import AgentAudioError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, Heard, ReferenceVoice, TextDelta
from agentaudio.model.voice_states import VoiceStates
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.tools.builtin.search_documents import search_documents
from agentaudio.tools.context import RunContext
from agentaudio.tools.external import external_tool
from agentaudio.tools.result import ToolResult
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent, Source

MARKS = ("alfa7", "bravo7", "kilo7")
TOPICS = ("gardening", "astronomy", "plumbing")
RATE = Scripted.capabilities.sample_rate_hz
OWNER: ContextVar[int] = ContextVar("OWNER")
TOOLS = ("slow", "sure", "blocks", "becomes", "vandal", "search_documents", "door", "unknown")


class Odd(BaseException):
    """What a tool or a model raises that is not an Exception."""


ENDS: tuple[Callable[[str], BaseException | None], ...] = (
    lambda mark: None,
    lambda mark: OSError(mark),
    lambda mark: Odd(mark),
    lambda mark: SystemExit(mark),
    lambda mark: asyncio.CancelledError(mark),
)


class Shared:
    """What all examples share, because making it takes long: documents, voices, and the folder of users' sound."""

    documents: DocumentIndex
    library: VoiceLibrary
    sounds: tuple[Path, ...]


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("shared")
    (folder / "documents").mkdir()
    for topic in TOPICS:
        (folder / "documents" / f"{topic}.md").write_text(f"# {topic}\n\nThe handbook of {topic}.\n")
    Shared.documents = DocumentIndex.from_folder(folder / "documents", embed=None)
    Shared.library = VoiceLibrary.create(folder / "voices")
    free = Consent(basis="synthetic", holder="nobody", scope=("synthesis", "demo"))
    for number, mark in enumerate(MARKS):
        Shared.library.add(
            Marked.sound(number, 2.0), id=f"voice-{mark}", name=mark.title(), description="A tone.", language="en",
            licence="CC0-1.0", source=Source(engine="a constant"), consent=free,
        )  # fmt: skip
    Shared.sounds = tuple(Marked.sound(number, 0.1).save(folder / f"{mark}.wav") for number, mark in enumerate(MARKS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deltas, "HOLD_S", math.inf)  # the order of events must not depend on the time
        yield


class OneSession:
    """One of the sessions: its readers, what they read, and what has to stay in its history."""

    def __init__(self, number: int, session: Session, plays: bool | None) -> None:
        self.number, self.mark, self.session, self.plays = number, MARKS[number], session, plays
        self.reader: asyncio.Task[None] | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self.plan: list[tuple[int, list[str], int]] = []
        self.said = self.asked = 0
        self.kept: set[str] = set()

    def word(self) -> str:
        self.said += 1
        return f" {self.mark}w{self.said}"


class Watched(Scripted):
    """Counts the generations of each session that run at the same time."""

    def __init__(self, steps: Any, *, loop: bool) -> None:
        super().__init__(steps, loop=loop)
        self.running: Counter[int] = Counter()
        self.most = 0

    async def generate(self, *args: Any, **options: Any) -> AsyncGenerator[Delta, None]:
        owner = OWNER.get()
        self.running[owner] += 1
        self.most = max(self.most, self.running[owner])
        try:
            async with aclosing(super().generate(*args, **options)) as stream:
                async for delta in stream:
                    yield delta
        finally:
            self.running[owner] -= 1


class Talks(RuleBasedStateMachine):
    """Two or three sessions of one agent. Everything that belongs to one of them contains its mark."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.waiting: list[tuple[int, Callable[[BaseException | None], None]]] = []
        self.problems: list[str] = []
        self.states: VoiceStates[Marked] = VoiceStates(Marked.Maker())
        machine = self

        def check(where: str, value: object, owner: int | None = None, topics: bool = True) -> None:
            machine._check(OWNER.get() if owner is None else owner, where, value, topics)

        async def end(text: str) -> str:
            check("arguments", text)
            ended: asyncio.Future[None] = machine.loop.create_future()

            def settle(error: BaseException | None) -> None:
                if ended.done():
                    return
                if error is None:
                    ended.set_result(None)
                elif isinstance(error, asyncio.CancelledError):
                    ended.cancel()
                else:
                    ended.set_exception(error)

            machine.waiting.append((OWNER.get(), settle))
            await ended
            return f"result {text}"

        @tool(timeout_s=0.3)
        def blocks(context: RunContext, text: str) -> str:
            """Block a thread, beyond an interruption and a timeout too."""
            owner, ends = OWNER.get(), queue.SimpleQueue[BaseException | None]()
            check("context", (context.conversation, context.voice, context.deps), owner)
            machine.waiting.append((owner, ends.put))
            if (error := ends.get(timeout=20)) is not None:
                raise error
            return f"blocked {text}"

        def said(context: RunContext) -> list[str]:
            return [message.text for message in context.conversation] + ([context.voice.id] if context.voice else [])

        @tool(phrases=said)
        async def becomes(context: RunContext, text: str) -> ToolResult:
            """Change the voice to the session's own."""
            check("context", (context.conversation, context.voice, text))
            return ToolResult(f"became {text}", voice=Shared.library.get(f"voice-{text}"))

        @tool
        async def vandal(context: RunContext, text: str, things: list[Any]) -> str:
            """Change whatever it is given."""
            check("context", (context.conversation, context.voice, context.deps, text, things))
            context.conversation.messages.clear()
            things.append(text)
            things[0]["x"] = text
            return text

        slow, sure = tool(name="slow")(end), tool(name="sure", cancellable=False)(end)
        door = external_tool("door", "Open a door.", {"type": "object", "properties": {}})
        tools = [slow, sure, blocks, becomes, vandal, search_documents, door]
        self.things: list[Any] = [{}]  # an argument that the model gives to every session
        self.model = Watched([self._step], loop=True)
        self.agent = Agent(
            self.model,
            tools=tools,
            documents=Shared.documents,
            voices=Shared.library,
            max_steps=3,
            instructions="Be brief.",
        )

    @initialize(plays=st.lists(st.sampled_from([True, False, None]), min_size=2, max_size=3), continued=st.booleans())
    def open(self, plays: list[bool | None], continued: bool) -> None:
        before = Conversation([Message("user", (TextPart("Hello."),)), Message("assistant", (TextPart("Hello!"),))])
        given = before if continued else None
        self.sessions = [
            OneSession(n, self.agent.session(given, plays=one, deps=[MARKS[n]]), one) for n, one in enumerate(plays)
        ]

    def _step(self, talk: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> Iterator[Delta]:
        one = self.sessions[OWNER.get()]
        self._check(one.number, "the model's conversation", talk)
        self._check(one.number, "the model's tools", specs, topics=False)
        if voice is not None:
            self._check(one.number, "the model's voice", (voice.id, voice.clip))
            self._check(one.number, "the state of the voice", self.states.get(voice).audio)
        talk.messages.clear()  # it is the model's own copy
        words, calls, end = one.plan.pop(0) if one.plan else (1, [], 0)
        yield Heard(f"heard {one.mark}")
        for _ in range(words):
            yield TextDelta(one.word())
            yield AudioDelta(Marked.sound(one.number, 0.1))
        if (error := ENDS[end](one.mark)) is not None:
            raise error
        for name in calls if specs else []:
            arguments: dict[str, Any] = {"text": one.mark}
            if name == "vandal":
                arguments["things"] = self.things
            if name == "search_documents":
                arguments = {"query": TOPICS[one.number]}
            yield CallDelta(ToolCall("call", name, {} if name == "door" else arguments))

    def _check(self, owner: int, where: str, value: object, topics: bool = True) -> None:
        own = {MARKS[owner], TOPICS[owner]}
        others = (set(MARKS) | (set(TOPICS) if topics else set())) - own
        if found := marks_in(value, others):
            self.problems.append(f"{where} of {MARKS[owner]} holds {found}")

    def _run(self, steps: int = 12) -> None:
        async def a_while() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)

        self.loop.run_until_complete(a_while())

    async def _read(self, one: OneSession, user: Any, voice: str | None) -> None:
        one.asked += 1
        question = f"{one.mark}q{one.asked}."
        try:
            async for event in one.session.stream(f"{question}" if user is None else user, voice=voice):
                self._check(one.number, "an event", event)
                await one.reading.wait()
                if isinstance(event, events.TurnFinished) and event.reply.stop == "answered":
                    if user is None:
                        one.kept.add(question)
                    if one.plays is False:
                        one.kept.update(event.reply.text.split())
        except AgentAudioError as error:
            self._check(one.number, "an error", error)

    who = st.integers(0, 2)
    ends = st.sampled_from([0] * 6 + [1, 2, 3, 4])
    plans = st.lists(st.tuples(st.integers(0, 6), st.lists(st.sampled_from(TOOLS), max_size=3), ends), max_size=3)

    @rule(who=who, plan=plans, kind=st.sampled_from(["text", "text", "path", "audio", "answer"]), voiced=st.booleans())
    def begin(self, who: int, plan: list[tuple[int, list[str], int]], kind: str, voiced: bool) -> None:
        one = self._one(who)
        one.plan = list(plan)
        user: Any = None
        if kind == "path":
            user = Shared.sounds[one.number]
        elif kind == "audio":
            user = Marked.sound(one.number, 0.2)
        elif kind == "answer":
            user = {call.id: f"opened {one.mark}" for call in one.session.conversation.open_calls}
        voice = f"voice-{one.mark}" if voiced else None
        self._in(one, self._read(one, user, voice))
        self._run()

    @rule(steps=st.integers(1, 200))
    def go_on(self, steps: int) -> None:
        for one in self.sessions:
            one.reading.set()
        self._run(steps)
        self.loop.run_until_complete(asyncio.sleep(0.001))  # what runs in threads goes on, too
        self._run(steps)

    @rule(which=st.integers(0, 9), how=st.sampled_from(ENDS))
    def end_a_tool(self, which: int, how: Callable[[str], BaseException | None]) -> None:
        if self.waiting:
            owner, end = self.waiting.pop(which % len(self.waiting))
            end(how(MARKS[owner]))
            self._run()

    @rule(who=who, how=st.sampled_from(["interrupt", "cancel", "stall", "edit"]))
    def disturb(self, who: int, how: str) -> None:
        one = self._one(who)
        if how == "interrupt":
            self.loop.run_until_complete(asyncio.wait_for(one.session.interrupt(), 5))
        elif how == "cancel" and one.reader is not None:
            one.reader.cancel()
            self._run()
        elif how == "stall":
            one.reading.clear()
        elif how == "edit":
            one.session.conversation.messages.insert(0, Message("system", (TextPart(f"You help {one.mark}."),)))

    @rule(who=who, seconds=st.floats(0, 3), turn=st.integers(1, 5))
    def report(self, who: int, seconds: float, turn: int) -> None:
        one = self._one(who)
        if one.plays is not False and one.asked:
            one.session.played(seconds, turn=turn)

    def _one(self, who: int) -> OneSession:
        return self.sessions[who % len(self.sessions)]

    def _in(self, one: OneSession, work: Any) -> None:
        token = OWNER.set(one.number)
        one.reader = self.loop.create_task(work)
        OWNER.reset(token)

    @invariant()
    def nothing_of_another_session_is_seen(self) -> None:
        for one in self.sessions:
            self._check(one.number, "the history", one.session.conversation)
            self._check(one.number, "the voice", one.session.voice)
        assert self.problems == []

    @invariant()
    def a_session_runs_one_turn_at_a_time(self) -> None:
        assert self.model.most <= 1

    @invariant()
    def no_finished_turn_is_lost(self) -> None:
        for one in self.sessions:
            words = Counter(word for message in one.session.conversation for word in message.text.split())
            assert {word: words[word] for word in one.kept} == dict.fromkeys(one.kept, 1)

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.loop.close()

    def _end(self) -> None:
        for one in self.sessions:
            one.reading.set()
            if one.reader is not None:
                one.reader.cancel()
        for _ in range(1000):  # what goes on may still start tools
            while self.waiting:
                self.waiting.pop()[1](None)
            self.loop.run_until_complete(asyncio.sleep(0.001))
            if not asyncio.all_tasks(self.loop):
                break
        assert asyncio.all_tasks(self.loop) == set()
        self.nothing_of_another_session_is_seen()


TestTalks = Talks.TestCase
TestTalks.settings = settings(max_examples=share(25), stateful_step_count=25)
