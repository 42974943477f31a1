"""`McpServer`: the tools of an MCP server, as tools of an agent."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from agentaudio.errors import MissingExtra, OptionError, ToolError
from agentaudio.portal import portal
from agentaudio.sound.audio import Audio
from agentaudio.tools.arguments import OpenArguments
from agentaudio.tools.context import RunContext
from agentaudio.tools.mcp_connection import McpConnection
from agentaudio.tools.mcp_listing import MAX_PAGES, MAX_TOOLS, checked_name
from agentaudio.tools.quoting import excerpt
from agentaudio.tools.result import ToolResult
from agentaudio.tools.signature import FIRST
from agentaudio.tools.tool import DEFAULT_TIMEOUT_S, Tool
from agentaudio.uncopied import Uncopied
from agentaudio.workers.pool import LIGHT

try:
    from mcp import MCPError
    from mcp import types as mcp_types
except ImportError as error:
    raise MissingExtra("a tool of an MCP server", "mcp") from error

log = logging.getLogger(__name__)

LIST_TIMEOUT_S = 10.0

MAX_SOUND_S = 300.0
"""Longest sound in the answer to one call."""

HIGHEST_RATE_HZ = 48_000
"""Sound of a higher rate is resampled to this one."""

_of_parents: list[McpConnection] = []


class McpServer(Uncopied):
    """An MCP server. It is started or connected to at the first call, and again after it was lost.

    server: the URL of a streamable HTTP server, or program and arguments of one that talks over stdio
    env, folder: environment variables and working folder of the program
    headers: HTTP headers sent to the URL; redirects are only followed on its site
    allow_private: whether the URL's host may be on this machine or in a private network
    include, exclude: names of tools to take and to leave out; `*` matches any characters
    prefix: put before each tool's name
    timeout_s: limit of one call

    One McpServer serves any number of agents, threads and event loops, because its connection lives in
    the portal. A forked process connects anew. A call after `close` connects again.
    """

    def __init__(
        self,
        server: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        folder: str | os.PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
        allow_private: bool = True,
        include: Iterable[str] = ("*",),
        exclude: Iterable[str] = (),
        prefix: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        if not server:
            raise OptionError("an MCP server needs a URL, or a program with its arguments")
        self._server = server if isinstance(server, str) else list(server)
        self.name = server if isinstance(server, str) else " ".join(Path(word).name for word in server[:2])
        self._env, self._folder, self._headers = dict(env or {}), folder, dict(headers or {})
        self._allow_private = allow_private
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._prefix, self._timeout_s = prefix, timeout_s
        self._opened: McpConnection | None = None

    def tools(self) -> list[Tool]:
        """The server's tools. Blocks until the server has listed them, at most 30 s for connecting
        and 10 s for the list.

        Tools beyond the bounds of `mcp_listing`, and those that models cannot call, are left out with a
        warning in the log; long descriptions are cut.

        Raises OptionError when the server cannot be reached, and inside the portal's own loop.
        """
        instead = "call McpServer.tools() before the agent runs, or in asyncio.to_thread(...)"
        try:
            listed = portal().run(self._list(), instead=instead, may_block_loop=True)
        except (OptionError, ToolError) as error:
            raise OptionError(str(error)) from None
        except Exception as error:  # the client raises exceptions of any type for answers that are not of the protocol
            if problem := self._opened.problem if self._opened is not None else "":
                raise OptionError(f"the MCP server {self.name} cannot list its tools: {problem}") from None
            if isinstance(error, TimeoutError):
                raise OptionError(f"the MCP server {self.name} does not answer") from None
            problem = excerpt(str(error)) or type(error).__name__
            raise OptionError(f"the MCP server {self.name} lists no tools that can be read: {problem}") from None
        made: dict[str, Tool] = {}
        doubled: set[str] = set()
        for one in listed:
            wanted = any(fnmatchcase(one.name, pattern) for pattern in self._include)
            if wanted and not any(fnmatchcase(one.name, pattern) for pattern in self._exclude):
                if len(made) == MAX_TOOLS:
                    log.warning("MCP server %s has more than %d tools; the others are left out", self.name, MAX_TOOLS)
                    break
                tool = self._tool(one)
                if tool.name in made and tool.name not in doubled:
                    doubled.add(tool.name)
                    log.warning(
                        "MCP server %s has two tools that would be named %r; the second is left out",
                        self.name,
                        tool.name,
                    )
                made.setdefault(tool.name, tool)
        return list(made.values())

    def close(self) -> None:
        """Close the connection, and end a program that was started for it.

        Raises OptionError inside the portal's own loop; `await aclose()` there.
        """
        portal().run(self._end(), instead="await McpServer.aclose()", may_block_loop=True)

    async def aclose(self) -> None:
        """`close` for programs with an event loop."""
        await portal().call(self._end())

    def __enter__(self) -> McpServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connection(self) -> McpConnection:
        """The connection of this process's portal, in whose loop this is called.

        A connection that was made before a fork belongs to the parent.
        """
        if self._opened is None or self._opened.portal is not portal():
            if self._opened is not None:
                # Kept: destroying its tasks would close the pipes to a program of the parent.
                _of_parents.append(self._opened)
            self._opened = McpConnection(
                self._server,
                name=self.name,
                env=self._env,
                folder=self._folder,
                headers=self._headers,
                allow_private=self._allow_private,
            )
        return self._opened

    def _tool(self, listed: mcp_types.Tool) -> Tool:
        hints = listed.annotations
        repeatable = bool(hints and (hints.read_only_hint or hints.idempotent_hint))

        async def call(context: RunContext, /, **arguments: Any) -> ToolResult:
            answer = await portal().call(self._call(listed.name, arguments, context, repeatable))
            # Here and not in the portal, whose loop serves all servers.
            return await _result(answer)

        return Tool(
            name=checked_name(self._prefix + listed.name),
            description=listed.description or listed.name,
            arguments=OpenArguments(listed.input_schema),
            function=call,
            context=FIRST,
            timeout_s=self._timeout_s,
            idempotent=repeatable,
            retries=1 if repeatable else 0,
            untrusted=True,
            release=self.aclose,
        )

    async def _end(self) -> None:
        if self._opened is not None:
            await self._connection().end()

    async def _list(self) -> list[mcp_types.Tool]:
        client = await self._connection().client()
        tools: list[mcp_types.Tool] = []
        cursor: str | None = None
        async with asyncio.timeout(LIST_TIMEOUT_S):
            for _ in range(MAX_PAGES):
                page = await client.list_tools(cursor=cursor, cache_mode="refresh")
                tools += page.tools
                cursor = page.next_cursor
                if not cursor:
                    return tools
        log.warning("MCP server %s lists more than %d pages of tools; the others are left out", self.name, MAX_PAGES)
        return tools

    async def _call(
        self, name: str, arguments: dict[str, Any], context: RunContext, repeatable: bool
    ) -> mcp_types.CallToolResult:
        connection = self._connection()
        client = await connection.client()

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            context.progress(excerpt(message or name), progress / total if total else None)

        try:
            answer = await client.call_tool(name, arguments, progress_callback=progressed)
        except Exception as error:
            if isinstance(error, MCPError) and error.code != mcp_types.CONNECTION_CLOSED:
                raise ToolError(f"the MCP server refused the call: {excerpt(str(error))}") from None
            await connection.lose(client)
            lost = f"the connection to the MCP server {self.name} was lost"
            if connection.problem:
                raise ToolError(f"{lost}: {connection.problem}") from error
            if repeatable:
                raise ConnectionError(lost) from error
            raise ToolError(f"{lost}; it is unknown whether {name} was carried out") from error
        connection.used()
        return answer


async def _result(answer: mcp_types.CallToolResult) -> ToolResult:
    """Text and sound of an answer. Images and other content are named and left out."""
    texts: list[str] = []
    sounds: list[Audio] = []
    for part in answer.content:
        match part:
            case mcp_types.TextContent(text=text):
                texts.append(text)
            case mcp_types.AudioContent(data=data):
                try:
                    left = MAX_SOUND_S - sum(sound.duration for sound in sounds)
                    content = base64.b64decode(data, validate=True)
                    sounds.append(
                        await Audio.aload(
                            content,
                            max_duration_s=left,
                            setting="tools.mcp.MAX_SOUND_S",
                            highest_rate=HIGHEST_RATE_HZ,
                        )
                    )
                except ValueError as error:  # also AudioError, and text that is not base64
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
        raise ToolError(excerpt(text) or "the MCP server says that the call failed")
    if not sounds:
        return ToolResult(text or "Done.")
    sound = await LIGHT.call(lambda _: Audio.concat(sounds))
    return ToolResult(text or f"A sound of {sound.duration:.1f} seconds.", audio=sound)
