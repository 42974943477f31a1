"""Server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from starlette.responses import StreamingResponse

from agentaudio.server.bodies import as_json
from agentaudio.server.errors import as_api_error

Fact = Mapping[str, Any]

BEGIN_S = 5.0
"""How long an answer may take to begin before its headers are sent, so that an early error still gets its status."""
ALIVE_S = 15.0
"""Pause after which a comment is sent, so that proxies keep the connection."""


class Begun:
    """The events of an answer, of which the first have come."""

    def __init__(self, events: AsyncGenerator[Fact, None]) -> None:
        self._events = events
        self._next: asyncio.Task[Fact | None] | None = None
        self.first: list[Fact] = []

    async def wait(self, seconds: float) -> bool:
        """Whether the next event, or the end, comes within `seconds`. The work goes on either way."""
        self._next = self._next or asyncio.ensure_future(anext(self._events, None))
        done, _ = await asyncio.wait([self._next], timeout=seconds)
        return bool(done)

    def take(self) -> Fact | None:
        """The event that `wait` has found; None at the end. Raises what the work has raised."""
        assert self._next is not None
        task, self._next = self._next, None
        return task.result()

    async def close(self) -> None:
        """Stop the work."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await self._events.aclose()


async def begun(events: AsyncGenerator[Fact, None], held: AsyncExitStack, *, after: int) -> Begun:
    """Wait for the first events, at most BEGIN_S. Raises what the work raises until then.

    held: of the request; closes the events
    after: number of events that show that the work goes well
    """
    answer = Begun(events)
    held.push_async_callback(answer.close)
    until = asyncio.get_running_loop().time() + BEGIN_S
    while len(answer.first) < after:
        if not await answer.wait(until - asyncio.get_running_loop().time()):
            break
        event = answer.take()
        if event is None:
            break
        answer.first.append(event)
    return answer


def event_stream(answer: Begun, *, done: bytes = b"") -> StreamingResponse:
    """A response of the events as JSON. An error becomes the last event.

    done: what follows the last event of an answer that went well
    """

    async def body() -> AsyncGenerator[bytes, None]:
        for event in answer.first:
            yield _line(event)
        try:
            while True:
                if not await answer.wait(ALIVE_S):
                    yield b": working\n\n"
                elif (fact := answer.take()) is not None:
                    yield _line(fact)
                else:
                    break
            yield done
        except Exception as error:
            yield _line(as_api_error(error).body())

    return StreamingResponse(body(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def _line(event: Fact) -> bytes:
    return b"data: " + as_json(event) + b"\n\n"
