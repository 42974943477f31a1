"""`HearingAhead`: lets a model work on the user's sound while the user speaks."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AgentAudioError
from agentaudio.model.speech_lm import HearsAhead, SpeechLM, that_hears_ahead
from agentaudio.sound.audio import Audio

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]

PART_S = 0.2
"""Sound that is handed over at once."""
KEPT_TURNS = 2
"""Turns whose sound the model keeps: an answer that the user cuts short at once is made of two, see `retract`."""


class HearingAhead:
    """Hands the sound of the user's turns to a model that is a HearsAhead. For other models it does nothing.

    sample_rate: of the sound
    start: runs a coroutine as a task of the session, which cancels it at its end
    """

    def __init__(
        self,
        model: SpeechLM,
        sample_rate: int,
        start: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self._model, self._sample_rate, self._start = that_hears_ahead(model), sample_rate, start
        self._turns: deque[_Turn] = deque()
        self._end = 0  # of the sound that the newest turn has, in samples of the microphone

    def begin(self, sound: Samples, end: int) -> None:
        """A turn has begun.

        sound: its samples so far, (n,)
        end: where they end on the microphone's clock, in samples
        """
        if self._model is None:
            return
        self.stop()
        turn, self._end = _Turn(self._sample_rate), end
        turn.push(sound)
        self._turns.append(turn)
        while len(self._turns) > KEPT_TURNS:
            self._turns.popleft().close()
        self._start(_heard(self._model, turn), "agentaudio-live-hearing-ahead")

    def push(self, sound: Samples, end: int) -> None:
        """More sound of the microphone. sound, end: as in `begin`"""
        if self._turns and end > self._end and not self._turns[-1].stopped:
            self._turns[-1].push(sound)
            self._end = end

    def stop(self) -> None:
        """The turn has ended; an answer to it may follow."""
        if self._turns:
            self._turns[-1].stop()

    def drop(self) -> None:
        """No answer will follow."""
        while self._turns:
            self._turns.popleft().close()


class _Turn:
    """The sound of one turn, in parts of PART_S; what is left is handed over when the turn has stopped."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._waiting: list[Samples] = []
        self._count = 0
        self._more = asyncio.Event()
        self.stopped = self._closed = False

    def push(self, sound: Samples) -> None:
        if self._closed:
            return
        self._waiting.append(sound)
        self._count += len(sound)
        if self._count >= PART_S * self._sample_rate:
            self._more.set()

    def stop(self) -> None:
        self.stopped = True
        self._more.set()

    def close(self) -> None:
        self._closed = True
        self._waiting.clear()
        self._more.set()

    async def parts(self) -> AsyncIterator[Audio]:
        """The parts, until the turn is closed."""
        while not self._closed:
            await self._more.wait()
            self._more.clear()
            waiting, self._waiting, self._count = self._waiting, [], 0
            if waiting and not self._closed:
                yield Audio(np.concatenate(waiting), self._sample_rate)


async def _heard(model: HearsAhead, turn: _Turn) -> None:
    try:
        await model.hear_ahead(turn.parts())
    except AgentAudioError as error:
        log.warning("the answer will begin later, as its sound is not heard ahead: %s", error)
    except Exception:
        log.exception("the answer will begin later, as its sound is not heard ahead")
    finally:
        turn.close()
