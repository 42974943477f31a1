"""Tools that block their threads hold up no other conversation of a server."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack

from support.realtime_agent import Talker
from support.realtime_client import realtime_client
from support.server import KEY, running_server

from agentaudio import Agent
from agentaudio.server.settings import ServerSettings
from agentaudio.tools.tool import tool

MANY = 64


async def test_a_user_is_heard_and_answered_while_many_tools_block() -> None:
    running, released = threading.Semaphore(0), threading.Event()

    @tool
    def blocks(city: str) -> str:
        """Wait.

        city: for nothing
        """
        running.release()
        released.wait(60)
        return "done"

    settings = ServerSettings(keys=(KEY,), sessions=MANY + 1)
    with running_server(Agent(Talker(), tools=[blocks]), settings) as server:
        async with AsyncExitStack() as stack:
            waiting = [await stack.enter_async_context(realtime_client(server.port)) for _ in range(MANY)]
            for client in waiting:
                await client.write("call blocks")
                await client.send("response.create")
            for _ in range(MANY):
                assert await asyncio.to_thread(running.acquire, timeout=30)
            async with realtime_client(server.port) as other:
                await other.ask()
                response = await other.done()
            assert response["output"][0]["content"][0]["transcript"] == "I heard you well "
            assert not any(client.of("response.done") for client in waiting)
            released.set()
            for client in waiting:
                assert (await client.done())["status"] == "completed"
