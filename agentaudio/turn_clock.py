"""`TurnClock`: the time that a turn may take, and each of its generations until it begins to answer."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from agentaudio.errors import LimitError
from agentaudio.limits import Limits
from agentaudio.model.speech_lm import Delta, Heard


class TurnClock:
    """Ends a turn that takes too long, by cancelling what runs in `async with`.

    limits: `turn_s` and `first_word_s` count
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._end = 0.0
        self._awaits_word = False

    def generating(self) -> None:
        """A generation begins: its first word, sound or call is awaited."""
        self._awaits_word = True
        self._timeout.reschedule(min(self._end, asyncio.get_running_loop().time() + self._limits.first_word_s))

    def take(self, delta: Delta) -> None:
        """The generation goes on. The user's words, when they are heard, begin the time anew."""
        if isinstance(delta, Heard):
            self.generating()
        elif self._awaits_word:
            self._awaits_word = False
            self._timeout.reschedule(self._end)

    def failure(self) -> LimitError | None:
        """What ended the turn; None unless it was the time."""
        if not self._timeout.expired():
            return None
        if self._awaits_word and asyncio.get_running_loop().time() < self._end:
            limit = self._limits.first_word_s
            return LimitError(f"the model did not begin to answer within {limit:g} s (Limits.first_word_s)")
        return LimitError(f"the turn took longer than {self._limits.turn_s:g} s (Limits.turn_s) and was stopped")

    async def __aenter__(self) -> Self:
        self._end = asyncio.get_running_loop().time() + self._limits.turn_s
        self._timeout = asyncio.timeout_at(self._end)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)
