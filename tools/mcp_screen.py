"""`screened_transport`: the messages of an MCP server, without what models and the client cannot use."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from agentaudio.errors import MissingExtra
from agentaudio.tools.mcp_bounds import LINE_BYTES, REQUEST_BYTES, TOO_MUCH_UNASKED, Unasked, Words
from agentaudio.tools.mcp_listing import MAX_TOOLS, screened

try:
    import anyio
    from mcp import types as mcp_types
except ImportError as error:
    raise MissingExtra("a tool of an MCP server", "mcp") from error

log = logging.getLogger(__name__)

MAX_PARTS = 500
"""Most parts of an answer; the others are left out."""
_ANSWERS = (mcp_types.JSONRPCResponse, mcp_types.JSONRPCError)


@contextlib.asynccontextmanager
async def screened_transport(
    transport: contextlib.AbstractAsyncContextManager[Any], server: str, words: Words
) -> AsyncIterator[Any]:
    """The streams of an MCP transport, with `Screen` and `Asked` around them.

    server, words: see `Screen`
    """
    asked: set[str | int] = set()
    async with transport as (incoming, outgoing):
        yield Screen(incoming, server, words, asked), Asked(outgoing, asked)


class Asked:
    """Sends messages, and notes the ids of those that are requests."""

    def __init__(self, stream: Any, asked: set[str | int]) -> None:
        self._stream, self._asked = stream, asked

    async def send(self, item: Any) -> None:
        if isinstance(item.message, mcp_types.JSONRPCRequest):
            self._asked.add(item.message.id)
        await self._stream.send(item)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Asked:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._stream.__aexit__(*error)  # type: ignore[no-any-return]


class Screen:
    """Reads the messages of a server, and leaves out of its lists of tools and its answers what models and the client
    cannot use.

    stream: of an MCP transport
    server: its name, for the log
    words: gets the reason when the server sends too much that nobody asked for; its messages end then
    asked: the ids of the requests that are not answered yet, which `Asked` adds
    """

    def __init__(self, stream: Any, server: str, words: Words, asked: set[str | int]) -> None:
        self._stream, self._server, self._words, self._asked = stream, server, words, asked
        self._unasked = Unasked()
        self._reported: set[str] = set()

    async def receive(self) -> Any:
        item = self._screened(await self._stream.receive())
        if item is None:
            raise anyio.EndOfStream
        return item

    def __aiter__(self) -> Screen:
        return self

    async def __anext__(self) -> Any:
        item = self._screened(await self._stream.__anext__())
        if item is None:
            raise StopAsyncIteration
        return item

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Screen:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._stream.__aexit__(*error)  # type: ignore[no-any-return]

    def _screened(self, item: Any) -> Any:
        """The message; None when the server has sent too much that nobody asked for."""
        message = getattr(item, "message", None)
        if isinstance(message, _ANSWERS) and message.id in self._asked:
            self._asked.discard(message.id)
            self._unasked.answered()
        elif message is not None:
            more = REQUEST_BYTES if isinstance(message, mcp_types.JSONRPCRequest) else LINE_BYTES
            if self._unasked.too_much(len(message.model_dump_json()) + more):
                self._words.problem = TOO_MUCH_UNASKED
                return None
        result = getattr(message, "result", None)
        if isinstance(result, dict) and isinstance(result.get("tools"), list):
            result["tools"] = screened(result["tools"], self._report)
        if isinstance(result, dict) and isinstance(result.get("content"), list):
            # The client checks all parts in one call of compiled code, during which no other thread runs.
            parts = result["content"]
            if len(parts) > MAX_PARTS:
                note = f"[{len(parts) - MAX_PARTS} more parts of the answer were left out]"
                result["content"] = [*parts[:MAX_PARTS], {"type": "text", "text": note}]
        return item

    def _report(self, name: str, problem: str) -> None:
        if name not in self._reported and len(self._reported) < MAX_TOOLS:
            self._reported.add(name)
            log.warning("MCP server %s: tool %r is left out: %s", self._server, name, problem)
