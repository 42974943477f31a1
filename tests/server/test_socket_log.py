"""What the log and the counters of the server say of conversations over WebSockets."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from support.realtime_client import realtime_client
from support.server import KEY, Running, running_server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server.log import ServerLog


@pytest.fixture
def server() -> Iterator[Running]:
    with running_server(Agent(Scripted(["Hello."], loop=True), voices=None)) as running:
        yield running


@contextlib.contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """The lines of the log, once the block has ended."""
    logger, stream, lines = logging.getLogger("agentaudio.server"), io.StringIO(), list[dict[str, Any]]()
    handler, before = ServerLog(stream), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        lines += [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_conversation_and_a_refused_one_are_logged_and_counted_without_content(server: Running) -> None:
    with logged() as lines:
        async with realtime_client(server.port, path="/v1/realtime?model=m&user=xylophone") as client:
            await client.write("xylophone")
            await client.responded()
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{server.port}/realtime?user=xylophone"):
                pass
        counts = ""
        while 'route="/v1/realtime",status="101"' not in counts:  # a conversation ends after its client
            counts = httpx2.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {KEY}"}).text
    sockets = [line for line in lines if line.get("method") == "WEBSOCKET"]
    assert {(line["route"], line["status"], line["caller"] is None) for line in sockets} == {
        ("/v1/realtime", 101, False), ("/realtime", 401, True),
    }  # fmt: skip
    assert all(line["ms"] > 0 and line["request_id"].startswith("req_") for line in sockets)
    assert 'agentaudio_requests_total{route="/realtime",status="401"} 1.0' in counts
    assert "xylophone" not in json.dumps(lines) + counts and KEY not in json.dumps(lines)
