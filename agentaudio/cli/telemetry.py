"""Tracing of `agentaudio serve`, switched on and set up by OpenTelemetry's environment variables."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from agentaudio.agent import Agent
from agentaudio.errors import MissingExtra, OptionError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

SWITCHES = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables that switch tracing on."""
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class Joined:
    """Middleware: what a request begins belongs to the trace that its headers name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from opentelemetry.context import attach, detach
        from opentelemetry.propagate import extract

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        token = attach(extract(headers))
        try:
            await self._app(scope, receive, send)
        finally:
            detach(token)


@asynccontextmanager
async def traced(agent: Agent, app: Starlette | None = None) -> AsyncGenerator[None, None]:
    """Trace an agent as the environment says, by OTLP over HTTP; without a word of it, not at all.

    app: its server, whose turns go on with the traces of the requests (W3C Trace Context)

    Raises MissingExtra without the extra `tracing`, and OptionError for another exporter or protocol.
    """
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp" if any(map(os.environ.get, SWITCHES)) else "none")
    if exporter == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        yield
        return
    if exporter != "otlp":
        raise OptionError(f"OTEL_TRACES_EXPORTER is {exporter:.100}; agentaudio sends spans by otlp, or none")
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if os.environ.get(variable, "http/protobuf") != "http/protobuf":
            raise OptionError(f"{variable} is {os.environ[variable]:.100}; agentaudio sends spans by http/protobuf")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from agentaudio.tracing import flush_spans, trace
    except ImportError as error:
        raise MissingExtra(f"tracing, which {', '.join(SWITCHES)} switch on,", "tracing") from error
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": "agentaudio"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace(agent, content=os.environ.get(CONTENT, "").lower() in ("true", "span_only"), provider=provider)
    if app is not None:
        app.add_middleware(Joined)
    try:
        yield
    finally:
        await asyncio.to_thread(flush_spans)
        await asyncio.to_thread(provider.shutdown)
