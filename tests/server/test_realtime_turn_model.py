"""The turn model of Realtime sessions, against a real server."""

from __future__ import annotations

from typing import Any

import pytest
from support.live_room import GivenJudgement
from support.realtime_agent import talker
from support.realtime_client import realtime_client
from support.server import KEY, running_server

from agentaudio.server.settings import ServerSettings


@pytest.mark.parametrize(("detection", "is_asked"), [({"type": "semantic_vad"}, True), ({"type": "server_vad"}, False)])
async def test_the_turn_model_is_asked_under_semantic_vad_alone(detection: dict[str, Any], is_asked: bool) -> None:
    model = GivenJudgement(0.99)
    with running_server(talker(), ServerSettings(keys=(KEY,), turn_model=model)) as server:
        async with realtime_client(server.port) as client:
            await client.update(audio={"input": {"turn_detection": detection}})
            await client.ask(speed=4.0)
            await client.until("input_audio_buffer.committed")
            assert not client.wrong
    assert bool(model.asked) == is_asked
