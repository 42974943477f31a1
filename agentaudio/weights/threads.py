"""Work on files in a thread, which is over when the call is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def finish(work: Callable[..., Result], *arguments: object) -> Result:
    """`asyncio.to_thread`, which waits for the thread also when it is cancelled: afterwards nothing writes any more."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
