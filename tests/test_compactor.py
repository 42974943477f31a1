"""Sessions that are longer than the model's context: nothing is forgotten without a summary, and no turn fails."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.limited import Limited, called, said

from agentaudio import Agent, Session, SqliteStore, tool
from agentaudio.compaction import Compacted
from agentaudio.compactor import UNTOUCHED
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, TextPart
from agentaudio.errors import BackendError
from agentaudio.events import ConversationCompacted, TurnFinished
from agentaudio.model.speech_lm import Delta, GenerateOptions
from agentaudio.sound.audio import Audio


def speech(seconds: float) -> Audio:
    return Audio([0.1, -0.1] * int(8000 * seconds), 16_000)


async def told(session: Session, user: str | Audio) -> list[Compacted]:
    """Run a turn, and let the idle time after it pass. Returns what the turn said was compacted."""
    found = []
    async for event in session.stream(user):
        if isinstance(event, ConversationCompacted):
            found.append(event.compacted)
        assert not isinstance(event, TurnFinished) or event.reply.stop == "answered"
    await idle()
    return found


async def idle() -> None:
    waiting = [task for task in asyncio.all_tasks() if task.get_name() == "agentaudio-compaction"]
    if waiting:
        await asyncio.wait(waiting)


async def test_a_long_talk_never_fails_and_its_history_stays_whole() -> None:
    model = Limited(lambda _: said("I say this.", 60))
    session = Agent(model, instructions="Be kind.").session()
    done = [one for _ in range(60) for one in await told(session, speech(2))]
    assert len(session.conversation) == 121
    whole = [part for message in session.conversation for part in message.parts]
    assert all(part.tokens is not None for part in whole if isinstance(part, SpeechPart))
    assert all(isinstance(m.parts[0], AudioPart) for m in session.conversation if m.role == "user")
    assert len(done) > 3 and any(one.answers for one in done) and any(one.sounds for one in done)
    assert all(one.tokens_after < 0.5 * model.context_tokens < one.tokens_before for one in done)
    for seen in model.read:
        assert seen.messages[0].text == "Be kind."
        latest = [part for message in seen.messages[-7:] for part in message.parts]
        assert all(part.tokens is not None for part in latest if isinstance(part, SpeechPart))
        assert all(isinstance(m.parts[0], AudioPart) for m in seen.messages[-7:] if m.role == "user")


async def test_the_oldest_turns_become_a_summary_which_the_next_summary_builds_upon() -> None:
    model = Limited(lambda _: said("word " * 40))
    session = Agent(model).session()
    done = [one for n in range(60) for one in await told(session, f"my number is {n}")]
    summaries = [one for one in done if one.summarised]
    assert len(summaries) > 1 and all(one.summary == "They spoke of bells." for one in summaries)
    assert not any(one.left_out for one in done)
    first, second = model.summarised[:2]
    assert first.messages[0].text == "my number is 0"
    assert "ummarise" in second.messages[0].text and second.messages[1].text == "They spoke of bells."
    last = model.read[-1]
    assert last.messages[1].text == "They spoke of bells." and last.messages[-1].text == "my number is 59"


async def test_the_shorter_form_is_read_before_the_next_turn_needs_it() -> None:
    model = Limited(lambda _: said("I say this.", 100))
    session = Agent(model).session()
    while not await told(session, "go on"):
        pass
    read, ahead = model.read[-1].messages, model.ahead[-1].messages
    assert read[: len(ahead)] == ahead and len(read) == len(ahead) + 1


async def test_a_turn_that_begins_early_goes_on_with_what_the_model_has_read() -> None:
    model = Limited(lambda _: said("word " * 40))
    session = Agent(model).session()
    model.gate.clear()
    while not any(task.get_name() == "agentaudio-compaction" for task in asyncio.all_tasks()):
        async for _ in session.stream("go on"):
            pass
    for _ in range(20):
        await asyncio.sleep(0.005)
    before = len(model.read[-1])
    async for event in session.stream("and on"):
        assert not isinstance(event, ConversationCompacted)
    assert len(model.read[-1]) == before + 2 and not model.ahead
    model.gate.set()
    await idle()
    assert await told(session, "again")


async def test_a_long_answer_of_a_tool_is_made_room_for_within_the_turn() -> None:
    @tool
    def search() -> str:
        """Find something."""
        return "result " * 450

    ids = itertools.count()

    def answer(seen: Conversation) -> list[Delta]:
        wants = seen.messages[-1].text == "search"
        return called("search", f"c{next(ids)}") if wants else said("I say this.", 100)

    model = Limited(answer)
    session = Agent(model, tools=[search]).session()
    for _ in range(5):
        await told(session, "go on")
    done = await told(session, "search")
    assert [one.answers for one in done] == [2]  # the last four exchanges, of which this is one, are left alone
    assert model.read[-1].messages[-1].tool_outputs and len(model.read[-1]) == len(session.conversation) - 1


async def test_a_summary_that_fails_is_tried_again_later_and_an_urgent_one_leaves_turns_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = Limited(lambda _: said("word " * 40), summary=BackendError("out of order"))
    session = Agent(model).session()
    done = [one for n in range(40) for one in await told(session, f"my number is {n}")]
    assert "out of order" in caplog.text
    assert any(one.left_out for one in done) and not any(one.summarised or one.summary for one in done)
    assert model.read[-1].messages[0].role == "user" and model.read[-1].messages[0].text.startswith("my number")


async def test_one_exchange_that_fills_the_context_is_refused_by_the_model() -> None:
    session = Agent(Limited(lambda _: said("yes"))).session()
    with pytest.raises(BackendError, match="the limit is 1000"):
        await session.run("word " * 1200)
    assert (await session.run("word")).text == "yes"


async def test_a_long_stored_talk_goes_on_with_a_summary_of_its_beginning() -> None:
    old = Conversation()
    for number in range(50):
        old.add("user", f"my number is {number} " + "word " * 30)
        old.add("assistant", SpeechPart("fine"))
    model = Limited(lambda _: said("yes"))
    session = Agent(model).session(old)
    done = await told(session, "which number?")
    assert done[0].summarised and len(model.summarised) > 1  # more than one reading of the context
    assert model.summarised[0].messages[0].text.startswith("my number is 0")
    assert model.read[0].messages[-1].text == "which number?"


async def test_a_conversation_that_the_caller_keeps_stays_compacted_while_it_only_grows() -> None:
    model = Limited(lambda _: said("I say this.", 60))
    session, own = Agent(model).session(), Conversation()

    async def respond() -> list[Compacted]:
        found = []
        async for event in session.respond(own):
            if isinstance(event, ConversationCompacted):
                found.append(event.compacted)
            elif isinstance(event, TurnFinished):
                own.add("assistant", *session.conversation.messages[-1].parts)
        await idle()
        return found

    done = []
    for number in range(40):
        own.add("user", f"question {number}")
        done += await respond()
    assert len(done) > 1 and done[-1].answers < 15  # each answer loses its tokens once
    other = Conversation()
    other.add("user", "hello")
    own = other
    await respond()
    assert [message.text for message in model.read[-1]] == ["hello"]


async def test_other_models_and_short_talks_start_no_task() -> None:
    model = Limited(lambda _: said("I say this.", 60))
    session = Agent(model).session()
    for _ in range(UNTOUCHED):
        await session.run("hello")
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "agentaudio-compaction"]
    assert session.conversation.messages == model.read[-1].messages + [session.conversation.messages[-1]]


async def test_the_store_keeps_everything_and_gets_the_transcripts(tmp_path: Path) -> None:
    model = Limited(lambda _: said("I say this.", 60))
    async with SqliteStore(tmp_path / "talks.sqlite3", keep_sound=True) as store:
        session = await store.session(Agent(model), "ana")
        while len(model.heard) < 3 or not model.summarised:
            await told(session, speech(2))
        await store.leave("ana")
        stored, _ = await store.load("ana")
    parts = [part for message in stored for part in message.parts]
    sounds = [part for part in parts if isinstance(part, AudioPart)]
    assert 2 * len(sounds) == len(stored) and all(part.audio.duration == 2 for part in sounds)
    assert [part.transcript for part in sounds[:3]] == ["sound 1", "sound 2", "sound 3"]
    assert sounds[-1].transcript is None
    assert all(part.tokens is not None and len(part.tokens.ids) == 60 for part in parts if isinstance(part, SpeechPart))


async def test_the_question_for_a_summary_is_chinese_in_a_chinese_talk() -> None:
    def answers() -> Iterator[str]:
        return itertools.cycle(["好的，" + "我 " * 40])

    words = answers()
    model = Limited(lambda _: said(next(words)), summary="他们谈到了钟。")
    session = Agent(model, options=GenerateOptions()).session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentaudio.compactor.QUESTION_ZH", "Summarise in Chinese")
        while not model.summarised:
            await told(session, "请继续 " + "说 " * 10)
    assert model.summarised[0].messages[-1].parts == (TextPart("Summarise in Chinese"),)
