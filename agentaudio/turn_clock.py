"""`TurnClock`: the time that a turn may take, and each of its generations until it begins to answer."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from agentaudio.errors import LimitError
from agentaudio.limits import Limits
from agentaudio.model.speech_lm import Delta, Heard


class TurnClock:
    """Ends a turn that takes too long, by cancelling what runs in `async with`, which then raises TimeoutError.

    limits: `turn_s` and `first_word_s` count
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._end = self._due = 0.0  # as loop.time(): of the turn, and of what is awaited now
        self._awaits_word = self._expired = False
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle

    def generating(self) -> None:
        """A generation begins: its first word, sound or call is awaited."""
        self._awaits_word = True
        self._due = min(self._end, self._loop.time() + self._limits.first_word_s)
        if self._due < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(self._due, self._ring)

    def take(self, delta: Delta) -> None:
        """The generation goes on. The user's words, when they are heard, begin the time anew."""
        if isinstance(delta, Heard):
            self.generating()
        elif self._awaits_word:
            self._awaits_word = False
            self._due = self._end

    def failure(self) -> LimitError | None:
        """What ended the turn; None unless it was the time."""
        if not self._expired:
            return None
        if self._awaits_word and self._loop.time() < self._end:
            limit = self._limits.first_word_s
            return LimitError(f"the model did not begin to answer within {limit:g} s (Limits.first_word_s)")
        return LimitError(f"the turn took longer than {self._limits.turn_s:g} s (Limits.turn_s) and was stopped")

    def _ring(self) -> None:
        # A timer costs more than a word: one that is set stays when its word comes, and is set again when it rings.
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._ring)
        else:
            self._expired = True
            self._task.cancel()

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # a coroutine runs in one
        self._task, self._cancelled_before = task, task.cancelling()
        self._loop = task.get_loop()
        self._end = self._due = self._loop.time() + self._limits.turn_s
        self._timer = self._loop.call_at(self._end, self._ring)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired and self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise TimeoutError from error
