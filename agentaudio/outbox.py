"""`Outbox`: events on their way from a turn to its reader."""

from __future__ import annotations

import asyncio
from collections import deque

from agentaudio.events import Event, ToolProgress

CAPACITY = 32
"""Events that may wait for the reader before the turn waits too."""


class Outbox:
    """A bounded queue: a turn never runs far ahead of whoever reads its events. One loop, one reader."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, event: Event) -> None:
        """Append an event, as soon as there is room."""
        while len(self._waiting) >= self._capacity and not self._closed:
            self._room.clear()
            await self._room.wait()
        self.post(event)

    def post(self, event: Event) -> None:
        """Append an event at once, also beyond the bound: for what cannot wait, such as the end of a call.

        When the outbox is full, progress replaces older progress of the same call.
        """
        if isinstance(event, ToolProgress) and len(self._waiting) >= self._capacity:
            for position, other in enumerate(self._waiting):
                if isinstance(other, ToolProgress) and other.call.id == event.call.id:
                    del self._waiting[position]
                    break
        self._waiting.append(event)
        self._changed.set()

    def withdraw(self, *kinds: type[Event]) -> int:
        """Take back the events of these kinds that nobody has read; returns how many."""
        kept = [event for event in self._waiting if not isinstance(event, kinds)]
        count = len(self._waiting) - len(kept)
        self._waiting = deque(kept)
        self._room.set()
        return count

    def close(self) -> None:
        """Nothing more will come; what waits can still be read."""
        self._closed = True
        self._changed.set()
        self._room.set()

    async def get(self) -> Event | None:
        """The next event; None after the last."""
        while not self._waiting:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        event = self._waiting.popleft()
        self._room.set()
        return event
