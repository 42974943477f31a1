"""Spans of turns are made by a thread after the turn, or sooner when somebody needs them."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from agentaudio import Agent, tool
from agentaudio.conversation import ToolCall
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.tracing import flush_spans, trace

pytest.importorskip("opentelemetry.sdk", reason="needs the extra 'tracing'")

from opentelemetry import trace as api
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from agentaudio import span_writer

AT_EXIT = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.tracing import trace

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
agent = Agent(Scripted(["Hello."]))
trace(agent, name="doorman", provider=provider)
agent.run_sync("go")
"""


class Seen(SpanProcessor):
    """What happened to spans, and in which threads."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: object = None) -> None:
        self.made.append((span.name, threading.current_thread().name))

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.ended if span.name == name]
        return found


def calling(name: str) -> Scripted:
    return Scripted([[CallDelta(ToolCall("1", name, {}))], [TextDelta("Done.")]])


def seen_by(agent: Agent, provider: TracerProvider | None = None) -> Seen:
    seen, provider = Seen(), provider or TracerProvider()
    provider.add_span_processor(seen)
    trace(agent, name="doorman", provider=provider)
    return seen


async def test_the_event_loop_makes_no_span_that_nobody_needs() -> None:
    @tool
    async def idle() -> str:
        """Do nothing."""
        return "done"

    agent = Agent(calling("idle"), tools=[idle])
    seen = seen_by(agent)
    await agent.run("go")
    assert flush_spans()
    assert {name for name, _ in seen.made} == {"invoke_agent doorman", "chat scripted", "execute_tool idle"}
    assert threading.current_thread().name not in {thread for _, thread in seen.made}


async def test_a_span_that_a_tool_asks_for_is_the_one_that_is_exported() -> None:
    found: list[int] = []

    @tool
    def threaded() -> str:
        """Write to the current span, in a thread."""
        span = api.get_current_span()
        span.set_attribute("mine", 5)
        span.add_event("seen")
        found.append(span.get_span_context().span_id)
        return "done"

    agent = Agent(calling("threaded"), tools=[threaded])
    seen = seen_by(agent)
    await agent.run("go")
    assert flush_spans()
    span, root = seen.span("execute_tool threaded"), seen.span("invoke_agent doorman")
    assert span.context is not None and root.context is not None and span.parent is not None
    assert [span.context.span_id] == found and span.parent.span_id == root.context.span_id
    assert span.attributes is not None and span.attributes["mine"] == 5
    assert span.attributes["agentaudio.tool.status"] == "done" and [event.name for event in span.events] == ["seen"]
    assert len(seen.ended) == len(seen.made) == 4


async def test_a_trace_that_is_not_sampled_stays_so() -> None:
    agent = Agent(Scripted(["Hello."]))
    seen = seen_by(agent, TracerProvider(sampler=ParentBased(ALWAYS_OFF)))
    await agent.run("go")
    assert flush_spans() and not seen.ended


async def test_a_processor_that_fails_costs_that_span_alone(caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.name.startswith("chat"):
                raise ValueError("broken")

    agent, provider = Agent(Scripted(["Hello."])), TracerProvider()
    provider.add_span_processor(Breaks())
    seen = seen_by(agent, provider)
    await agent.run("go")
    assert flush_spans()
    assert [span.name for span in seen.ended] == ["invoke_agent doorman"]
    assert [record.message for record in caplog.records] == ["a span is lost"]


async def test_spans_that_nobody_takes_in_time_are_dropped_with_one_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            goes_on.wait(30)

    goes_on, agent, provider = threading.Event(), Agent(Scripted(["Hello."], loop=True)), TracerProvider()
    provider.add_span_processor(Stuck())
    seen = seen_by(agent, provider)
    monkeypatch.setattr(span_writer, "MOST_WAITING", 4)
    for _ in range(12):
        await agent.run("go")
    goes_on.set()
    assert flush_spans() and 4 <= len([span for span in seen.ended if span.name == "invoke_agent doorman"]) < 12
    assert len([record for record in caplog.records if record.message.startswith("spans are lost")]) == 1


def test_a_program_that_ends_right_after_a_turn_exports_its_spans() -> None:
    done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True, timeout=60, check=True)
    assert "invoke_agent doorman" in done.stdout and "chat scripted" in done.stdout
