"""A text and its sound as deltas: words first, sound in order, and all work stops on closing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Literal

import pytest
from support.sounds import tone

from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import AudioDelta, ReferenceVoice, TextDelta
from agentaudio.model.spoken import AHEAD, spoken
from agentaudio.sound.audio import Audio


class Nothing:
    nbytes = 0


class Beeps:
    """A tone for each word, 10 ms for each letter; it counts them, and can be made to wait or to fail."""

    voices: Literal["clones", "moves", "fixed"] = "fixed"
    sample_rate_hz = 16_000
    languages = ()

    def __init__(self) -> None:
        self.made, self.open = 0, 0
        self.ready = asyncio.Event()
        self.ready.set()
        self.fails_at: str | None = None

    async def prepare(self, voice: ReferenceVoice | None) -> Nothing:
        return Nothing()

    async def speak(
        self, text: AsyncIterator[str], state: Nothing, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        self.open += 1
        try:
            async for word in text:
                await self.ready.wait()
                if word == self.fails_at:
                    raise BackendError("no breath")
                self.made += 1
                yield tone(duration_s=0.01 * len(word))
        finally:
            self.open -= 1

    async def warm_up(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


async def words(*spoken: str) -> AsyncGenerator[str, None]:
    for word in spoken:
        yield word


def seen(deltas: Iterable[TextDelta | AudioDelta]) -> list[str | float]:
    return [delta.text if isinstance(delta, TextDelta) else round(delta.audio.duration, 3) for delta in deltas]


async def test_each_word_comes_before_its_sound() -> None:
    deltas = [delta async for delta in spoken(Beeps(), words("a", "bcd", ""), Nothing())]
    assert seen(deltas) == ["a", 0.01, "bcd", 0.03, ""]


async def test_a_word_does_not_wait_for_its_sound() -> None:
    beeps = Beeps()
    beeps.ready.clear()
    async with contextlib.aclosing(spoken(beeps, words("a"), Nothing())) as deltas:
        assert await asyncio.wait_for(anext(deltas), 5) == TextDelta("a")
        assert beeps.made == 0
        beeps.ready.set()
        assert isinstance(await anext(deltas), AudioDelta)


async def test_a_slow_consumer_holds_the_synthesiser_back() -> None:
    beeps = Beeps()
    async with contextlib.aclosing(spoken(beeps, words(*"abcdefghij"), Nothing())) as deltas:
        await anext(deltas)
        await asyncio.sleep(0.02)
        assert beeps.made == AHEAD + 1


async def test_closing_stops_the_synthesiser_first() -> None:
    beeps = Beeps()
    tasks = asyncio.all_tasks()
    async with contextlib.aclosing(spoken(beeps, words(*"abcdefghij"), Nothing())) as deltas:
        await anext(deltas)
        assert beeps.open == 1
    assert beeps.open == 0 and beeps.made < 10 and asyncio.all_tasks() == tasks


async def test_cancelling_the_consumer_stops_the_synthesiser() -> None:
    beeps = Beeps()
    beeps.ready.clear()

    async def consume() -> None:
        async with contextlib.aclosing(spoken(beeps, words("a"), Nothing())) as deltas:
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
    beeps, came = Beeps(), []
    beeps.fails_at = "b"
    with pytest.raises(BackendError, match="no breath"):
        async for delta in spoken(beeps, words("a", "b", "c"), Nothing()):
            came.append(delta)
    assert seen(came) == ["a", 0.01, "b"] and beeps.open == 0


async def test_a_failure_of_the_text_is_raised() -> None:
    async def broken() -> AsyncGenerator[str, None]:
        yield "a"
        raise BackendError("no more words")

    with pytest.raises(BackendError, match="no more words"):
        async for _ in spoken(Beeps(), broken(), Nothing()):
            pass
