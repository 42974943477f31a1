"""`Outbox`: the queue of events between a turn and its reader."""

from __future__ import annotations

import asyncio
from collections import deque

from agentaudio.events import BaseEvent, ToolProgress

CAPACITY = 32
"""Number of unread events at which the turn waits for the reader."""


class Outbox:
    """A bounded queue, so that a turn does not run far ahead of its reader. For one event loop and one reader."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: deque[BaseEvent] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, event: BaseEvent) -> None:
        """Append `event`, after waiting until there is room."""
        while len(self._waiting) >= self._capacity and not self._closed:
            self._room.clear()
            await self._room.wait()
        self.post(event)

    def post(self, event: BaseEvent) -> None:
        """Append `event` at once, even when the outbox is full. For code that cannot await, such as tool callbacks.

        In a full outbox, the progress of a call replaces an older one of the same call.
        """
        if self._closed:
            return  # the turn has ended, and nobody reads on
        if isinstance(event, ToolProgress) and len(self._waiting) >= self._capacity:
            for position, other in enumerate(self._waiting):
                if isinstance(other, ToolProgress) and other.call.id == event.call.id:
                    del self._waiting[position]
                    break
        self._waiting.append(event)
        self._changed.set()

    def replace(self, event: BaseEvent) -> None:
        """Put an event in the place of a waiting one of its kind, if there is one."""
        self._waiting = deque(event if type(old) is type(event) else old for old in self._waiting)

    def withdraw(self, *kinds: type[BaseEvent]) -> int:
        """Remove the unread events of these kinds; returns how many."""
        kept = [event for event in self._waiting if not isinstance(event, kinds)]
        count = len(self._waiting) - len(kept)
        self._waiting = deque(kept)
        self._room.set()
        return count

    def close(self) -> None:
        """Mark the end of the events. Waiting events can still be read."""
        self._closed = True
        self._changed.set()
        self._room.set()

    async def get(self) -> BaseEvent | None:
        """Wait for the next event; returns None after the last one."""
        while not self._waiting:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        event = self._waiting.popleft()
        self._room.set()
        return event
