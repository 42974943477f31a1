"""A text and its sound as deltas: words first, sound in order, and all work stops on closing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable

import pytest
from support.parts import Beeps, Nothing

from agentaudio.conversation import Citation, ToolCall
from agentaudio.errors import BackendError, VoiceError
from agentaudio.model.parts import ChatDelta
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    Delta,
    End,
    ReferenceVoice,
    TextDelta,
    UnspokenDelta,
)
from agentaudio.model.spoken import AHEAD, spoken


async def words(*spoken: str) -> AsyncGenerator[ChatDelta, None]:
    for word in spoken:
        yield TextDelta(word)
    yield End()


def seen(deltas: Iterable[Delta]) -> list[str | float]:
    """The words, the length of each sound in seconds, and the kinds of other deltas."""
    return [one.text if isinstance(one, TextDelta) else round(one.audio.duration, 3) if isinstance(one, AudioDelta)
            else type(one).__name__ for one in deltas]  # fmt: skip


async def test_each_word_comes_before_its_sound() -> None:
    deltas = [delta async for delta in spoken(Beeps(), words("a", "bcd", ""))]
    assert seen(deltas) == ["a", 0.01, "bcd", 0.03, "End"]


async def test_words_that_cannot_be_spoken_are_named_once_their_sentence_is_complete() -> None:
    class Latin(Beeps):
        def unspoken(self, text: str) -> tuple[str, ...]:
            return tuple(word for word in text.split() if not word.isascii())

    answer = words("So ", "λόγος", " it is. ", "Then ", "слово.")
    deltas = [delta async for delta in spoken(Latin(), answer) if not isinstance(delta, AudioDelta)]
    assert [one.words for one in deltas if isinstance(one, UnspokenDelta)] == [("λόγος",), ("слово.",)]
    assert seen(deltas) == ["So ", "λόγος", " it is. ", "UnspokenDelta", "Then ", "слово.", "UnspokenDelta", "End"]


async def test_a_word_does_not_wait_for_its_sound() -> None:
    beeps = Beeps()
    beeps.ready.clear()
    async with contextlib.aclosing(spoken(beeps, words("a"))) as deltas:
        assert await asyncio.wait_for(anext(deltas), 5) == TextDelta("a")
        assert beeps.made == 0
        beeps.ready.set()
        assert isinstance(await anext(deltas), AudioDelta)


async def test_a_slow_consumer_holds_the_synthesiser_back() -> None:
    beeps = Beeps()
    async with contextlib.aclosing(spoken(beeps, words(*"abcdefghij"))) as deltas:
        await anext(deltas)
        await asyncio.sleep(0.02)
        assert beeps.made == AHEAD + 1


async def test_closing_stops_the_synthesiser_first() -> None:
    beeps = Beeps()
    tasks = asyncio.all_tasks()
    async with contextlib.aclosing(spoken(beeps, words(*"abcdefghij"))) as deltas:
        while not isinstance(await anext(deltas), AudioDelta):
            pass
        assert beeps.open == 1
    assert beeps.open == 0 and beeps.made < 10 and asyncio.all_tasks() == tasks


async def test_cancelling_the_consumer_stops_the_synthesiser() -> None:
    beeps = Beeps()
    beeps.ready.clear()

    async def consume() -> None:
        async with contextlib.aclosing(spoken(beeps, words("a"))) as deltas:
            async for _ in deltas:
                pass

    task = asyncio.create_task(consume())
    await asyncio.sleep(0.02)
    assert beeps.open == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert beeps.open == 0


async def test_a_failure_comes_after_the_sound_before_it() -> None:
    beeps, came = Beeps(), list[Delta]()
    beeps.fails_at = "b"
    with pytest.raises(BackendError, match="no breath"):
        async for delta in spoken(beeps, words("a", "b", "c")):
            came.append(delta)
    assert seen(came) == ["a", 0.01, "b"] and beeps.open == 0


async def test_a_failure_of_the_text_is_raised() -> None:
    async def broken() -> AsyncGenerator[ChatDelta, None]:
        yield TextDelta("a")
        raise BackendError("no more words")

    with pytest.raises(BackendError, match="no more words"):
        async for _ in spoken(Beeps(), broken()):
            pass


async def test_calls_and_citations_do_not_wait_for_sound() -> None:
    async def answer() -> AsyncGenerator[ChatDelta, None]:
        yield TextDelta("a")
        yield CallDelta(ToolCall("1", "look", {}))
        yield CitationDelta(Citation("title", "source", "quote"))
        yield End("tool_calls")

    beeps = Beeps()
    beeps.ready.clear()
    async with contextlib.aclosing(spoken(beeps, answer())) as deltas:
        early = [await asyncio.wait_for(anext(deltas), 5) for _ in range(3)]
        assert sorted(seen(early), key=str) == ["CallDelta", "CitationDelta", "a"]
        beeps.ready.set()
        assert seen([delta async for delta in deltas]) == [0.01, "End"]


async def test_an_answer_without_words_is_not_spoken_and_an_unfit_voice_does_not_matter() -> None:
    class Picky(Beeps):
        async def prepare(self, voice: ReferenceVoice | None) -> Nothing:
            raise VoiceError("the clip is too short")

    async def calls() -> AsyncGenerator[ChatDelta, None]:
        yield CallDelta(ToolCall("1", "look", {}))
        yield End("tool_calls")

    assert seen([delta async for delta in spoken(Picky(), calls())]) == ["CallDelta", "End"]
    with pytest.raises(VoiceError, match="too short"):
        async for _ in spoken(Picky(), words("a")):
            pass


async def test_the_voice_is_prepared_while_the_answer_begins() -> None:
    prepared = asyncio.Event()

    class Slow(Beeps):
        async def prepare(self, voice: ReferenceVoice | None) -> Nothing:
            prepared.set()
            return Nothing()

    async def answer() -> AsyncGenerator[ChatDelta, None]:
        await asyncio.wait_for(prepared.wait(), 5)
        yield TextDelta("a")

    assert seen([delta async for delta in spoken(Slow(), answer())]) == ["a", 0.01]


async def test_the_cause_of_a_failure_is_kept() -> None:
    class Broken(Beeps):
        async def prepare(self, voice: ReferenceVoice | None) -> Nothing:
            raise BackendError("no breath") from ValueError("lungs")

    with pytest.raises(BackendError, match="no breath") as caught:
        async for _ in spoken(Broken(), words("a")):
            pass
    assert isinstance(caught.value.__cause__, ValueError)
