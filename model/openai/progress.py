"""`progressing`: the chunks of a streamed answer, as long as the answer goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from agentaudio.errors import BackendError

Found = TypeVar("Found")

PROGRESS_TIMEOUT_S = 30.0
"""Longest wait for words, sound or a piece of a call, in seconds. Keep-alives do not count."""


async def progressing(
    chunks: AsyncGenerator[dict[str, Any], None],
    read: Callable[[Mapping[str, Any]], tuple[Sequence[Found], bool]],
    *,
    name: str,
    timeout_s: float,
) -> AsyncGenerator[Found, None]:
    """What `read` finds in the chunks, in order.

    read: from a chunk to what it holds, and whether it is progress
    name: of the model, for messages
    timeout_s: longest time without progress. It runs only while the server is awaited, not while the consumer works.

    Raises BackendError when the time is over, and what `chunks` and `read` raise.
    """
    loop = asyncio.get_running_loop()
    left = timeout_s
    while True:
        started = loop.time()
        try:
            async with asyncio.timeout(left):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise BackendError(f"{name} sent neither words nor calls for {timeout_s:g} s") from None
        if chunk is None:
            return
        found, has_progress = read(chunk)
        left = timeout_s if has_progress else left - (loop.time() - started)
        for one in found:
            yield one
