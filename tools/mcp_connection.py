"""`McpConnection`: a connection to an MCP server that is opened when needed, and again when it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO, cast

from agentaudio.errors import MissingExtra, ToolError
from agentaudio.portal import portal

try:
    import httpx2
    from mcp import Client, StdioServerParameters, stdio_client
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
    headers: HTTP headers sent to the URL
    """

    def __init__(
        self,
        server: str | Sequence[str],
        *,
        name: str,
        env: Mapping[str, str],
        folder: str | os.PathLike[str] | None,
        headers: Mapping[str, str],
    ) -> None:
        self.portal = portal()
        self._server, self._name = server, name
        self._env, self._headers = dict(env), dict(headers)
        self._folder = None if folder is None else Path(folder)
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
        with cast(TextIO, tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")) as stderr:
            self._holding = asyncio.create_task(self._hold(ready, self._leave, stderr))
            try:
                return await asyncio.wait_for(asyncio.shield(ready), CONNECT_TIMEOUT_S)
            except asyncio.CancelledError:
                self._holding.cancel()
                raise
            except Exception as error:
                self._holding.cancel()
                await asyncio.wait([self._holding])
                stderr.seek(0)
                last_words = " ".join(stderr.read()[-MAX_MESSAGE_CHARS:].split())
                reason = last_words or str(_innermost(error)) or type(error).__name__
                raise ToolError(f"the MCP server {self._name} cannot be reached: {reason}") from None

    async def _hold(self, ready: asyncio.Future[Client], leave: asyncio.Event, stderr: TextIO) -> None:
        # The client's cancel scopes must be left by the task that entered them.
        forget = self.portal.on_close(self.end)
        try:
            async with self._open(stderr) as client:
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
    async def _open(self, stderr: TextIO) -> AsyncIterator[Client]:
        if not isinstance(self._server, str):
            program = StdioServerParameters(
                command=self._server[0], args=list(self._server[1:]), env=self._env, cwd=self._folder
            )
            async with Client(stdio_client(program, errlog=stderr)) as client:
                yield client
            return
        async with (
            httpx2.AsyncClient(headers=self._headers, timeout=httpx2.Timeout(30, read=300)) as http,
            Client(streamable_http_client(self._server, http_client=http)) as client,
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
