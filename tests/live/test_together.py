"""Many live sessions ask the voice detector together, and each decides as it would alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio import Agent, Audio
from agentaudio.demo.run import questions_folder
from agentaudio.live.session import LiveSession
from agentaudio.live.together import FEW, Together
from agentaudio.model.scripted import Scripted
from agentaudio.sound.silero import CONTEXT, FRAME, Look, SileroBatch, SileroStream

Samples = NDArray[np.float32]

RATE = 16_000
MANY = FEW + 5
NAMES = ("great-wall", "time-in-tokyo", "call-my-mother", "distance-of-the-moon")


@cache
def spoken(name: str) -> Samples:
    """A question after 0.5 s of a quiet room, and 1.5 s of it afterwards."""
    said = Audio.load(questions_folder() / f"{name}.flac").resample(RATE).samples
    sound = np.concatenate([np.zeros(RATE // 2, np.float32), said, np.zeros(RATE + RATE // 2, np.float32)])
    noise = 3e-4 * np.random.default_rng(len(said)).standard_normal(len(sound))
    return (sound + noise).astype(np.float32)


def windows(sound: Samples) -> Iterator[Samples]:
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), sound])
    return (padded[at : at + CONTEXT + FRAME] for at in range(0, len(padded) - CONTEXT - FRAME, FRAME))


@pytest.mark.parametrize("count", (1, 2, 8, 9, 19))
def test_many_streams_at_once_give_what_each_gives_alone(count: int) -> None:
    together, alone, batch = ([SileroStream() for _ in range(count)] for _ in range(2)), [], SileroBatch()
    ours, plain = together
    sounds = [windows(spoken(NAMES[k % 4])[37 * k :][: 2 * RATE]) for k in range(count)]
    for place, row in enumerate(zip(*sounds, strict=True)):
        again = [(place + k) % 3 == 0 for k in range(count)]
        looks = [Look(stream, one, comes) for stream, one, comes in zip(ours, row, again, strict=True)]
        expected = [Look(stream, one, comes).alone() for stream, one, comes in zip(plain, row, again, strict=True)]
        np.testing.assert_allclose(batch.probabilities(looks), expected, atol=1e-5)
        alone += expected
    assert max(alone) > 0.9 > 0.1 > min(alone)


async def turns_of(live: LiveSession, sound: Samples, size: int) -> list[tuple[str, float]]:
    """What a session makes of a sound that comes in frames of so many samples."""
    found: list[tuple[str, float]] = []

    async def follow() -> None:
        async for event in live:
            if event.type == "user.started":
                found.append((event.type, event.start_s))
            elif event.type == "user.stopped":
                found.append((event.type, event.end_s))

    reading = asyncio.create_task(follow())
    for at in range(0, len(sound), size):
        live.push(sound[at : at + size])
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    reading.cancel()
    return found


@pytest.mark.parametrize("ms", (10, 20, 40, 100))
async def test_many_sessions_take_turns_as_one_does(ms: int) -> None:
    agent = Agent(Scripted(["Well."], loop=True))
    expected = {}
    for name in NAMES:
        async with agent.live(ears=None) as live:
            expected[name] = await turns_of(live, spoken(name), ms * RATE // 1000)
    assert all([kind for kind, _ in one] == ["user.started", "user.stopped"] for one in expected.values())
    async with contextlib.AsyncExitStack() as stack:
        lives = [await stack.enter_async_context(agent.live(ears=None)) for _ in range(MANY)]
        names = [NAMES[k % len(NAMES)] for k in range(MANY)]
        found = await asyncio.gather(
            *(turns_of(live, spoken(name), ms * RATE // 1000) for live, name in zip(lives, names, strict=True))
        )
    assert found == [expected[name] for name in names]


async def test_a_button_ends_the_turn_with_what_was_said_until_then() -> None:
    agent = Agent(Scripted(["Well."], loop=True))
    said = spoken("great-wall")[: 2 * RATE]
    async with contextlib.AsyncExitStack() as stack:
        lives = [await stack.enter_async_context(agent.live(ears=None)) for _ in range(MANY)]
        for at in range(0, len(said), 320):
            for live in lives:
                live.push(said[at : at + 320])
        assert all(live.commit() for live in lives)


async def test_a_session_that_ends_while_others_ask_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(Scripted(["Well."], loop=True))
    said = spoken("great-wall")
    async with contextlib.AsyncExitStack() as stack:
        lives = [await stack.enter_async_context(agent.live(ears=None)) for _ in range(MANY)]
        for at in range(0, len(said), 512):
            for live in lives:
                live.push(said[at : at + 512])
            if at == 512 * 60:
                closed = [lives.pop() for _ in range(2)]
                await asyncio.gather(*(live.aclose() for live in closed))
        found = await asyncio.gather(*(turns_of(live, spoken("time-in-tokyo"), 512) for live in lives))
        assert all("user.stopped" in [kind for kind, _ in one] for one in found)
    assert not caplog.records


async def test_what_fails_in_one_session_is_logged_and_the_others_get_their_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    together, found = Together(), list[float]()
    for _ in range(FEW + 1):
        together.join()
    window = next(windows(spoken("great-wall")))
    together.ask(Look(SileroStream(), window), lambda _: 1 / 0)  # type: ignore[arg-type]
    together.ask(Look(SileroStream(), window), found.append)
    assert not found
    await asyncio.sleep(0.05)
    assert len(found) == 1
    assert [record.message for record in caplog.records] == ["a live session failed over a frame of sound"]


async def test_few_sessions_get_their_answer_at_once() -> None:
    together, found = Together(), list[float]()
    for _ in range(FEW):
        together.join()
    together.ask(Look(SileroStream(), next(windows(spoken("great-wall")))), found.append)
    assert len(found) == 1
