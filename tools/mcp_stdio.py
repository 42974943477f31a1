"""`program_streams`: the messages of an MCP server that is a program, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentaudio.errors import MissingExtra
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
from agentaudio.tools.program import Program

try:
    import anyio
    from mcp import types as mcp_types
    from mcp.shared.message import SessionMessage
except ImportError as error:
    raise MissingExtra("a tool of an MCP server", "mcp") from error

EXIT_S = 2.0
"""Time for a server to end by itself once its input is closed."""
_PAUSE_BYTES = 65_536


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
    works = (_hear(program, to_session, words), _tell(program, from_session, to_session), _note(program, words))
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


async def _hear(program: Program, to_session: Any, words: Words) -> None:
    noise = since_pause = 0
    with to_session, contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        while True:
            try:
                line = await program.stdout.readline()
            except ValueError:
                words.problem = TOO_LONG
                return
            if not line:
                return
            since_pause += len(line)
            if since_pause > _PAUSE_BYTES:
                since_pause = 0
                await asyncio.sleep(0)  # reading buffered lines does not let other servers go on
            if too_many_values(line):
                words.problem = TOO_MANY_VALUES
                return
            try:
                message = _message(line)
            except ValueError:
                noise += len(line) + LINE_BYTES
                if noise > MAX_NOISE_BYTES:
                    words.problem = TOO_MUCH_NOISE
                    return
                continue
            noise = 0
            await to_session.send(SessionMessage(message))


def _message(line: bytes) -> Any:
    """The message of a line. Broken characters become U+FFFD. Raises ValueError for a line that is not a message."""
    read = mcp_types.jsonrpc_message_adapter.validate_json
    try:
        return read(line, by_name=False)
    except ValueError:
        if (whole := mended(line)) == line:
            raise
        return read(whole, by_name=False)


async def _tell(program: Program, from_session: Any, to_session: Any) -> None:
    try:
        async for sent in from_session:
            line = sent.message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
            program.stdin.write(line.encode())
            await program.stdin.drain()
    except (OSError, anyio.ClosedResourceError):
        to_session.close()  # the session learns that the connection has ended


async def _note(program: Program, words: Words) -> None:
    while piece := await program.stderr.read(_PAUSE_BYTES):
        words.add(piece)
