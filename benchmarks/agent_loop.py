"""Overhead of the agent loop, measured with a scripted model that answers instantly.

    python benchmarks/agent_loop.py [--json FILE]

Targets: a median of at most 3 ms for a turn with two tool calls, and 0.5 ms more with tracing; 200 simultaneous turns
without an error; schemas for 100 tools in under 300 ms; `import agentaudio` in under 200 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from report import publish

from agentaudio import Agent, tool
from agentaudio.conversation import ToolCall
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.tracing import trace

TURNS = 500
CROWD = 200
TOOLS = 100

# Run in a fresh interpreter: the first tool imports the docstring parser, and that time is included.
MANY_TOOLS = f"""
import time
from typing import Literal
from pydantic import BaseModel
from agentaudio import tool

class Place(BaseModel):
    city: str
    country: str = "CN"

def make(number):
    def function(place: Place, kind: Literal["a", "b"], times: int = 3, words: list[str] | None = None) -> str:
        \"\"\"Do something somewhere.

        Args:
            place: where
            times: how often
        \"\"\"
        return ""
    function.__name__ = f"tool_{{number}}"
    return function

functions = [make(number) for number in range({TOOLS})]
begun = time.perf_counter()
schemas = [tool(function).parameters for function in functions]
print(time.perf_counter() - begun)
"""


@tool
async def instant(x: int) -> str:
    """Does nothing."""
    return str(x)


async def fine(text: str) -> None:
    """A check that finds nothing."""


def make_agent(**settings: Any) -> Agent:
    calls = [CallDelta(ToolCall(f"c{i}", "instant", {"x": i})) for i in range(2)]
    return Agent(Scripted([calls, [TextDelta("Done.")]]), tools=[instant], **settings)


def make_traced() -> Agent:
    """An agent whose spans are sampled and dropped in batches, as an exporter without delay would."""

    class Drops(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Drops()))
    agent = make_agent()
    trace(agent, provider=provider)
    return agent


async def one_by_one(agent: Agent) -> list[float]:
    await agent.run("warm up")
    seconds = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        await agent.run("go")
        seconds.append(time.perf_counter() - begun)
    return seconds


async def crowd(agent: Agent) -> int:
    replies = await asyncio.gather(*(agent.run("go") for _ in range(CROWD)), return_exceptions=True)
    return sum(isinstance(reply, BaseException) for reply in replies)


def cold_import(code: str) -> float:
    """Median seconds that `code` takes in fresh interpreters, without their start-up."""
    return fresh(f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)")


def fresh(program: str) -> float:
    """Median of the seconds that `program` prints, over 7 fresh interpreters."""
    return statistics.median(float(subprocess.check_output([sys.executable, "-c", program])) for _ in range(7))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    agent = make_agent()
    seconds = asyncio.run(one_by_one(agent))
    traced = asyncio.run(one_by_one(make_traced()))
    checked = asyncio.run(one_by_one(make_agent(input_checks=[fine], output_checks=[fine])))
    publish(
        "agent loop",
        {
            "turn_two_calls_ms_p50": round(1000 * statistics.median(seconds), 3),
            "turn_two_calls_ms_p95": round(1000 * statistics.quantiles(seconds, n=20)[-1], 3),
            "traced_turn_ms_p50": round(1000 * statistics.median(traced), 3),
            "checked_turn_ms_p50": round(1000 * statistics.median(checked), 3),
            "crowd_turns": CROWD,
            "crowd_errors": asyncio.run(crowd(agent)),
            "schemas_of_100_tools_ms": round(1000 * fresh(MANY_TOOLS), 1),
            "import_agentaudio_ms": round(1000 * cold_import("import agentaudio"), 1),
            "import_agent_ms": round(1000 * cold_import("from agentaudio import Agent, tool"), 1),
        },
        arguments.json,
    )


if __name__ == "__main__":
    main()
