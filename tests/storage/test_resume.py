"""A stored session goes on where it was left: in another process, on another model, in another voice."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, Audio, VoiceLibrary, events, external_tool, tool
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, TextPart
from agentaudio.errors import BackendError, OptionError, SessionInUse
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, TextDelta
from agentaudio.sound.aside import AsideAudio
from agentaudio.storage.sqlite_store import SqliteStore

DOOR = external_tool("door", "Open the door.", {"type": "object", "properties": {}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "talks.sqlite3"


class Witness:
    """A model's step that says one sentence and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Conversation] = []

    def __call__(self, conversation: Conversation, tools: Sequence[Any], voice: Any) -> Iterator[Delta]:
        self.seen.append(conversation)
        yield TextDelta("I go on.")


async def test_a_session_goes_on_from_its_store_without_the_caller_saving_anything(path: Path) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted("Hello Ana.", "Blue.")), "ana")
        await session.run("I am Ana")
        await session.run("what is your favourite colour")
        before = session.conversation
    witness = Witness()
    async with SqliteStore(path) as store:
        session = await store.session(Agent(Scripted([witness], loop=True)), "ana")
        assert (await session.run("and mine is green")).text == "I go on."
        conversation, voice = await store.load("ana")
    assert [message.text for message in witness.seen[0]][:4] == [message.text for message in before]
    assert [message.text for message in conversation] == [message.text for message in session.conversation]
    assert voice is None


async def test_the_agents_own_instructions_are_used_not_those_of_the_agent_before(path: Path) -> None:
    async with SqliteStore(path) as store:
        await (await store.session(Agent(scripted("Yes."), instructions="Be brief."), "ana")).run("hi")
        await store.leave("ana")
        session = await store.session(Agent(scripted("1", "2"), instructions="Be kind."), "ana")
        assert [message.text for message in session.conversation] == ["Be kind.", "hi", "Yes."]


async def test_without_keep_sound_no_sample_is_stored_and_the_words_remain(path: Path) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted({"heard": "how are you", "say": "Well."}, "Nothing.")), "ana")
        await session.run(tone(300, 0.5))
        await session.run(tone(300, 0.5))
        conversation, _ = await store.load("ana")
        (turn, _) = await store.turns("ana")
    assert conversation.messages[0].parts == (TextPart("how are you"),)
    assert conversation.messages[1].parts == (SpeechPart("Well."),)
    assert "neither the sound nor a transcript was kept" in conversation.messages[2].text
    assert not turn.sounds and not list(path.parent.rglob("*.wav"))


async def test_with_keep_sound_the_conversation_comes_back_sample_for_sample(path: Path) -> None:
    async with SqliteStore(path, keep_sound=True) as store:
        session = await store.session(Agent(scripted({"heard": "how are you", "say": "Well."}, "Nothing.")), "ana")
        await session.run(tone(300, 0.5))
        await session.run(tone(200, 0.5))
        conversation, _ = await store.load("ana")
    assert conversation == session.conversation
    assert isinstance(conversation.messages[0].parts[0], AudioPart)


async def test_an_interrupted_turn_is_stored_as_it_was_heard_and_later_reports_correct_it(path: Path) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted("one two three four", "I go on.")), "ana", plays=True)
        await session.run("count")
        assert (await store.load("ana"))[0].messages[-1].text == "one two three four"
        session.played(0.65)
        await session.interrupt()
        await session.run("and")
        assert [message.text for message in (await store.load("ana"))[0]][:2] == ["count", "one two"]
        session.played(0.95, turn=1)
        await store.leave("ana")
        assert [message.text for message in (await store.load("ana"))[0]][:2] == ["count", "one two three"]
        assert [turn.stop for turn in await store.turns("ana")] == ["answered", "answered"]


async def test_a_result_that_comes_late_is_stored_with_the_turn_of_its_call(path: Path) -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    @tool(cancellable=False)
    async def book() -> str:
        begun.set()
        await end.wait()
        return "booked"

    async with SqliteStore(path) as store:
        agent = Agent(scripted(calls(("book", {})), "Good.", "Fine."), tools=[book])
        session = await store.session(agent, "ana")
        running = asyncio.create_task(session.run("book it"))
        await begun.wait()
        await session.interrupt()
        await running
        await session.run("and?")
        assert "still running" in (await store.turns("ana"))[0].messages
        end.set()
        while "booked" not in (await store.turns("ana"))[0].messages:
            await asyncio.sleep(0.01)
        assert [turn.stop for turn in await store.turns("ana")] == ["interrupted", "answered"]


async def test_a_retracted_turn_is_not_stored(path: Path) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted("First.", "Second.")), "ana", plays=True)
        await session.run("book a table for two")
        assert len(await store.turns("ana")) == 1
        assert await session.retract()
        await session.run("no, for four")
        assert [message.text for message in (await store.load("ana"))[0]] == ["no, for four", "First."]


async def test_a_failed_turn_is_stored_with_what_was_done_in_it(path: Path) -> None:
    @tool
    def book() -> str:
        return "booked"

    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted(calls(("book", {}))), tools=[book]), "ana")
        with pytest.raises(BackendError):
            await session.run("book it")
        (turn,) = await store.turns("ana")
        assert turn.stop == "failed" and "the script has 1 steps" in str(turn.error)
        assert (await store.load("ana"))[0] == session.conversation
        assert session.conversation.messages[-1].failed


async def test_40_turns_outlive_a_changed_model_a_changed_voice_and_a_model_that_answers_404(
    path: Path, library: VoiceLibrary
) -> None:
    def dead(*_: Any) -> Iterator[Delta]:
        raise BackendError("404: there is no such model")
        yield

    async with SqliteStore(path) as store:
        session = await store.session(Agent(Scripted(["Yes."], loop=True)), "ana")
        for number in range(40):
            await session.run(f"turn {number}")
    before = session.conversation
    for voice in ("ruby", None):
        async with SqliteStore(path, keep_sound=True) as store:
            session = await store.session(Agent(Scripted([dead], loop=True), voices=library), "ana", voice=voice)
            with pytest.raises(BackendError):
                await session.run("hello")
    async with SqliteStore(path) as store:
        assert [m.text for m in (await store.load("ana"))[0]] == [m.text for m in before]


async def test_an_open_call_of_a_resumed_session_has_an_unknown_end_and_does_not_run_again(path: Path) -> None:
    @tool
    def bye() -> str:
        runs.append(1)
        return "ended"

    runs: list[int] = []
    steps = ["Hello!", "Nice to meet you.", "Noted: you are allergic to nuts.", calls(("bye", {}), ("door", {}))]
    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted(*steps), tools=[bye, DOOR]), "ana")
        for words in ("hi", "I am Ana", "I am allergic to nuts", "goodbye"):
            reply = await session.run(words)
        assert reply.stop == "tool_calls"
    witness = Witness()
    async with SqliteStore(path) as store:
        session = await store.session(Agent(Scripted([witness], loop=True), tools=[bye, DOOR]), "ana")
        assert len(witness.seen) == 0, "it does not speak first"
        reply = await session.run("me again")
    assert reply.stop == "answered" and not reply.tool_calls and len(runs) == 1
    (shown,) = witness.seen
    assert "allergic" in "".join(message.text for message in shown)
    (door,) = [o for message in shown for o in message.tool_outputs if o.name == "door"]
    assert "how it ended is unknown" in door.text and door.is_error


async def test_the_caller_may_still_give_the_result_of_an_open_call(path: Path) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted(calls(("door", {}))), tools=[DOOR]), "ana")
        await session.run("open the door")
        await store.leave("ana")
        session = await store.session(Agent(scripted("no", "It is open."), tools=[DOOR]), "ana")
        (call,) = session.conversation.open_calls
        assert (await session.run({call.id: "opened"})).text == "It is open."


async def test_a_call_that_ran_when_the_session_was_left_is_not_told_as_running(path: Path) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    @tool(cancellable=False)
    async def book() -> str:
        begun.set()
        await never.wait()
        return "booked"

    async with SqliteStore(path) as store:
        session = await store.session(Agent(scripted(calls(("book", {}))), tools=[book]), "ana")
        running = asyncio.create_task(session.run("book it"))
        await begun.wait()
        await session.interrupt()
        await running
        await store.leave("ana")
        session = await store.session(Agent(scripted("x", "Fine."), tools=[book]), "ana")
        assert "unknown how this call ended" in session.conversation.last_outputs[0].text
    never.set()
    await asyncio.sleep(0)


async def test_a_second_hand_on_a_session_is_refused_until_it_is_left(path: Path) -> None:
    agent = Agent(Scripted(["Yes."], loop=True))
    async with SqliteStore(path) as first, SqliteStore(path) as second:
        session = await first.session(agent, "ana")
        with pytest.raises(SessionInUse, match=r"session 'ana' of .* is in use by process \d+ .*\(this process\)"):
            await second.session(agent, "ana")
        await second.session(agent, "ben")
        await session.run("hello")
        await first.leave("ana")
        assert len((await second.session(agent, "ana")).conversation) == 2
        await session.run("not stored any more")
        assert len((await second.load("ana"))[0]) == 2


async def test_a_session_is_free_when_it_is_no_longer_used(path: Path) -> None:
    agent = Agent(Scripted(["Yes."], loop=True))
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana")
        await session.run("hello")
        del session
        async with asyncio.timeout(10):
            while True:
                gc.collect()
                try:
                    session = await store.session(agent, "ana")
                    break
                except SessionInUse:  # the thread that stored the turn has not let go of it yet
                    await asyncio.sleep(0.01)
        assert len(session.conversation) == 2


async def test_a_long_session_goes_on_with_its_latest_turns_and_keeps_all(path: Path) -> None:
    agent = Agent(Scripted(["Yes."], loop=True))
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana")
        for number in range(30):
            await session.run(f"turn {number}")
        await store.leave("ana")
        session = await store.session(agent, "ana", recent=10)
        assert session.conversation.messages[0].text == "turn 20"
        await session.run("turn 30")
        conversation, _ = await store.load("ana")
        assert [m.text for m in conversation if m.role == "user"] == [f"turn {number}" for number in range(31)]
        with pytest.raises(OptionError, match="recent is 0"):
            await store.session(agent, "ben", recent=0)


async def test_the_voice_of_a_session_comes_back_unless_it_was_revoked(path: Path, library: VoiceLibrary) -> None:
    agent = Agent(Scripted(["Yes."], loop=True), voices=library)
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana", voice="ruby")
        await session.run("hello")
        assert (await store.turns("ana"))[0].voices == ("ruby",)
        await store.leave("ana")
        session = await store.session(agent, "ana")
        assert session.voice is not None and session.voice.id == "ruby"
        await store.leave("ana")
        library.revoke("ruby")
        assert (await store.session(agent, "ana")).voice is None


@pytest.mark.parametrize("keep_sound", [True, False])
async def test_a_long_session_holds_the_sound_of_its_latest_turns_only_and_twice_the_recent_turns(
    path: Path, keep_sound: bool
) -> None:
    agent = Agent(Scripted([{"heard": "hi", "say": "Yes."}], loop=True), instructions="Be brief.")
    async with SqliteStore(path, keep_sound=keep_sound) as store:
        session = await store.session(agent, "ana", recent=60)
        turns = []
        for number in range(150):
            await session.run(tone(100 + number, 0.1))
            turns.append(sum(message.role == "user" for message in session.conversation))
        assert max(turns) <= 121 and turns[-1] > 60 and session.conversation.messages[0].text == "Be brief."
        assert session.conversation.messages[1].role == "user"
        kinds = [
            (message.turn, type(getattr(part, "audio", None)))
            for message in session.conversation
            for part in message.parts
        ]
        held = {turn for turn, kind in kinds if kind in (Audio, AsideAudio)}  # others are read from the store
        assert 110 <= min(held) and 20 <= len(held) <= 41
        assert {turn for turn, kind in kinds if kind is Audio} == {148, 149, 150}  # in memory
        if keep_sound:
            conversation, _ = await store.load("ana")
            assert conversation.messages[0].parts[0] == AudioPart(tone(100, 0.1), "hi")
            assert conversation.messages[-len(session.conversation) + 1 :] == session.conversation.messages[1:]


async def test_a_live_session_is_stored_and_resumed_like_any_other(path: Path) -> None:
    agent = Agent(Scripted(["Yes."], loop=True))
    async with SqliteStore(path) as store:
        for number in (1, 2):
            async with await store.live(agent, "ana", ears=None) as live:
                assert len(live.conversation) == 2 * (number - 1)
                await live.send(f"turn {number}")
                async for event in live:
                    if isinstance(event, events.TurnFinished):
                        live.played(9.0)
                        break
            with pytest.raises(SessionInUse):
                await store.session(agent, "ana")
            await store.leave("ana")
        assert [message.text for message in (await store.load("ana"))[0]] == ["turn 1", "Yes.", "turn 2", "Yes."]
