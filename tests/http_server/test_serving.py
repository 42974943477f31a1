"""The server as a whole: keys, errors, bounds, health, and its command."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from support.server import KEY, Running, running_server, server_process

from agentaudio.agent import Agent
from agentaudio.model.scripted import Scripted


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(Agent(Scripted(["Hello there."], loop=True))) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        yield client


def test_health_needs_no_key_and_models_need_one(server: Running, client: httpx2.Client) -> None:
    with httpx2.Client(base_url=server.url) as stranger:
        assert stranger.get("/healthz").json() == {"status": "ok"}
        refused = stranger.get("/v1/models")
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert stranger.get("/v1/models", headers={"authorization": f"Bearer {KEY}x"}).status_code == 401
    assert client.get("/v1/models").json()["data"][0]["id"] == "scripted"
    assert client.get("/v1/models/gpt-5").json()["error"]["code"] == "model_not_found"


def test_errors_of_the_framework_have_the_shape_of_the_protocol(client: httpx2.Client) -> None:
    for answer in (client.get("/nowhere"), client.delete("/v1/models")):
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert client.get("/nowhere").status_code == 404
    assert client.delete("/v1/models").status_code == 405


def test_the_command_serves_until_it_is_stopped() -> None:
    with server_process("--model", "scripted") as process:
        answer = httpx2.get(f"{process.url}/v1/models", headers={"authorization": f"Bearer {KEY}"})
        assert answer.json()["data"][0]["id"] == "scripted"
    assert process.process.returncode == 0
