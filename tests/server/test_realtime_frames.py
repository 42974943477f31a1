"""No frame has more than 1 MiB, whatever tools return and clients send: some clients close the connection at it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from support.realtime_agent import time_in
from support.realtime_client import realtime_client
from support.server import KEY, Running, running_server

from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.server.realtime.shortening import shortened, size
from agentaudio.server.settings import ServerSettings
from agentaudio.tools.tool import tool

LONG = 100_000


@tool
def archive(city: str) -> str:
    """Everything about a city."""
    return "Kyōto\n" * (LONG // 6)


@tool
def noise(city: str) -> str:
    """What a broken service says about a city."""
    return "\x01" * LONG


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    def calls(*names: str) -> dict[str, Any]:
        return {"calls": [{"name": name, "arguments": {"city": "Tokyo"}} for name in names]}

    script: list[Any] = [
        calls("time_in"),
        calls(*["archive"] * 30),
        *[calls(*["noise"] * 30)] * 2,
        "Much is known.",
        "Hello.",
    ]
    agent = Agent(Scripted(script), tools=[time_in, archive, noise], voices=None)
    with running_server(agent, ServerSettings(keys=(KEY,))) as running:
        yield running


@pytest.mark.parametrize("path", ("/v1/realtime?model=m", "/v1/realtime?model=m&agentaudio=1"))
async def test_a_client_outlives_many_tools_that_return_much(server: Running, path: str) -> None:
    async with realtime_client(server.port, path=path) as client:
        await client.write("Tell me everything.")
        response = await client.responded(output_modalities=["text"])
        assert response["status"] == "completed"
        runs = response["agentaudio"]["tools"]
        assert runs[0]["result"]["text"] == "nine o'clock"
        assert [run["status"] for run in runs] == ["done"] * len(runs) and len(runs) >= 3
        assert runs[1]["result"]["text"].startswith("Kyōto\nKyōto\n")
        assert runs[-1]["result"]["text"].endswith("…")
        await client.write("hello")
        assert (await client.responded(output_modalities=["text"]))["status"] == "completed"


async def test_an_item_of_several_long_sounds_can_be_retrieved(server: Running) -> None:
    sound = base64.b64encode(b"\x01\x02" * 300_000).decode()
    async with realtime_client(server.port) as client:
        for number in range(3):
            content = [{"type": "input_audio", "audio": sound}] * (number + 1)
            item = {"id": f"i{number}", "type": "message", "role": "user", "content": content}
            await client.send("conversation.item.create", item=item)
            await client.send("conversation.item.retrieve", item_id=f"i{number}")
            found = (await client.until("conversation.item.retrieved"))["item"]["content"]
            assert len(found) == number + 1 and found[0]["audio"]
            assert all("audio" not in part for part in found[1:])


async def test_settings_without_effect_do_not_grow_update_by_update(server: Running) -> None:
    async with realtime_client(server.port) as client:
        for number in range(20):
            transcription = {"model": "whisper-1", f"field{number}": "x" * 2_000}
            await client.send("session.update", session={"audio": {"input": {"transcription": transcription}}})
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"]) == ("string_above_max_length", "session.audio.input.transcription")
        session = await client.update(instructions="on")
        assert len(str(session["audio"]["input"]["transcription"])) < 12_000


@pytest.mark.parametrize("most", (0, 1, 10, 50, 100, 1_000))
def test_what_is_shortened_keeps_its_beginning_and_fits(most: int) -> None:
    value: Any = {"name": "archive", "lines": ["東京" * 10, {"n": [1.5, None, True]}, "b" * 100], "end": "é" * 50}
    found = shortened(value, most)
    assert size(found, 10_000) <= most + 100
    assert list(found) == list(value)[: len(found)]
    if size(value, 10_000) <= most:
        assert found is value
