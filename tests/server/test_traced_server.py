"""`agentaudio serve` sends spans by OTLP to the collector that OpenTelemetry's variables name: a real receiver here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from openai import OpenAI
from support.server import KEY, server_process

from agentaudio import Agent
from agentaudio.cli.telemetry import CONTENT, SWITCHES, traced
from agentaudio.errors import OptionError
from agentaudio.model.scripted import Scripted

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra 'tracing'")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
"""The trace of a client's request."""
QUESTION = "what is the password"


class Collector:
    """Receives spans on 127.0.0.1. spans: name, attributes and service of each; traces: their ids"""

    def __init__(self) -> None:
        self.spans: list[tuple[str, dict[str, Any], str]] = []
        self.traces: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") is None and self.path == "/v1/traces":
                    collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            service = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found = {one.key: one.value.string_value for one in span.attributes}
                    self.traces.add(span.trace_id.hex())
                    self.spans.append((span.name, found, service))


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join(10)


@pytest.mark.system
@pytest.mark.parametrize("content", ["", "true"])
def test_a_server_sends_the_spans_of_its_turns(
    collector: Collector, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv(CONTENT, content)
    with server_process("--model", "scripted") as running:
        with OpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0) as client:
            client.chat.completions.create(
                model="x", messages=[{"role": "user", "content": QUESTION}],
                extra_headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
            )  # fmt: skip
    assert sorted(name for name, _, _ in collector.spans) == ["chat scripted", "invoke_agent agentaudio"]
    assert {service for _, _, service in collector.spans} == {"agentaudio"} and collector.traces == {TRACE}
    assert (QUESTION in str(collector.spans)) == bool(content)


@contextmanager
def environment(patch: pytest.MonkeyPatch, **variables: str) -> Iterator[Agent]:
    for name in (*SWITCHES, "OTEL_SDK_DISABLED"):
        patch.delenv(name, raising=False)
    for name, value in variables.items():
        patch.setenv(name, value)
    yield Agent(Scripted(["x"]))


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
    ],
)
async def test_without_a_word_in_the_environment_nothing_is_traced(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with environment(monkeypatch, **variables) as agent:
        async with traced(agent):
            assert agent.setup.watch is None


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is zipkin"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "PROTOCOL is grpc; agentaudio sends"),
    ],
)
async def test_what_it_cannot_send_by_is_refused(
    variables: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with environment(monkeypatch, **variables) as agent, pytest.raises(OptionError, match=problem):
        async with traced(agent):
            pass
