"""The tools of an MCP server, as tools of an agent."""

from __future__ import annotations

import asyncio
import atexit
import base64
import binascii
import contextlib
import json
import logging
import os
import re
import tempfile
import threading
import time
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from agentaudio.errors import AudioError, MissingExtra, OptionError, ToolError
from agentaudio.sound.audio import Audio
from agentaudio.tools.arguments import OpenArguments
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import DEFAULT_TIMEOUT_S, Tool

try:
    import httpx2
    from mcp import Client, MCPError, StdioServerParameters, stdio_client
    from mcp import types as mcp_types
    from mcp.client.streamable_http import streamable_http_client
except ImportError as error:
    raise MissingExtra("a tool of an MCP server", "mcp") from error

log = logging.getLogger(__name__)

Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 30.0
GOODBYE_S = 5.0
QUIET_S = 1.0
"""A connection that was not used for so long is tried before a call is trusted to it."""
PING_S = 3.0
"""How long that may take."""
MAX_TOLD_CHARS = 300


class McpServer:
    """A server that is started or reached when it is first needed, and again when it went away.

    server: the URL of a streamable HTTP server, or program and arguments of one that talks over stdio
    env, folder: of the program; headers: sent to the URL
    include, exclude: names of tools to take and to leave; `*` stands for any characters
    prefix: put before each name

    One McpServer serves any number of agents, threads and event loops. `close` ends the
    connection; a later call opens it again.
    """

    def __init__(
        self,
        server: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        folder: str | os.PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
        include: Iterable[str] = ("*",),
        exclude: Iterable[str] = (),
        prefix: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        if not server:
            raise OptionError("an MCP server needs a URL, or a program with its arguments")
        self._server = server if isinstance(server, str) else list(server)
        self.name = server if isinstance(server, str) else " ".join(Path(word).name for word in server[:2])
        self._env, self._headers = dict(env or {}), dict(headers or {})
        self._folder = None if folder is None else Path(folder)
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._prefix, self._timeout_s = prefix, timeout_s
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._leave = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None
        self._used_at = 0.0
        _servers.add(self)

    def tools(self) -> list[Tool]:
        """The server's tools; it blocks until the server has told them.

        Raises OptionError when the server cannot be reached.
        """
        try:
            listed = _start(self._list()).result(CONNECT_TIMEOUT_S + 5)
        except (ToolError, MCPError, TimeoutError) as error:
            raise OptionError(str(error) or f"the MCP server {self.name} does not answer") from None
        made: dict[str, Tool] = {}
        for one in listed:
            wanted = any(fnmatchcase(one.name, pattern) for pattern in self._include)
            if wanted and not any(fnmatchcase(one.name, pattern) for pattern in self._exclude):
                tool = self._tool(one)
                if tool.name in made:
                    log.warning(
                        "MCP server %s has two tools that would be named %r; one is left out", self.name, tool.name
                    )
                made.setdefault(tool.name, tool)
        return list(made.values())

    def close(self) -> None:
        """End the connection, and a program that was started for it."""
        _start(self._end()).result()

    async def aclose(self) -> None:
        """`close` for programs with an event loop."""
        await asyncio.wrap_future(_start(self._end()))

    def __enter__(self) -> McpServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tool(self, listed: mcp_types.Tool) -> Tool:
        hints = listed.annotations
        harmless = bool(hints and (hints.read_only_hint or hints.idempotent_hint))

        async def call(context: RunContext, **arguments: Any) -> ToolResult:
            # The connection lives in a loop of its own: the agent's may end after every turn.
            return await asyncio.wrap_future(_start(self._call(listed.name, arguments, context, harmless)))

        return Tool(
            name=re.sub(r"[^A-Za-z0-9_-]", "_", self._prefix + listed.name)[:64],
            description=listed.description or listed.title or listed.name,
            arguments=OpenArguments(listed.input_schema),
            function=call,
            takes_context=True,
            timeout_s=self._timeout_s,
            idempotent=harmless,
            retries=1 if harmless else 0,
            release=self.aclose,
        )

    async def _list(self) -> list[mcp_types.Tool]:
        client = await self._connected()
        tools: list[mcp_types.Tool] = []
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor, cache_mode="refresh")
            tools += page.tools
            cursor = page.next_cursor
            if not cursor:
                return tools

    async def _call(self, name: str, arguments: dict[str, Any], context: RunContext, harmless: bool) -> ToolResult:
        client = await self._connected()

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            context.progress(message or name, progress / total if total else None)

        try:
            answer = await client.call_tool(name, arguments, progress_callback=progressed)
        except Exception as error:
            if isinstance(error, MCPError) and error.code != mcp_types.CONNECTION_CLOSED:
                raise ToolError(f"the MCP server says: {str(error)[:MAX_TOLD_CHARS]}") from None
            await self._lose(client)
            if harmless:
                raise ConnectionError(f"the MCP server {self.name} went away") from error
            problem = f"the MCP server {self.name} went away; whether {name} was carried out is not known"
            raise ToolError(problem) from error
        self._used_at = time.monotonic()
        return _result(answer)

    async def _connected(self) -> Client:
        async with self._lock:
            if self._client is not None and time.monotonic() - self._used_at > QUIET_S:
                try:
                    async with asyncio.timeout(PING_S):  # it may hang instead of dying
                        await self._client.list_tools(cache_mode="refresh")
                except Exception as error:
                    log.info("MCP server %s went away (%r); connecting again", self.name, error)
                    await self._disconnect()
            if self._client is None:
                self._client = await self._connect()
            self._used_at = time.monotonic()
            return self._client

    async def _connect(self) -> Client:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            self._holding = asyncio.create_task(self._hold(ready, self._leave, said))
            try:
                return await asyncio.wait_for(asyncio.shield(ready), CONNECT_TIMEOUT_S)
            except asyncio.CancelledError:
                self._holding.cancel()
                raise
            except Exception as error:
                self._holding.cancel()
                await asyncio.wait([self._holding])
                said.seek(0)
                told = " ".join(said.read()[-MAX_TOLD_CHARS:].split())
                why = told or str(_innermost(error)) or type(error).__name__
                raise ToolError(f"the MCP server {self.name} cannot be reached: {why}") from None

    async def _hold(self, ready: asyncio.Future[Client], leave: asyncio.Event, said: Any) -> None:
        # One task opens and closes the connection, as its cancel scopes demand.
        try:
            async with self._opened(said) as client:
                ready.set_result(client)
                await leave.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                log.info("MCP server %s ended: %r", self.name, error)

    @contextlib.asynccontextmanager
    async def _opened(self, said: Any) -> AsyncIterator[Client]:
        if isinstance(self._server, list):
            program = StdioServerParameters(
                command=self._server[0], args=self._server[1:], env=self._env, cwd=self._folder
            )
            async with Client(stdio_client(program, errlog=said)) as client:
                yield client
            return
        async with (
            httpx2.AsyncClient(headers=self._headers, timeout=httpx2.Timeout(30, read=300)) as http,
            Client(streamable_http_client(self._server, http_client=http)) as client,
        ):
            yield client

    async def _lose(self, client: Client) -> None:
        """Give up a connection, unless another call already did and a new one stands."""
        async with self._lock:
            if self._client is client:
                await self._disconnect()

    async def _end(self) -> None:
        async with self._lock:
            await self._disconnect()

    async def _disconnect(self) -> None:
        self._client = None
        self._leave.set()
        if self._holding is not None:
            await asyncio.wait([self._holding], timeout=GOODBYE_S)
            self._holding.cancel()


def _result(answer: mcp_types.CallToolResult) -> ToolResult:
    """Text and sound of an answer; a model that listens has no use for images."""
    texts: list[str] = []
    sounds: list[Audio] = []
    for part in answer.content:
        match part:
            case mcp_types.TextContent(text=text):
                texts.append(text)
            case mcp_types.AudioContent(data=data):
                try:
                    sounds.append(Audio.load(base64.b64decode(data, validate=True)))
                except (AudioError, binascii.Error) as error:
                    texts.append(f"[a sound was left out: {error}]")
            case mcp_types.EmbeddedResource(resource=mcp_types.TextResourceContents(text=text)):
                texts.append(text)
            case mcp_types.ResourceLink(name=name, uri=uri):
                texts.append(f"{name}: {uri}")
            case _:
                texts.append(f"[{part.type} left out]")
    if not answer.content and answer.structured_content is not None:
        texts.append(json.dumps(answer.structured_content, ensure_ascii=False))
    text = "\n".join(texts)
    if answer.is_error:
        raise ToolError(text or "the MCP server says that the call failed")
    if not sounds:
        return ToolResult(text or "Done.")
    sound = Audio.concat(sounds)
    return ToolResult(text or f"A sound of {sound.duration:.1f} seconds.", audio=sound)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


_servers: weakref.WeakSet[McpServer] = weakref.WeakSet()
_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _start(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Run it in the loop that all connections live in."""
    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="agentaudio-mcp", daemon=True).start()
            atexit.register(_close_all)
    return asyncio.run_coroutine_threadsafe(work, _loop)


def _close_all() -> None:
    for server in list(_servers):
        with contextlib.suppress(Exception):
            _start(server._end()).result(5)
