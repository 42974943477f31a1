"""`McpConnection`: a connection to an MCP server that is opened when needed, and again when it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from agentaudio.errors import MissingExtra, ToolError
from agentaudio.http import Guard, parse_url
from agentaudio.portal import portal
from agentaudio.tools.mcp_bounds import Words
from agentaudio.tools.mcp_http import BoundedTransport
from agentaudio.tools.mcp_screen import screened_transport
from agentaudio.tools.mcp_stdio import program_streams
from agentaudio.tools.quoting import excerpt

try:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
except ImportError as error:
    raise MissingExtra("a tool of an MCP server", "mcp") from error

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 30.0
DISCONNECT_TIMEOUT_S = 4.0
"""Below the time that the portal gives its cleanups at exit."""
IDLE_S = 1.0
"""A connection that was not used for this long is checked before the next call."""
CHECK_TIMEOUT_S = 3.0
MAX_MESSAGE_CHARS = 300


class McpConnection:
    """All coroutines run in the portal's loop, in the process that made the connection.

    server: the URL of a streamable HTTP server, or program and arguments of one that talks over stdio
    name: for error messages
    env, folder: environment variables and working folder of the program
    headers: HTTP headers sent to the URL; redirects are only followed on its site
    allow_private: whether the URL's host may be in a private network
    """

    def __init__(
        self,
        server: str | Sequence[str],
        *,
        name: str,
        env: Mapping[str, str],
        folder: str | os.PathLike[str] | None,
        headers: Mapping[str, str],
        allow_private: bool = True,
    ) -> None:
        self.portal = portal()
        self._server, self._name = server, name
        self._env, self._headers = dict(env), dict(headers)
        self._folder = None if folder is None else Path(folder)
        self._allow_private = allow_private
        self._words = Words()
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._leave = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None
        self._used_at = 0.0

    async def client(self) -> Client:
        """The open client; connects first when there is none, or when an idle one does not answer.

        Raises ToolError when the server cannot be reached.
        """
        async with self._lock:
            if self._client is not None and time.monotonic() - self._used_at > IDLE_S:
                try:
                    async with asyncio.timeout(CHECK_TIMEOUT_S):  # a server may hang without closing the connection
                        await self._client.list_tools(cache_mode="refresh")
                except Exception as error:
                    log.info("MCP server %s does not answer (%r); connecting again", self._name, error)
                    await self._disconnect()
            if self._client is None:
                self._client = await self._connect()
            self.used()
            return self._client

    @property
    def problem(self) -> str:
        """Why the server was stopped; empty when it was not, or when the reason is not known."""
        return self._words.problem

    def used(self) -> None:
        """The server has just answered."""
        self._used_at = time.monotonic()

    async def lose(self, client: Client) -> None:
        """Close a client that failed, unless another call has already replaced it."""
        async with self._lock:
            if self._client is client:
                await self._disconnect()

    async def end(self) -> None:
        """Close the connection, and end a program that was started for it."""
        async with self._lock:
            await self._disconnect()

    async def _connect(self) -> Client:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        self._words = Words()
        self._holding = asyncio.create_task(self._hold(ready, self._leave, self._words))
        try:
            return await asyncio.wait_for(asyncio.shield(ready), CONNECT_TIMEOUT_S)
        except asyncio.CancelledError:
            self._holding.cancel()
            raise
        except Exception as error:
            self._holding.cancel()
            await asyncio.wait([self._holding])
            reason = self._words.last(MAX_MESSAGE_CHARS) or str(_innermost(error)) or type(error).__name__
            raise ToolError(f"the MCP server {self._name} cannot be reached: {excerpt(reason)}") from None

    async def _hold(self, ready: asyncio.Future[Client], leave: asyncio.Event, words: Words) -> None:
        # The client's cancel scopes must be left by the task that entered them.
        forget = self.portal.on_close(self.end)
        try:
            async with self._open(words) as client:
                ready.set_result(client)
                await leave.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                log.info("the connection to MCP server %s ended: %r", self._name, error)
        finally:
            forget()

    @contextlib.asynccontextmanager
    async def _open(self, words: Words) -> AsyncIterator[Client]:
        if not isinstance(self._server, str):
            streams = program_streams(self._server, env=self._env, folder=self._folder, words=words)
            async with Client(screened_transport(streams, self._name, words)) as client:
                yield client
            return
        guard = Guard.for_service(parse_url(self._server)) if self._allow_private else Guard()
        async with (
            httpx2.AsyncClient(
                headers={"accept-encoding": "identity"} | self._headers,
                timeout=httpx2.Timeout(30, read=300),
                transport=BoundedTransport(guard, words),
                trust_env=False,
            ) as http,
            Client(
                screened_transport(streamable_http_client(self._server, http_client=http), self._name, words)
            ) as client,
        ):
            yield client

    async def _disconnect(self) -> None:
        self._client = None
        self._leave.set()
        if self._holding is not None:
            await asyncio.wait([self._holding], timeout=DISCONNECT_TIMEOUT_S)
            self._holding.cancel()


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
