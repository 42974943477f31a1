"""`program_streams`: the messages of an MCP server that is a program, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentaudio.errors import MissingExtra
from agentaudio.tools.program import Program

try:
    import anyio
    from mcp import types as mcp_types
    from mcp.shared.message import SessionMessage
except ImportError as error:
    raise MissingExtra("a tool of an MCP server", "mcp") from error

MAX_MESSAGE_BYTES = 8_000_000
"""Longest message of an MCP server; the longest sound in an answer is three quarters of it."""
MAX_MESSAGE_VALUES = 200_000
"""Most values in a message, counted by its commas, colons and opening brackets: no other thread runs while compiled
code parses it, a quarter of a second for so many."""
MAX_NOISE_BYTES = 1_000_000
"""Most output between two messages that is not a message; each line counts as LINE_BYTES more."""
MAX_UNASKED_BYTES, UNASKED_S = 500_000, 30.0
"""Most bytes of messages within these seconds that answer no request, such as notifications; each counts as LINE_BYTES
more."""
LINE_BYTES = 100
KEPT_STDERR_BYTES = 4_000
EXIT_S = 2.0
"""Time for a server to end by itself once its input is closed."""
_PAUSE_BYTES = 65_536
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.")
"""An escape of JSON; the group is half of a surrogate pair, which pydantic refuses and other parsers accept."""
_ANSWERS = (mcp_types.JSONRPCResponse, mcp_types.JSONRPCError)


class Words:
    """What is known about the end of a server: its last words on standard error, and why it was stopped."""

    def __init__(self) -> None:
        self.problem = ""
        self._kept = bytearray()

    def add(self, piece: bytes) -> None:
        self._kept = (self._kept + piece)[-KEPT_STDERR_BYTES:]

    def last(self, chars: int) -> str:
        """The problem, or the last words on one line."""
        return self.problem or " ".join(self._kept.decode("utf-8", "replace")[-chars:].split())


@contextlib.asynccontextmanager
async def program_streams(
    command: Sequence[str], *, env: Mapping[str, str], folder: Path | None, words: Words
) -> AsyncIterator[tuple[Any, Any]]:
    """Start the program, and exchange one JSON-RPC message a line with it. At the end its input is closed,
    and what still runs after EXIT_S is killed.

    words: takes what the program writes to standard error, and the reason when it breaks a bound; its
        messages end then

    yields: the streams of messages to read from and to write to
    Raises OSError or ValueError when the program cannot be started.
    """
    program = await Program.start(command, env=env, folder=folder, talks=True, line_bytes=MAX_MESSAGE_BYTES)
    to_session, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_server, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    asked: set[str | int] = set()
    works = (
        _hear(program, to_session, words, asked),
        _tell(program, from_session, to_session, asked),
        _note(program, words),
    )
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield from_server, to_server
    finally:
        for stream in (from_server, to_server, to_session, from_session):
            stream.close()
        with contextlib.suppress(OSError, RuntimeError):
            program.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(program.exited(), EXIT_S)
        finally:
            for task in tasks:
                task.cancel()
            await program.end()


async def _hear(program: Program, to_session: Any, words: Words, asked: set[str | int]) -> None:
    """asked: the ids of the requests that are not answered yet"""
    noise = unasked = since_pause = 0
    since = time.monotonic()
    with to_session, contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        while True:
            try:
                line = await program.stdout.readline()
            except ValueError:
                words.problem = f"it sent a message longer than {MAX_MESSAGE_BYTES} bytes, which is the limit"
                return
            if not line:
                return
            since_pause += len(line)
            if since_pause > _PAUSE_BYTES:
                since_pause = 0
                await asyncio.sleep(0)  # reading buffered lines does not let other servers go on
            if sum(map(line.count, (b",", b":", b"["))) > MAX_MESSAGE_VALUES:
                words.problem = f"it sent a message of more than {MAX_MESSAGE_VALUES} values, which is the limit"
                return
            try:
                message = _message(line)
            except ValueError:
                noise += len(line) + LINE_BYTES
                if noise > MAX_NOISE_BYTES:
                    words.problem = f"it printed {MAX_NOISE_BYTES} bytes that are not messages, which is the limit"
                    return
                continue
            noise = 0
            if isinstance(message, _ANSWERS) and message.id in asked:
                asked.discard(message.id)
                unasked = 0
            else:
                if time.monotonic() - since > UNASKED_S:
                    since, unasked = time.monotonic(), 0
                unasked += len(line) + LINE_BYTES
                if unasked > MAX_UNASKED_BYTES:
                    words.problem = (
                        f"it sent {MAX_UNASKED_BYTES} bytes of messages within {UNASKED_S:.0f} s that answer no "
                        "request, which is the limit"
                    )
                    return
            await to_session.send(SessionMessage(message))


def _message(line: bytes) -> Any:
    """The message of a line. Broken characters become U+FFFD. Raises ValueError for a line that is not a message."""
    read = mcp_types.jsonrpc_message_adapter.validate_json
    try:
        return read(line, by_name=False)
    except ValueError:
        mended = _ESCAPE.sub(
            lambda found: rb"\ufffd" if found[1] else found[0], line.decode("utf-8", "replace").encode()
        )
        if mended == line:
            raise
        return read(mended, by_name=False)


async def _tell(program: Program, from_session: Any, to_session: Any, asked: set[str | int]) -> None:
    try:
        async for sent in from_session:
            if isinstance(sent.message, mcp_types.JSONRPCRequest):
                asked.add(sent.message.id)
            line = sent.message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
            program.stdin.write(line.encode())
            await program.stdin.drain()
    except (OSError, anyio.ClosedResourceError):
        to_session.close()  # the session learns that the connection has ended


async def _note(program: Program, words: Words) -> None:
    while piece := await program.stderr.read(_PAUSE_BYTES):
        words.add(piece)
