"""`Drain`: lets answers that have begun come to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from agentaudio.server.errors import ApiError


class Drain:
    """Lets answers that have begun come to their end before the server stops."""

    def __init__(self) -> None:
        self._running = 0
        self._begun = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def begun(self) -> bool:
        """Whether the server is stopping: nothing new may begin."""
        return self._begun.is_set()

    def begin(self) -> None:
        self._begun.set()

    async def wait_begun(self) -> None:
        """Wait until the server begins to stop."""
        await self._begun.wait()

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Count an answer as running. Raises ApiError 503 when the server is stopping."""
        if self.begun:
            raise ApiError(503, "the server is stopping; connect again", headers={"retry-after": "1"})
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def finished(self, seconds: float) -> bool:
        """Wait until no answer runs, at most `seconds`; returns whether none does."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
