"""`Outbox`: the queue of events between a turn and its reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from agentaudio.events import BaseEvent, Event, ToolProgress

CAPACITY = 32
"""Number of unread events at which the turn waits for the reader."""


class Outbox:
    """A bounded queue, so that a turn does not run far ahead of its reader. For one event loop and one reader.

    watch: takes each event when it is appended
    """

    def __init__(self, capacity: int = CAPACITY, *, watch: Callable[[BaseEvent], None] | None = None) -> None:
        self._watch = watch
        self._capacity = capacity
        self._waiting: deque[Any] = deque()
        self._reader: asyncio.Future[None] | None = None  # waits for an event
        self._room: asyncio.Event | None = None  # once the turn had to wait for the reader
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the turn has to wait for the reader."""
        return len(self._waiting) >= self._capacity and not self._closed

    async def room(self) -> None:
        """Wait until there is room."""
        while self.is_full:
            self._room = self._room or asyncio.Event()
            self._room.clear()
            await self._room.wait()

    async def put(self, event: BaseEvent) -> None:
        """Append `event`, after waiting until there is room."""
        await self.room()
        self.post(event)

    def post(self, event: BaseEvent) -> None:
        """Append `event` at once, even when the outbox is full. For code that cannot await, such as tool callbacks.

        In a full outbox, the progress of a call replaces an older one of the same call.
        """
        if self._closed:
            return  # the turn has ended, and nobody reads on
        if self._watch is not None:
            self._watch(event)
        if len(self._waiting) >= self._capacity and isinstance(event, ToolProgress):
            for position, other in enumerate(self._waiting):
                if isinstance(other, ToolProgress) and other.call.id == event.call.id:
                    del self._waiting[position]
                    break
        self._waiting.append(event)
        self._wake()

    def replace(self, event: BaseEvent) -> None:
        """Put an event in the place of a waiting one of its kind, if there is one."""
        self._waiting = deque(event if type(old) is type(event) else old for old in self._waiting)

    def withdraw(self, *kinds: type[BaseEvent]) -> int:
        """Remove the unread events of these kinds; returns how many."""
        if not self._waiting:
            return 0
        kept = [event for event in self._waiting if not isinstance(event, kinds)]
        count = len(self._waiting) - len(kept)
        self._waiting = deque(kept)
        self._make_room()
        return count

    def close(self) -> None:
        """Mark the end of the events. Waiting events can still be read."""
        self._closed = True
        self._wake()
        self._make_room()

    async def get(self) -> Event | None:
        """Wait for the next event; returns None after the last one."""
        while not self._waiting:
            if self._closed:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        event: Event = self._waiting.popleft()
        self._make_room()
        return event

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()
