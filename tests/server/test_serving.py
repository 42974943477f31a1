"""The server as a whole: keys, errors, bounds, health, and its command."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.rehearsed import Rehearsed
from support.server import KEY, OTHER_KEY, Running, running_server, server_process

from agentaudio.agent import Agent
from agentaudio.cli.agent_options import AgentOptions
from agentaudio.cli.serve import serve
from agentaudio.errors import OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.server.settings import ServerSettings


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
        for base in ("/v1", "/kokoro/v1"):  # readers that let people choose a model of speech send no key
            assert stranger.get(f"{base}/audio/models").json()["models"] == [{"id": "scripted", "name": "scripted"}]
    assert client.get("/v1/models").json()["data"][0]["id"] == "scripted"
    assert client.get("/v1/models/gpt-5").json()["error"]["code"] == "model_not_found"


def test_errors_of_the_framework_have_the_shape_of_the_protocol(client: httpx2.Client) -> None:
    for answer in (client.get("/nowhere"), client.delete("/v1/models")):
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert client.get("/nowhere").status_code == 404
    assert client.delete("/v1/models").status_code == 405


ORIGIN = {"origin": "https://evil.example"}


SENT_BY_SDKS = (
    "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-retry-count",
    "authorization,content-type,x-openai-agents-sdk",
    "authorization,content-type,openai-beta,x-agentaudio",
)
"""Headers for which browsers ask before openai's client for JavaScript and @openai/agents may send a request."""


def test_pages_of_other_origins_are_refused_unless_they_are_allowed(client: httpx2.Client) -> None:
    assert client.get("/v1/models", headers=ORIGIN).json()["error"]["code"] == "wrong_origin"
    preflight = {**ORIGIN, "access-control-request-method": "POST"}
    refused = client.options("/v1/chat/completions", headers=preflight)
    assert refused.status_code >= 400 and "access-control-allow-origin" not in refused.headers
    own = {"origin": str(client.base_url).rstrip("/")}
    assert client.get("/v1/models", headers=own).status_code == 200
    friendly = ServerSettings(keys=(KEY,), origins=("https://evil.example",))
    with running_server(Agent(Scripted(["Hi."])), friendly) as other:
        answer = httpx2.options(f"{other.url}/v1/chat/completions", headers=preflight)
        assert answer.headers["access-control-allow-origin"] == "https://evil.example"
        key = {"authorization": f"Bearer {KEY}"}
        allowed = httpx2.get(f"{other.url}/v1/models", headers=ORIGIN | key)
        assert allowed.headers["access-control-allow-origin"] == "https://evil.example"
        for sent in SENT_BY_SDKS:
            asked = preflight | {"access-control-request-headers": sent}
            answer = httpx2.options(f"{other.url}/v1/realtime/calls", headers=asked)
            assert answer.status_code == 200
            assert set(sent.split(",")) <= set(answer.headers["access-control-allow-headers"].split(","))
        assert "location" in allowed.headers["access-control-expose-headers"].lower()


def test_a_server_without_keys_answers_only_under_loopback_names() -> None:
    with running_server(Agent(Scripted(["Hi."])), ServerSettings()) as server:
        assert httpx2.get(f"{server.url}/v1/models").status_code == 200
        rebound = httpx2.get(f"{server.url}/v1/models", headers={"host": "evil.example"})
        assert (rebound.status_code, rebound.json()["error"]["code"]) == (403, "wrong_host")


def test_requests_sessions_and_sound_are_limited_for_each_key() -> None:
    settings = ServerSettings(keys=(KEY, OTHER_KEY), requests_per_minute=3, sessions=1, sound_s_per_minute=0.5)
    one, other = ({"authorization": f"Bearer {key}"} for key in (KEY, OTHER_KEY))
    body = {"messages": [{"role": "user", "content": "long"}], "stream": True}
    spoken = {"messages": [{"role": "user", "content": "hi"}], "modalities": ["text", "audio"]}
    with running_server(Agent(Rehearsed()), settings) as server, httpx2.Client(base_url=server.url) as client:
        with client.stream("POST", "/v1/chat/completions", json=body, headers=one) as running:
            chunks = running.iter_bytes()
            next(chunks)
            second = client.post("/v1/chat/completions", json=body, headers=one)
            assert (second.status_code, second.json()["error"]["code"]) == (429, "too_many_sessions")
            assert client.post("/v1/chat/completions", json=spoken, headers=other).status_code == 200
        silenced = client.post("/v1/chat/completions", json=spoken, headers=other)
        assert silenced.status_code == 429 and "seconds of sound" in silenced.json()["error"]["message"]
        assert client.get("/v1/models", headers=one).status_code == 200
        limited = client.get("/v1/models", headers=one)
        assert limited.json()["error"]["type"] == "rate_limit_error" and int(limited.headers["retry-after"]) > 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(chunked: bool) -> None:
    settings = ServerSettings(keys=(KEY,), body_bytes=100_000)
    with running_server(Agent(Scripted(["Hi."])), settings) as server:
        content: Any = (bytes(10_000) for _ in range(11)) if chunked else bytes(100_001)
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        answer = httpx2.post(f"{server.url}/v1/chat/completions", content=content, headers=headers)
        assert answer.status_code == 413 and answer.json()["error"]["code"] == "request_too_large"


def test_a_body_that_does_not_arrive_ends_the_request() -> None:
    with running_server(Agent(Scripted(["Hi."])), ServerSettings(keys=(KEY,), stalled_s=0.3)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n"
            line.sendall(f"{head}content-type: application/json\r\ncontent-length: 50\r\n\r\n{{".encode())
            assert line.recv(1_000).startswith(b"HTTP/1.1 408")


def test_keys_and_texts_that_no_server_can_use_are_refused_when_it_starts() -> None:
    with pytest.raises(OptionError, match="at least 16"):
        ServerSettings(keys=("short",))
    with pytest.raises(OptionError, match="sessions is 0"):
        ServerSettings(sessions=0)
    assert KEY not in repr(ServerSettings(keys=(KEY,)))


def test_metrics_count_routes_and_sound_but_hold_no_content(server: Running, client: httpx2.Client) -> None:
    client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "xylophone"}]})
    text = client.get("/metrics").text
    assert 'agentaudio_requests_total{route="/v1/chat/completions",status="200"}' in text
    assert "agentaudio_sessions 0.0" in text and "xylophone" not in text and KEY not in text
    assert httpx2.get(f"{server.url}/metrics").status_code == 401


@pytest.mark.system
def test_sigterm_lets_an_answer_that_has_begun_come_to_its_end(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(["one two three four five six seven eight nine ten"]))
    body = {"messages": [{"role": "user", "content": "xylophone"}], "stream": True}
    headers = {"authorization": f"Bearer {KEY}"}
    options = ("--model", f"scripted:{script}", "--option", "delay_s=0.1", "--log", "--limit", "drain_s=20")
    with server_process(*options) as server:
        with httpx2.stream("POST", f"{server.url}/v1/chat/completions", json=body, headers=headers) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.process.send_signal(signal.SIGTERM)
            events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        words = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
        assert words == "one two three four five six seven eight nine ten"
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{server.url}/healthz")
        _, log = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    requests = [json.loads(line) for line in log.splitlines() if "request_id" in line]
    assert [(one["route"], one["status"]) for one in requests] == [("/v1/chat/completions", 200)]
    assert "xylophone" not in log and "seven" not in log and KEY not in log


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--host", "0.0.0.0"), "no key is set"),
        (("--limit", "sesions=3"), "did you mean 'sessions'"),
        (("--limit", "sessions=many"), "give a number"),
        (("--voice-name", "alloy"), "is not NAME=VALUE"),
        (("--tls-cert", "nowhere.pem"), "there is no file"),
    ],
)
def test_the_command_refuses_what_cannot_be_served(options: tuple[str, ...], problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        serve(agent_options=AgentOptions(model="scripted"), **_arguments(options))


def _arguments(options: tuple[str, ...]) -> dict[str, Any]:
    name, value = options[0].removeprefix("--").replace("-", "_"), options[1]
    return {name: {"host": value, "tls_cert": Path(value)}.get(name, (value,))}
