"""`Together`: the live sessions of one event loop ask the voice detector's network together."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable

from agentaudio.sound.silero import Look, SileroBatch

log = logging.getLogger(__name__)

FEW = 8
"""Number of sessions up to which each asks the network by itself, at once."""
GATHERED_S = 0.005
"""How long a frame waits for those of other sessions."""

_OF_LOOPS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Together] = weakref.WeakKeyDictionary()


class Together:
    """Gathers what sessions ask for, and asks the network once for all of them.

    That takes a third of the processor's time, and lets each frame wait GATHERED_S more. A session may ask for one
    thing at a time: before it asks again, it calls `settle`.
    """

    @classmethod
    def of_loop(cls) -> Together:
        """The one of the running event loop."""
        loop = asyncio.get_running_loop()
        if (found := _OF_LOOPS.get(loop)) is None:
            found = _OF_LOOPS[loop] = cls()
        return found

    def __init__(self) -> None:
        self._loop = weakref.ref(asyncio.get_running_loop())
        self._sessions = 0
        self._batch = SileroBatch()
        self._asked: list[tuple[Look, Callable[[float], None]]] = []
        self._due: asyncio.TimerHandle | None = None

    def join(self) -> None:
        """A session begins."""
        self._sessions += 1

    def leave(self) -> None:
        """A session ends."""
        self._sessions -= 1
        if self._sessions <= FEW:
            self.settle()

    def ask(self, look: Look, take: Callable[[float], None]) -> None:
        """Ask for the probability of speech, and give it to `take`: at once, or a moment later."""
        loop = self._loop()
        if self._sessions <= FEW or loop is None:
            take(look.alone())
            return
        self._asked.append((look, take))
        if self._due is None:
            self._due = loop.call_later(GATHERED_S, self.settle)

    def settle(self) -> None:
        """Answer now all that was asked for."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        while self._asked:
            asked, self._asked = self._asked, []
            found = self._batch.probabilities([look for look, _ in asked])
            for (_, take), probability in zip(asked, found, strict=True):
                try:
                    take(probability)
                except Exception:  # of one session, of which the others know nothing
                    log.exception("a live session failed over a frame of sound")
