"""The ears of all sessions of a server: one recogniser, loaded when the first session wants words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from weakref import WeakKeyDictionary

from agentaudio.agent import Agent
from agentaudio.live.ears import DEFAULT, DEFAULT_WEIGHTS
from agentaudio.live.settings import EarsLike
from agentaudio.live.turn_model import TurnModel, TurnModelLike, turn_model_of
from agentaudio.model.parts import Recogniser, Recognises, Recognition
from agentaudio.model.registry import load_recogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.silero import SileroStream
from agentaudio.weights.store import missing

_shared: WeakKeyDictionary[Agent, SharedEars] = WeakKeyDictionary()


class SharedEars:
    """A recogniser that many sessions use. It is loaded on first use, and outlives them."""

    def __init__(self) -> None:
        self._loading = asyncio.Lock()
        self._recogniser: Recogniser | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        return () if self._recogniser is None else self._recogniser.languages

    max_audio_s = 600.0

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        return await (await self._loaded()).recognise(audio, language=language, hint=hint)

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        async for found in (await self._loaded()).stream(sound, language=language, hint=hint):
            yield found

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        await (await self._loaded()).warm_up(hint)

    async def aclose(self) -> None:
        """Does nothing: other sessions go on."""

    async def _loaded(self) -> Recogniser:
        async with self._loading:
            if self._recogniser is None:
                self._recogniser = await asyncio.to_thread(load_recogniser, DEFAULT)
            return self._recogniser


async def ears_for(agent: Agent) -> EarsLike:
    """The ears of a session: the model's own, else Whisper if its weights are on this machine, else None."""
    if isinstance(agent.model, Recognises):
        return "auto"
    if agent in _shared:
        return _shared[agent]
    absent = await asyncio.to_thread(missing, DEFAULT_WEIGHTS)
    return None if absent else _shared.setdefault(agent, SharedEars())


async def turn_model_for(ears: EarsLike, wanted: TurnModelLike) -> TurnModel | None:
    """The turn model of a session with these ears. wanted: as in LiveSettings"""
    return await asyncio.to_thread(turn_model_of, wanted, stands_in=ears is None)


async def warm_up(agent: Agent) -> None:
    """Load what the first session would load while others wait: the voice detector, and the list of weights."""
    await ears_for(agent)
    await asyncio.to_thread(SileroStream)
