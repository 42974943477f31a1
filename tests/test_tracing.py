"""The turns of an agent as spans of OpenTelemetry."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from support.live_room import RATE, GivenWords, Room
from support.models import calls, scripted

from agentaudio import Agent, Audio, GenerateOptions, Limits, Stop, ToolResult, UsageLimits, tool
from agentaudio.conversation import Passage
from agentaudio.demo.run import questions_folder
from agentaudio.errors import BackendError
from agentaudio.live.latency import LatencyLedger
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import End, TextDelta
from agentaudio.tracing import flush_spans, trace

pytest.importorskip("opentelemetry.sdk", reason="needs the extra 'tracing'")

from opentelemetry import trace as api
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SECRET = "mellon"


class Traced:
    """An agent whose spans are kept."""

    def __init__(self, agent: Agent, *, content: bool = False) -> None:
        self._kept = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.agent = agent
        trace(agent, content=content, name="doorman", provider=self.provider)

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order of their beginning."""
        assert flush_spans()
        return sorted(self._kept.get_finished_spans(), key=lambda span: span.start_time or 0)

    def one(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan, spans: list[ReadableSpan]) -> str | None:
    names = {one.context.span_id: one.name for one in spans if one.context is not None}
    return None if span.parent is None else names[span.parent.span_id]


@tool
def look_up(word: str) -> ToolResult:
    """Look a word up."""
    return ToolResult(f"{word} means friend", passages=(Passage("It means friend.", "Words", "words.md", score=0.5),))


@tool
def break_down() -> str:
    """Break."""
    raise ValueError(f"the {SECRET} is broken")


def talk() -> Agent:
    ask = [*scripted_calls(("look_up", {"word": SECRET})), End("tool_calls", {"input_tokens": 9, "output_tokens": 4})]
    answer = [TextDelta(f"It is {SECRET}."), End(usage={"input_tokens": 20, "output_tokens": 5, "cached_tokens": 8})]
    model = scripted(ask, answer)
    return Agent(model, tools=[look_up], instructions=f"Keep {SECRET}.", options=GenerateOptions(temperature=0.5))


def scripted_calls(*made: tuple[str, dict[str, object]]) -> list[Any]:
    from agentaudio.conversation import ToolCall
    from agentaudio.model.speech_lm import CallDelta

    return [CallDelta(ToolCall(f"call-{n}", name, arguments)) for n, (name, arguments) in enumerate(made)]


async def test_a_turn_is_a_tree_of_the_spans_that_the_conventions_name() -> None:
    traced = Traced(talk())
    reply = await traced.agent.run(f"what is {SECRET}?")
    spans = traced.spans
    assert [(span.name, parent_of(span, spans)) for span in spans] == [
        ("invoke_agent doorman", None),
        ("chat scripted", "invoke_agent doorman"),
        ("execute_tool look_up", "invoke_agent doorman"),
        ("retrieval look_up", "execute_tool look_up"),
        ("chat scripted", "invoke_agent doorman"),
    ]
    root, first, found, search, second = map(attributes, spans)
    assert len({one["gen_ai.conversation.id"] for one in (root, first, found, search, second)}) == 1
    assert root["gen_ai.operation.name"] == "invoke_agent" and root["agentaudio.stop"] == "answered"
    assert root["gen_ai.agent.name"] == "doorman" and root["gen_ai.provider.name"] == "agentaudio"
    assert (root["gen_ai.usage.input_tokens"], root["gen_ai.usage.output_tokens"]) == (29, 9)
    assert first["gen_ai.response.finish_reasons"] == ("tool_calls",) and first["gen_ai.request.temperature"] == 0.5
    assert first["gen_ai.usage.input_tokens"] == 9 and second["gen_ai.usage.cache_read.input_tokens"] == 8
    assert second["gen_ai.request.model"] == "scripted" and second["gen_ai.output.type"] == "speech"
    assert 0 <= second["gen_ai.response.time_to_first_chunk"] < 1
    assert found["gen_ai.tool.name"] == "look_up" and found["agentaudio.tool.status"] == "done"
    assert search["gen_ai.operation.name"] == "retrieval" and search["agentaudio.retrieval.passages"] == 1
    assert root["agentaudio.latency.total_s"] == pytest.approx(reply.timings["total"], abs=0.05)
    assert all(span.end_time >= span.start_time for span in spans)  # type: ignore[operator]


async def test_no_span_holds_a_word_unless_content_is_asked_for() -> None:
    plain, full = Traced(talk()), Traced(talk(), content=True)
    for one in plain, full:
        await one.agent.run(f"what is {SECRET}?")
    assert SECRET not in "".join(span.to_json() for span in plain.spans)
    root, first, found, search, second = map(attributes, full.spans)
    assert json.loads(root["gen_ai.system_instructions"])[0]["content"] == f"Keep {SECRET}."
    asked = json.loads(first["gen_ai.input.messages"])
    assert [one["role"] for one in asked] == ["system", "user"] and asked[1]["parts"][0]["content"].endswith("mellon?")
    (made,) = json.loads(first["gen_ai.output.messages"])
    assert made["parts"][0]["name"] == "look_up" and made["finish_reason"] == "tool_calls"
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"word": SECRET}
    assert f"{SECRET} means friend" in found["gen_ai.tool.call.result"]
    assert json.loads(search["gen_ai.retrieval.documents"]) == [{"id": "words.md", "score": 0.5}]
    assert json.loads(second["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": f"It is {SECRET}."}]
    assert json.loads(first["gen_ai.tool.definitions"])[0]["name"] == "look_up"


async def test_failures_are_recorded_by_their_kind() -> None:
    def breaks(*_: object) -> Any:
        yield TextDelta("Well ")
        raise BackendError(f"no {SECRET}")

    traced = Traced(Agent(scripted(calls(("break_down", {})), breaks), tools=[break_down]))
    with pytest.raises(BackendError):
        await traced.agent.run("go")
    broken, root = traced.one("execute_tool break_down"), traced.one("invoke_agent doorman")
    assert broken.status.status_code is api.StatusCode.ERROR and attributes(broken)["error.type"] == "failed"
    assert root.status.status_code is api.StatusCode.ERROR and attributes(root)["error.type"] == "BackendError"
    assert attributes(traced.spans[-1])["error.type"] == "BackendError" and traced.spans[-1].name == "chat scripted"
    assert SECRET not in "".join(span.to_json() for span in traced.spans)


@pytest.mark.parametrize("stopped", ["check", "limit"])
async def test_a_check_and_a_usage_limit_are_named(stopped: str) -> None:
    def no(text: str) -> Stop:
        return Stop("No.")

    limits = Limits(turn=UsageLimits(requests=0)) if stopped == "limit" else Limits()
    traced = Traced(Agent(Scripted(["Hello."]), limits=limits, output_checks=[no] if stopped == "check" else []))
    await traced.agent.run("go")
    root = attributes(traced.one("invoke_agent doorman"))
    assert root["agentaudio.stopped_by"] == ("no" if stopped == "check" else "requests of the turn")
    assert root["agentaudio.stop"] == ("refused" if stopped == "check" else "usage_limit")


async def test_spans_of_tools_and_of_the_caller_are_in_their_places() -> None:
    @tool
    async def inner() -> str:
        """Make a span."""
        with traced.provider.get_tracer("own").start_as_current_span("own work"):
            await asyncio.sleep(0)
        return "done"

    traced = Traced(Agent(scripted(calls(("inner", {})), "Done."), tools=[inner]))
    with traced.provider.get_tracer("own").start_as_current_span("request"):
        await traced.agent.run("go")
        assert api.get_current_span().get_span_context().is_valid
    spans = traced.spans
    assert parent_of(traced.one("own work"), spans) == "execute_tool inner"
    assert parent_of(traced.one("invoke_agent doorman"), spans) == "request"
    assert not api.get_current_span().get_span_context().is_valid


async def test_a_span_of_the_model_is_inside_the_generation() -> None:
    def requests(*_: object) -> Any:
        with traced.provider.get_tracer("own").start_as_current_span("POST"):
            pass
        return [TextDelta("Hello.")]

    traced = Traced(Agent(scripted(requests)))
    await traced.agent.run("go")
    assert parent_of(traced.one("POST"), traced.spans) == "chat scripted"


async def test_concurrent_turns_do_not_mix_their_spans() -> None:
    traced = Traced(Agent(Scripted([calls(("look_up", {"word": "x"})), "Done."], delay_s=0.001), tools=[look_up]))
    await asyncio.gather(*(traced.agent.run("go") for _ in range(20)))
    by_trace: dict[int, list[str]] = {}
    for span in traced.spans:
        assert span.context is not None
        by_trace.setdefault(span.context.trace_id, []).append(span.name)
    assert len(by_trace) == 20 and all(len(names) == 5 for names in by_trace.values())


async def test_an_interrupted_turn_closes_all_its_spans() -> None:
    traced = Traced(Agent(Scripted(["one two three four"], delay_s=0.05)))
    session = traced.agent.session(plays=False)
    turn = asyncio.create_task(session.run("go"))
    await asyncio.sleep(0.12)
    await session.interrupt()
    assert (await turn).stop == "interrupted"
    assert {span.name for span in traced.spans} == {"invoke_agent doorman", "chat scripted"}
    assert attributes(traced.one("chat scripted"))["agentaudio.stop"] == "interrupted"


async def test_a_live_turn_has_a_span_from_the_end_of_speech_until_it_was_played_with_the_times_of_the_ledger() -> None:
    traced, ledger = Traced(Agent(Scripted(["It is nine."], loop=True))), LatencyLedger()
    async with Room(traced.agent.live(ears=GivenWords("What is the time in Tokyo?"))) as at:
        await at.say(Audio.load(questions_folder() / "time-in-tokyo.flac").resample(RATE).samples)
        while "agent.finished" not in at.types():
            await at.quiet(0.05)
    for _, event in at.happened:
        ledger.take(event)
    turn, spans = traced.one("turn"), traced.spans
    assert parent_of(traced.one("invoke_agent doorman"), spans) == "turn" and turn.parent is None
    got = attributes(turn)
    for stage, seconds in ledger.turns[0].stages.items():
        assert got[f"agentaudio.latency.{stage}_s"] == pytest.approx(seconds)
    assert {"decision", "first_sound", "first_played"} <= ledger.turns[0].stages.keys()
    assert got["agentaudio.played_s"] == pytest.approx(0.9, abs=0.1) and got["agentaudio.interrupted"] is False
    inside = traced.one("invoke_agent doorman")
    assert inside.end_time < turn.end_time  # type: ignore[operator]
    waited_s = (inside.start_time - turn.start_time) / 1e9  # type: ignore[operator]
    assert waited_s == pytest.approx(ledger.turns[0].stages["decision"], abs=0.1) and waited_s > 0.2


async def test_a_typed_live_turn_and_one_that_is_stopped_have_theirs_too() -> None:
    traced = Traced(Agent(Scripted(["one two three four five six"], loop=True)))
    async with Room(traced.agent.live(ears=None)) as at:
        await at.live.send("go")
        await at.until_playing(0.2)
        await at.live.interrupt()
        await at.quiet(0.2)
        await at.live.send("again")
        await at.until_playing(0.2)
    turns = [attributes(span) for span in traced.spans if span.name == "turn"]
    assert turns[0]["agentaudio.interrupted"] is True and len(turns) == 2
    assert len([span for span in traced.spans if span.name == "invoke_agent doorman"]) == 2


def test_without_tracing_a_turn_makes_no_spans_and_needs_no_library() -> None:
    agent = Agent(Scripted(["Hello."]))
    assert agent.setup.watch is None and agent.session().watch is None
