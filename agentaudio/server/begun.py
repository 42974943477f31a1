"""`Begun`: an answer that is held back until it is clear that it goes well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Generic, TypeVar

T = TypeVar("T")

BEGIN_S = 5.0
"""How long an answer may take to begin before its headers are sent, so that an early error still gets its status."""


class Begun(Generic[T]):
    """The items of an answer, of which the first have come."""

    def __init__(self, items: AsyncGenerator[T, None]) -> None:
        self._items = items
        self._next: asyncio.Task[T | None] | None = None
        self.first: list[T] = []

    async def wait(self, seconds: float | None) -> bool:
        """Whether the next item, or the end, comes in time. The work goes on either way. seconds: None has no limit"""
        self._next = self._next or asyncio.ensure_future(anext(self._items, None))
        done, _ = await asyncio.wait([self._next], timeout=seconds)
        return bool(done)

    def take(self) -> T | None:
        """The item that `wait` has found; None at the end. Raises what the work has raised."""
        assert self._next is not None
        task, self._next = self._next, None
        return task.result()

    async def close(self) -> None:
        """Stop the work."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await self._items.aclose()


async def begun(items: AsyncGenerator[T, None], held: AsyncExitStack, *, after: int) -> Begun[T]:
    """Wait for the first items, at most BEGIN_S. Raises what the work raises until then.

    held: of the request; stops the work
    after: number of items that show that the work goes well
    """
    answer = Begun(items)
    held.push_async_callback(answer.close)
    until = asyncio.get_running_loop().time() + BEGIN_S
    while len(answer.first) < after:
        if not await answer.wait(until - asyncio.get_running_loop().time()):
            break
        item = answer.take()
        if item is None:
            break
        answer.first.append(item)
    return answer
