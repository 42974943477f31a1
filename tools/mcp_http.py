"""`BoundedTransport`: the messages of an MCP server over HTTP, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agentaudio.errors import MissingExtra
from agentaudio.http import Guard, GuardedTransport
from agentaudio.tools.mcp_bounds import (
    LINE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_NOISE_BYTES,
    TOO_LONG,
    TOO_MANY_VALUES,
    TOO_MUCH_NOISE,
    Words,
    mended,
    too_many_values,
)

try:
    import httpx2
except ImportError as error:
    raise MissingExtra("a tool of an MCP server", "mcp") from error


class BoundedTransport(GuardedTransport):
    """Ends responses that break a bound, and mends broken characters in messages.

    words: gets the reason when a response breaks a bound
    """

    def __init__(self, guard: Guard, words: Words) -> None:
        super().__init__(guard)
        self._words = words

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        # A compressed body would be bounded before it is unpacked.
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            await response.aclose()
            raise httpx2.DecodingError("the MCP server compresses its answers; it must not")
        is_stream = "text/event-stream" in response.headers.get("content-type", "").lower()
        response.stream = (_Events if is_stream else _Whole)(response.stream, self._words)
        # The content is that long only where nothing was mended.
        response.headers.pop("content-length", None)
        return response


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: Any, words: Words) -> None:
        self._stream, self._words = stream, words

    def _ended(self, problem: str) -> httpx2.ReadError:
        self._words.problem = problem
        return httpx2.ReadError(problem)

    def _message(self, content: bytes) -> bytes:
        if too_many_values(content):
            raise self._ended(TOO_MANY_VALUES)
        return mended(content)

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Whole(_Bounded):
    """A response that is one message."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = bytearray()
        async for piece in self._stream:
            body += piece
            if len(body) > MAX_MESSAGE_BYTES:
                raise self._ended(TOO_LONG)
        yield self._message(bytes(body))


class _Events(_Bounded):
    """Server-sent events: each line of data is a message, or part of one."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        waiting = bytearray()
        noise = 0
        async for piece in self._stream:
            *lines, rest = (waiting + piece).split(b"\n")
            waiting = bytearray(rest)
            if len(waiting) > MAX_MESSAGE_BYTES:
                raise self._ended(TOO_LONG)
            for line in lines:
                is_data = line.startswith(b"data:")
                noise = 0 if is_data else noise + len(line) + LINE_BYTES
                if noise > MAX_NOISE_BYTES:
                    raise self._ended(TOO_MUCH_NOISE)
                yield (self._message(bytes(line)) if is_data else bytes(line)) + b"\n"
        if waiting:
            yield bytes(waiting)
