"""Server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.responses import StreamingResponse

from agentaudio.server.begun import Begun
from agentaudio.server.bodies import as_json
from agentaudio.server.errors import as_api_error

Fact = Mapping[str, Any]

ALIVE_S = 15.0
"""Pause after which a comment is sent, so that proxies keep the connection."""


def event_stream(answer: Begun[Fact], *, done: bytes = b"") -> StreamingResponse:
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
