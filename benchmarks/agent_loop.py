"""Overhead of the agent loop, measured with a scripted model that answers instantly.

    python benchmarks/agent_loop.py [--json FILE] [--trace | --no-trace] [--store | --no-store]

A turn has two tool calls. `turn` is the time until its reply, `loop` the time of the event loop's thread, in which no
other session can run: a stored turn waits longer, until another thread has written it, and a third makes the spans of a
turn that has ended. Each kind of turn is run in rotation, so that all meet the same load; `quickest` is the 5th
percentile, which other programs disturb least. `cpu` is the time of all threads, what is done after the turn included;
it is the mean of turns that follow each other. `in_a_row` are the times of those, as of `turn_two_calls`: the others
come after a pause, or after turns of other kinds, and find the processor's caches cold, which takes more time than
storing and tracing. `sdk_spans` is OpenTelemetry alone: as many spans as a turn has, with as
many attributes. All of that is measured in asyncio's event loop, and then (`uvloop_...`) in uvloop's, in which
`agentaudio serve` runs, where it is installed.

Targets: a median of at most 0.5 ms for a turn; 200 simultaneous turns without an error; schemas for 100 tools in under
300 ms; `import agentaudio` in under 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer, set_span_in_context
from report import machine, publish

from agentaudio import Agent, SqliteStore, tool
from agentaudio.conversation import ToolCall
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.tracing import flush_spans, trace

TURNS = 500
WARM_UP = 20
PAUSE_S = 0.025
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

COUNT_MODULES = "import sys; before = len(sys.modules); import agentaudio; print(len(sys.modules) - before)"


@tool
async def instant(x: int) -> str:
    """Does nothing."""
    return str(x)


async def fine(text: str) -> None:
    """A check that finds nothing."""


def make_agent(**settings: Any) -> Agent:
    calls = [CallDelta(ToolCall(f"c{i}", "instant", {"x": i})) for i in range(2)]
    return Agent(Scripted([calls, [TextDelta("Done.")]]), tools=[instant], **settings)


class Drops(SpanExporter):
    """Takes spans without delay."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def make_provider() -> TracerProvider:
    """All spans are sampled, and exported in batches."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Drops()))
    return provider


def make_traced() -> Agent:
    agent = make_agent()
    trace(agent, provider=make_provider())
    return agent


def sdk_spans(tracer: Tracer) -> None:
    """The spans of a turn with two calls, made by OpenTelemetry alone."""
    now = time.time_ns()
    turn = tracer.start_span("turn", attributes=dict.fromkeys("abcdefg", "x"), start_time=now)
    inside = set_span_in_context(turn)
    for name, attributes in (("chat", "abcdef"), ("tool", "abcde"), ("tool", "abcde"), ("chat", "abcdef")):
        span = tracer.start_span(name, inside, attributes=dict.fromkeys(attributes, "x"), start_time=now)
        span.set_attributes(dict.fromkeys("uv" if name == "chat" else "u", "x"))
        span.end(now)
    turn.set_attributes(dict.fromkeys("uvwxyz", "x"))
    turn.end(now)


class Timed:
    """The times of one kind of turn, in seconds: on the clock, and of the thread."""

    def __init__(self) -> None:
        self._turns: list[float] = []
        self._loop: list[float] = []

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        begun, worked = time.perf_counter(), time.thread_time()
        yield
        self._loop.append(time.thread_time() - worked)
        self._turns.append(time.perf_counter() - begun)

    def figures(self, name: str) -> dict[str, float]:
        figures = {}
        for what, seconds in (("turn", self._turns), ("loop", self._loop)):
            shares = statistics.quantiles(seconds[WARM_UP:], n=20)
            figures[f"{name}_{what}_ms_p50"] = round(1000 * statistics.median(seconds[WARM_UP:]), 3)
            figures[f"{name}_{what}_ms_quickest"] = round(1000 * shares[0], 3)
        return figures


async def compared(folder: Path, *, traces: bool, stores: bool) -> dict[str, float]:
    """The times of turns, each the first of its session, which is opened before."""
    plain, traced = make_agent(), make_traced()
    checked = make_agent(input_checks=[fine], output_checks=[fine])
    agents: dict[str, Agent] = {"plain": plain, "checked": checked} | ({"traced": traced} if traces else {})
    stored = ({"stored": plain} if stores else {}) | ({"stored_traced": traced} if stores and traces else {})
    times = {name: Timed() for name in (*agents, *stored, "sdk_spans")}
    tracer = make_provider().get_tracer("benchmark")
    async with SqliteStore(folder / "talks.sqlite3") as store:
        for number in range(WARM_UP + TURNS):
            for name, agent in agents.items():
                session = agent.session(plays=False)
                with times[name].turn():
                    await session.run("go")
            flush_spans()  # so that no other kind of turn meets the thread that makes them
            await plain.session(plays=False).run("go")
            for name, agent in stored.items():
                session = await store.session(agent, f"{name} {number}", plays=False)
                with times[name].turn():
                    await session.run("go")
                await store.leave(f"{name} {number}")
                await asyncio.sleep(PAUSE_S)  # what was stored is flushed meanwhile
                await plain.session(plays=False).run("go")  # and the next turn finds the processor's caches warm
            with times["sdk_spans"].turn():
                sdk_spans(tracer)
        following = [await in_a_row(name, agent, None) for name, agent in agents.items()]
        following += [await in_a_row(name, agent, store) for name, agent in stored.items()]
    figures = {key: value for name, one in times.items() for key, value in one.figures(name).items()}
    return figures | {key: value for one in following for key, value in one.items()}


async def in_a_row(kind: str, agent: Agent, store: SqliteStore | None) -> dict[str, float]:
    """Times of turns that follow each other, each the first of its session, which is opened before."""
    names = [f"cpu of {id(agent)}, {number}" for number in range(TURNS)]
    if store is None:
        sessions = [agent.session(plays=False) for _ in names]
    else:
        sessions = [await store.session(agent, name, plays=False) for name in names]
    times = Timed()
    begun = time.process_time()
    for session in sessions:
        with times.turn():
            await session.run("go")
    flush_spans()
    await asyncio.sleep(PAUSE_S)
    worked_s = time.process_time() - begun
    if store is not None:
        for name in names:
            await store.leave(name)
    return times.figures(f"{kind}_in_a_row") | {f"{kind}_cpu_ms": round(1000 * worked_s / TURNS, 3)}


def runners() -> dict[str, Callable[[Coroutine[Any, Any, Any]], Any]]:
    """What runs a coroutine, by the prefix of its figures."""
    try:
        import uvloop
    except ImportError:
        return {"": asyncio.run}
    return {"": asyncio.run, "uvloop_": uvloop.run}


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
    parser.add_argument("--trace", action=argparse.BooleanOptionalAction, default=True, help="also traced turns")
    parser.add_argument("--store", action=argparse.BooleanOptionalAction, default=True, help="also stored turns")
    arguments = parser.parse_args()
    agent = make_agent()
    seconds = asyncio.run(one_by_one(agent))
    kinds: dict[str, float] = {}
    for prefix, run in runners().items():
        with tempfile.TemporaryDirectory() as folder:
            found = run(compared(Path(folder), traces=arguments.trace, stores=arguments.store))
        kinds |= {f"{prefix}{name}": value for name, value in found.items()}
    publish(
        "agent loop",
        {
            "turn_two_calls_ms_p50": round(1000 * statistics.median(seconds), 3),
            "turn_two_calls_ms_p95": round(1000 * statistics.quantiles(seconds, n=20)[-1], 3),
            **kinds,
            "crowd_turns": CROWD,
            "crowd_errors": asyncio.run(crowd(agent)),
            "schemas_of_100_tools_ms": round(1000 * fresh(MANY_TOOLS), 1),
            "import_agentaudio_ms": round(1000 * cold_import("import agentaudio"), 1),
            "import_agentaudio_modules": int(fresh(COUNT_MODULES)),
            "import_agent_ms": round(1000 * cold_import("from agentaudio import Agent, tool"), 1),
        }
        | machine(),
        arguments.json,
    )


if __name__ == "__main__":
    main()
