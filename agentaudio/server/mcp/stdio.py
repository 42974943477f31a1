"""`serve_stdio`: the tools for the program that started this process, over its standard input and output."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from mcp.server.stdio import stdio_server

from agentaudio.agent import Agent
from agentaudio.server.mcp.desk import Bounds, Desk, Report
from agentaudio.server.mcp.protocol import Context, audio_server

log = logging.getLogger(__name__)

MOST_BYTES = 64_000_000
"""Longest message of a client."""
REPORT_S = 5.0
"""Pause between reports while the models are loaded, so that a client does not give a call up."""
_PIECE_BYTES = 65_536


async def serve_stdio(load: Callable[[], Awaitable[Agent]], bounds: Bounds = Bounds()) -> None:
    """Serve until standard input ends. From the first line on, standard output carries the protocol alone: what
    else is printed goes to standard error.

    load: loads the agent, whose models are warmed up while the client may list the tools; it is closed in the end
    """
    async with _lines() as lines, stdio_server(stdin=cast(Any, lines)) as (incoming, outgoing):
        agent = await load()
        warming = asyncio.create_task(agent.warm_up())

        @asynccontextmanager
        async def desk(context: Context) -> AsyncGenerator[Desk, None]:
            await _done(warming, context.session.report_progress)
            yield Desk(agent.setup, bounds)

        server = audio_server(desk, bounds)
        try:
            await server.run(incoming, outgoing, server.create_initialization_options())
        finally:
            warming.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await warming
            await agent.aclose()


async def _done(warming: asyncio.Task[None], report: Report) -> None:
    """Wait until the models are loaded, and tell a client that waits for progress. Raises what loading raises."""
    steps = 0
    while not (await asyncio.wait([warming], timeout=REPORT_S))[0]:
        steps += 1
        await report(steps * 1e-6, None, "loading the model")  # below the progress of the call itself, which follows
    warming.result()


@asynccontextmanager
async def _lines() -> AsyncGenerator[AsyncGenerator[str, None], None]:
    """The lines of standard input, which is empty for everybody else meanwhile, such as programs that are started.

    Read in a daemon thread: one that waits for input cannot be stopped, and must not keep the process from ending.
    """
    source = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes](1)

    def read() -> None:
        content = b"more"
        with suppress(OSError, RuntimeError):  # RuntimeError: the loop has been closed
            while content:
                content = os.read(source, _PIECE_BYTES)
                asyncio.run_coroutine_threadsafe(queue.put(content), loop).result()

    async def lines() -> AsyncGenerator[str, None]:
        waiting = list[bytes]()
        size = 0
        while piece := await queue.get():
            *ended, rest = piece.split(b"\n")
            for end in ended:
                yield b"".join([*waiting, end]).decode("utf-8", "replace")
                waiting, size = [], 0
            waiting.append(rest)
            size += len(rest)
            if size > MOST_BYTES:
                log.error("the client sent a message of more than %d bytes; the connection ends", MOST_BYTES)
                return

    threading.Thread(target=read, daemon=True, name="agentaudio-mcp-input").start()
    try:
        yield lines()
    finally:
        os.dup2(source, 0)
