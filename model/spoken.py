"""`spoken`: a text and its sound as the deltas of an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from agentaudio.model.parts import Synthesiser
from agentaudio.model.speech_lm import AudioDelta, TextDelta
from agentaudio.model.voice_states import State

AHEAD = 1
"""Sounds that wait for a slow consumer while the next one is synthesised."""


async def spoken(
    synthesiser: Synthesiser[State], text: AsyncIterator[str], state: State
) -> AsyncGenerator[TextDelta | AudioDelta, None]:
    """Yield each piece of a text when the synthesiser reads it, and the sound when it is ready.

    A piece comes before its sound and does not wait for it. Closing the generator stops the
    synthesiser before this returns; it does not close `text`.
    Raises what `text` and the synthesiser raise, after the deltas that came before.
    """
    ready: asyncio.Queue[TextDelta | AudioDelta | None] = asyncio.Queue()
    room = asyncio.Semaphore(AHEAD)

    async def read() -> AsyncGenerator[str, None]:
        async for piece in text:
            ready.put_nowait(TextDelta(piece))
            yield piece

    async def synthesise() -> None:
        try:
            async with contextlib.aclosing(synthesiser.speak(read(), state)) as sounds:
                async for sound in sounds:
                    if len(sound):
                        ready.put_nowait(AudioDelta(sound))
                        await room.acquire()
        finally:
            ready.put_nowait(None)

    work = asyncio.create_task(synthesise())
    try:
        while (delta := await ready.get()) is not None:
            yield delta
            if isinstance(delta, AudioDelta):
                room.release()
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
