"""Messages of an MCP server: what it answers to a listing and to a call, and what it sends in between."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from support.sounds import tone, wav

from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError, ToolError
from agentaudio.portal import portal
from agentaudio.sound import decode
from agentaudio.tools import mcp as mcp_module
from agentaudio.tools import mcp_bounds, mcp_stdio
from agentaudio.tools.context import RunContext
from agentaudio.tools.mcp import McpServer
from agentaudio.tools.mcp_connection import McpConnection
from agentaudio.tools.mcp_screen import screened_transport
from agentaudio.tools.result import ToolResult
from fuzzing import mutate
from fuzzing.near import run_near
from fuzzing.target import Case, Target
from fuzzing.watch import Broken

TIMEOUT_S = 0.3
SOUND = base64.b64encode(wav(tone(duration_s=0.05).samples, 8_000)).decode()
TOOL: dict[str, Any] = {
    "name": "weather.get", "title": "Weather", "description": "Tells the weather.\nIn a city.",
    "inputSchema": {
        "type": "object", "required": ["city"], "additionalProperties": False, "$defs": {"a": {"type": "string"}},
        "properties": {"city": {"type": "string", "description": "The city"}, "days": {"$ref": "#/$defs/a"}},
    },
    "annotations": {"readOnlyHint": True, "idempotentHint": False}, "_meta": {"a": 1}, "icons": [{"src": "a.png"}],
    "outputSchema": {"type": "object", "properties": {"t": {"type": "number"}}, "required": ["t"]},
}  # fmt: skip
LISTING = {"tools": [TOOL, {"name": "b", "inputSchema": {"type": "object"}}], "nextCursor": None}
RESULTS: list[dict[str, Any]] = [
    {"content": [{"type": "text", "text": "20 degrees"}], "isError": False},
    {"content": [{"type": "text", "text": "no such city"}], "isError": True},
    {"content": [{"type": "audio", "data": SOUND, "mimeType": "audio/wav"},
                 {"type": "audio", "data": SOUND, "mimeType": "x"}]},
    {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"},
                 {"type": "resource", "resource": {"uri": "file:///a", "text": "words", "mimeType": "text/plain"}},
                 {"type": "resource_link", "uri": "https://a.example/", "name": "a"}]},
    {"content": [], "structuredContent": {"t": 20.5}},
]  # fmt: skip
BETWEEN: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hello"}},
    {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 0.5}},
    {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1, "reason": "x"}},
    {"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 9}},
    {"jsonrpc": "2.0", "id": "a", "method": "roots/list"},
    {"jsonrpc": "2.0", "id": 8, "method": "elicitation/create", "params": {"message": "?", "requestedSchema": {}}},
    {"jsonrpc": "2.0", "id": 999, "result": {}},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no", "data": [1]}},
]  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {"tools/list": LISTING, "tools/call": RESULTS[0]}
WORDS = ("audio", "image", "text", "resource", "resource_link", "content", "tools", "error", "result", "id", "method",
         "jsonrpc", "inputSchema", "$ref", "type", "object", "isError", "structuredContent", SOUND[:9],
         "nextCursor")  # fmt: skip


class Peer:
    """The server's side, in memory. answer: the result, or the whole line, of the next request of a method"""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.lines: list[bytes] = []
        self.stdout = asyncio.StreamReader(limit=mcp_bounds.MAX_MESSAGE_BYTES)
        self.stdin = self
        self._rest = b""

    def write(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._asked(json.loads(line))

    async def drain(self) -> None:
        pass

    def _asked(self, message: dict[str, Any]) -> None:
        if "method" not in message or "id" not in message:
            return
        for line in self.lines:
            self.stdout.feed_data(line.replace(b"\n", b" ") + b"\n")
        self.lines = []
        method, params = message["method"], message.get("params") or {}
        if method == "initialize":
            info = {"name": "raw", "version": "1"}
            version = params["protocolVersion"]
            result: Any = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif method in GOOD:
            result = self.answers.pop(method, GOOD[method])
        else:
            self._send({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "not here"}})
            return
        self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})
        if not isinstance(result, dict):  # not a message, so the request has no answer yet
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": GOOD.get(method, {})})

    def _send(self, message: Any) -> None:
        self.stdout.feed_data(json.dumps(message).encode() + b"\n")


class InMemory(McpConnection):
    """A connection to a Peer instead of a program."""

    peer: Peer

    @contextlib.asynccontextmanager
    async def _open(self, words: Any) -> AsyncIterator[Client]:
        self.peer = peer = Peer()
        to_session, from_server = anyio.create_memory_object_stream[Any](0)
        to_server, from_session = anyio.create_memory_object_stream[Any](0)
        work = (
            mcp_stdio._hear(peer, to_session, words),  # type: ignore[arg-type]
            mcp_stdio._tell(peer, from_session, to_session),  # type: ignore[arg-type]
        )
        tasks = [asyncio.create_task(one) for one in work]

        @contextlib.asynccontextmanager
        async def transport() -> AsyncIterator[Any]:
            yield from_server, to_server

        try:
            async with Client(screened_transport(transport(), "fuzz", words)) as client:
                yield client
        finally:
            for task in tasks:
                task.cancel()
            for stream in (to_session, from_server, to_server, from_session):
                stream.close()


class McpMessages(Target):
    name = "mcp"
    refusals = (ToolError, OptionError)
    memory_mb = 100
    dictionary = tuple(word.encode() for word in WORDS)

    def seeds(self) -> dict[str, list[bytes]]:
        return {
            "listing": [json.dumps(LISTING).encode()],
            "result": [json.dumps(result).encode() for result in RESULTS],
            "lines": [json.dumps(message).encode() for message in BETWEEN],
        }

    def prepare(self, folder: Path) -> None:
        run_near(decode, mcp_module)
        vars(mcp_module)["LIST_TIMEOUT_S"] = 0.3
        self._connect()

    def _connect(self) -> None:
        self._server = McpServer(["fuzz"], timeout_s=5.0)
        self._connection = InMemory(["fuzz"], name="fuzz", env={}, folder=None, headers={})
        self._server._opened = self._connection
        (self._tool, _) = self._server.tools()

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if kind == "lines":
            lines = []
            for _ in range(chance.choice((1, 2, 5))):
                data = json.loads(chance.choice(others))
                if chance.random() < 0.7:
                    lines.append(json.dumps(mutate.changed_data(chance, data, WORDS)).encode())
                else:
                    lines.append(mutate.changed(chance, json.dumps(data).encode(), others, self.dictionary))
            return b"\n".join(lines)
        data = json.loads(seed)
        for _ in range(chance.choice((1, 1, 2, 4))):
            data = mutate.changed_data(chance, data, WORDS)
        return json.dumps(data).encode()

    async def _called(self) -> ToolResult:
        # A server may answer another request instead; the turn's own timeout is longer.
        async with asyncio.timeout(TIMEOUT_S):
            return await self._tool.call(RunContext(Conversation()), {"city": "Ghent"})

    def read(self, case: Case) -> str:
        portal().run(self._connection.client(), instead="")
        peer = self._connection.peer
        if case.kind == "listing":
            peer.answers["tools/list"] = json.loads(case.content)
            for tool in self._server.tools():
                if not tool.description.strip() or len(tool.description) > 2_000 or len(tool.name) > 64:
                    raise Broken("invalid", repr(tool)[:300])
                json.dumps(tool.parameters).encode()
            return "listed"
        if case.kind == "lines":
            peer.lines = case.content.split(b"\n")
        else:
            peer.answers["tools/call"] = json.loads(case.content)
        try:
            result = asyncio.run(self._called())
        except TimeoutError:
            self._connect()
            return "no answer"
        except ConnectionError as error:
            if "was lost" not in str(error):
                raise
            return "lost"
        if not isinstance(result, ToolResult):
            raise Broken("invalid", repr(result)[:300])
        result.shown.encode()
        return "answered"
