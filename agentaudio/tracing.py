"""`trace`: the turns of an agent as spans of OpenTelemetry.

Names and attributes are those of the semantic conventions for generative AI (gen_ai.*); what they have no name for
begins with agentaudio. Spans are made from the events of turns and carry their times; a thread makes those that nobody
needs before, when the turn has ended. They hold no words unless that is asked for.

Source: OpenTelemetry, "Semantic conventions for generative AI systems": agent spans, model spans, tool spans.
"""

from __future__ import annotations

import contextvars
import functools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentaudio import __version__, events
from agentaudio.agent import Agent
from agentaudio.errors import MissingExtra
from agentaudio.events import BaseEvent
from agentaudio.live.events import AgentFinished, AgentStopped, TurnCommitted
from agentaudio.live.latency import LatencyLedger
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.reply import Reply
from agentaudio.trace_content import as_json, definitions, messages_json
from agentaudio.watching import TurnBegun

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer, TracerProvider

    from agentaudio.lazy_span import LazySpan

Attributes = Mapping[str, Any]

REQUEST = {
    "temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "seed": "seed",
    "stop": "stop_sequences",
}  # fmt: skip
"""Names of GenerateOptions, and of the attributes gen_ai.request.* that hold them."""
USAGE = {
    "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cached_tokens": "cache_read.input_tokens",
    "input_cached_tokens": "cache_read.input_tokens",
}  # fmt: skip
"""Names of counts of a model, and of the attributes gen_ai.usage.* that hold them."""
FAILED = ("failed", "timed_out", "denied", "cancelled")
"""Ends of tool calls without a result."""


def trace(
    agent: Agent, *, content: bool = False, name: str = "agentaudio", provider: TracerProvider | None = None
) -> None:
    """Make spans of the turns of an agent, in the sessions that begin from now on. The latest call counts.

    content: spans also hold what was said, the arguments and results of tools, and messages of errors
    name: of the agent in the spans
    provider: gives the tracer; None is the global one

    Raises MissingExtra without the extra `tracing`.
    """
    try:
        from opentelemetry.trace import get_tracer
    except ImportError as error:
        raise MissingExtra("tracing", "tracing") from error
    tracer = get_tracer("agentaudio", __version__, provider)
    instructions = agent.instructions if content else None
    agent.setup = replace(agent.setup, watch=lambda: SessionTrace(tracer, name, content, instructions))


def flush_spans(wait_s: float = 5.0) -> bool:
    """Wait until the spans of all turns that have ended are made, which takes about a millisecond.

    For programs that flush or shut down their provider by hand. Returns False when it takes longer than `wait_s`.
    Raises MissingExtra without the extra `tracing`.
    """
    try:
        from agentaudio.span_writer import SpanWriter
    except ImportError as error:
        raise MissingExtra("tracing", "tracing") from error
    return SpanWriter.of_process().flush(wait_s)


class SessionTrace:
    """Implements SessionWatch.

    In a live session each turn has a span around it, from the end of the user's speech until the answer was played.
    """

    def __init__(self, tracer: Tracer, name: str, content: bool, instructions: str | None) -> None:
        self._spans = Spans(tracer, {"gen_ai.conversation.id": uuid.uuid4().hex})
        self._name, self._content, self._instructions = name, content, instructions
        self._is_live = False
        self._ledger = LatencyLedger()
        self._committed: tuple[int, float] | None = None  # when, and how long after the end of speech
        self._outer: tuple[int, LazySpan] | None = None  # around the latest turn of a live session

    def turn(self, begun: TurnBegun) -> TurnTrace:
        parent = None
        if self._is_live:
            self._end_outer({})
            now = time.time_ns()
            at, late_s = self._committed or (now, 0.0)
            self._committed = None
            attributes = {**self._spans.own, "agentaudio.turn": begun.number}
            parent = self._spans.start("turn", at - round(late_s * 1e9), attributes)
            self._outer = begun.number, parent
        return TurnTrace(self._spans, begun, self._name, parent, content=self._content, instructions=self._instructions)

    def live(self) -> Callable[[BaseEvent], None]:
        self._is_live = True
        return self._take

    def close(self) -> None:
        self._end_outer({})

    def _take(self, event: BaseEvent) -> None:
        self._ledger.take(event)
        match event:
            case TurnCommitted(end_s=end_s, at_s=at_s):
                self._committed = time.time_ns(), at_s - end_s
            case AgentFinished(played_s=played_s) | AgentStopped(played_s=played_s):
                stopped = isinstance(event, AgentStopped)
                self._end_outer({"agentaudio.played_s": played_s, "agentaudio.interrupted": stopped})

    def _end_outer(self, attributes: Attributes) -> None:
        if self._outer is None:
            return
        (number, span), self._outer = self._outer, None
        span.note({**attributes, **_latency(self._ledger, number)})
        self._spans.finish([(span, time.time_ns())])
        self._ledger.turns = [turn for turn in self._ledger.turns if turn.turn > number]


class TurnTrace:
    """Implements TurnWatch: a span for the turn, and in it one for each generation, tool call and retrieval.

    parent: the span around the turn; None is the current one
    instructions: the agent's, when they may be shown
    """

    def __init__(
        self,
        spans: Spans,
        begun: TurnBegun,
        name: str,
        parent: LazySpan | None,
        *,
        content: bool,
        instructions: str | None,
    ) -> None:
        self._spans, self._begun, self._name, self._parent = spans, begun, name, parent
        self._content, self._instructions = content, instructions
        self._ledger = LatencyLedger(begun.model)
        self._began_ns = 0
        self._root: LazySpan
        self._inside: Context  # of the root
        self._chat: LazySpan | None = None
        self._ended: list[tuple[LazySpan, int]] = []  # spans inside the root, and when they ended
        self._step_s = 0.0
        self._waits = False  # for the first word or sound of the generation
        self._tools: dict[str, LazySpan] = {}
        self._requested = _requested(begun.options)
        self._shared: dict[str, Any] = {
            **spans.own,
            "gen_ai.provider.name": "agentaudio",
            "gen_ai.request.model": begun.model,
            "gen_ai.output.type": "speech" if begun.options.speak else "text",
        }
        self.context = contextvars.copy_context()

    def take(self, event: BaseEvent) -> None:
        self._ledger.take(event)
        if (note := _NOTES.get(type(event))) is not None:
            note(self, event)

    def _at(self, event: BaseEvent) -> int:
        """When an event happened, in ns since 1970."""
        return self._began_ns + round(event.at_s * 1e9)

    def _begin(self, event: events.TurnStarted) -> None:
        self._began_ns = time.time_ns()
        attributes = {**self._shared, "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": self._name}
        attributes["agentaudio.turn"] = self._begun.number
        if self._content and self._instructions:
            parts = [{"type": "text", "content": self._instructions}]
            attributes["gen_ai.system_instructions"] = as_json(parts)
        self._root = self._spans.start(f"invoke_agent {self._name}", self._began_ns, attributes, self._parent)
        self._content = self._content and self._root.is_recording()
        self._inside = self._spans.inside(self._root)
        self.context.run(self._spans.enter, self._inside)

    def _begin_step(self, event: events.StepStarted) -> None:
        attributes = {**self._shared, **self._requested, "gen_ai.operation.name": "chat", "agentaudio.step": event.step}
        if self._content:
            attributes["gen_ai.input.messages"] = messages_json(self._begun.conversation)
            if self._begun.tools:
                attributes["gen_ai.tool.definitions"] = definitions(self._begun.tools)
        self._chat = self._spans.start(f"chat {self._begun.model}", self._at(event), attributes, self._root)
        self._step_s, self._waits = event.at_s, True
        self._spans.enter(self._spans.inside(self._chat))

    def _begin_answer(self, event: events.TextSpoken | events.AudioSpoken) -> None:
        if self._waits and self._chat is not None:
            self._waits = False
            self._chat.note({"gen_ai.response.time_to_first_chunk": event.at_s - self._step_s})

    def _begin_tool(self, event: events.ToolStarted) -> None:
        call = event.call
        attributes = self._tool_attributes(call.name, call.id)
        if self._content:
            attributes["gen_ai.tool.call.arguments"] = as_json(call.arguments)
        span = self._spans.start(f"execute_tool {call.name}", self._at(event), attributes, self._root)
        self._tools[call.id] = span
        self._spans.enter(self._spans.inside(span))

    def _requested_tool(self, event: events.ToolRequested) -> None:
        attributes = self._tool_attributes(event.call.name, event.call.id)
        self._root.note_event("tool.requested", attributes, self._at(event))

    def _voice_changed(self, event: events.VoiceChanged) -> None:
        chosen = "" if event.voice is None else event.voice.id
        self._root.note_event("voice.changed", {"agentaudio.voice.id": chosen}, self._at(event))

    def _stopped(self, event: events.TurnStopped) -> None:
        for one in (self._root, self._chat):
            if one is not None:
                one.note({"agentaudio.stopped_by": event.by})

    def _end_step(self, event: events.StepFinished) -> None:
        chat, self._chat = self._chat, None
        if chat is None:
            return
        chat.note(_used(event.usage) | {"gen_ai.response.finish_reasons": (event.reason,)})
        answer = self._begun.conversation.messages[-1:]
        if self._content and answer and answer[0].role == "assistant":
            chat.note({"gen_ai.output.messages": messages_json(answer, finish_reason=event.reason)})
        self._ended.append((chat, self._at(event)))
        self._spans.enter(self._inside)

    def _end_tool(self, event: events.ToolFinished) -> None:
        run = event.run
        span = self._tools.pop(run.call.id, None)
        if span is None:
            return  # run by the caller
        span.note({"agentaudio.tool.status": run.status})
        if self._content:
            span.note({"gen_ai.tool.call.result": run.result.shown})
        if run.status in FAILED:
            span.fail(run.status, run.result.text if self._content else "")
        tool = self._begun.tools.get(run.call.name)
        if run.result.passages or (tool is not None and tool.needs):
            self._retrieval(event, span, sorted(tool.needs) if tool is not None else [])
        self._ended.append((span, self._at(event)))

    def _retrieval(self, event: events.ToolFinished, within: LazySpan, sources: Sequence[str]) -> None:
        """The search of a tool, which takes all of its time."""
        run, source = event.run, " ".join(sources) or event.run.call.name
        attributes: dict[str, Any] = {
            **self._spans.own,
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": source,
            "agentaudio.retrieval.passages": len(run.result.passages),
        }
        if self._content:
            attributes["gen_ai.retrieval.query.text"] = as_json(run.call.arguments)
            found = [{"id": one.source, "score": one.score} for one in run.result.passages]
            attributes["gen_ai.retrieval.documents"] = as_json(found)
        begun = self._at(event) - round(run.duration_s * 1e9)
        self._ended.append((self._spans.start(f"retrieval {source}", begun, attributes, within), self._at(event)))

    def _finish(self, event: events.TurnFinished) -> None:
        self._end(event, event.reply, None)

    def _fail(self, event: events.TurnFailed) -> None:
        self._end(event, event.reply, event.error)

    def _end(self, event: BaseEvent, reply: Reply, error: BaseException | None) -> None:
        cut_off = [*self._tools.values(), *([self._chat] if self._chat is not None else [])]
        ended, self._ended = self._ended, []
        self._tools, self._chat = {}, None
        self._spans.finish(self._all(ended, cut_off, self._at(event), event.turn, reply, error))

    def _all(
        self,
        ended: Sequence[tuple[LazySpan, int]],
        cut_off: Sequence[LazySpan],
        at_ns: int,
        number: int,
        reply: Reply,
        error: BaseException | None,
    ) -> Iterator[tuple[LazySpan, int]]:
        """The spans of the turn and their ends, in a thread. cut_off: those that end with the turn"""
        yield from ended
        for span in cut_off:
            span.note({"agentaudio.stop": reply.stop})
            if error is not None:
                span.fail(type(error).__qualname__, str(error) if self._content else "")
            yield span, at_ns
        noted: dict[str, Any] = {"agentaudio.stop": reply.stop, "agentaudio.sound_s": _sound_s(reply)}
        if reply.voice is not None:
            noted["agentaudio.voice.id"] = reply.voice.id
        self._root.note(noted | _used(reply.usage) | _latency(self._ledger, number))
        if error is not None:
            self._root.fail(type(error).__qualname__, str(error) if self._content else "")
        yield self._root, at_ns

    def _tool_attributes(self, name: str, call_id: str) -> dict[str, Any]:
        return {
            **self._spans.own,
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": call_id,
            "gen_ai.tool.type": "function",
        }


_NOTES: dict[type[BaseEvent], Callable[[TurnTrace, Any], None]] = {
    events.TurnStarted: TurnTrace._begin,
    events.StepStarted: TurnTrace._begin_step,
    events.TextSpoken: TurnTrace._begin_answer,
    events.AudioSpoken: TurnTrace._begin_answer,
    events.StepFinished: TurnTrace._end_step,
    events.ToolStarted: TurnTrace._begin_tool,
    events.ToolFinished: TurnTrace._end_tool,
    events.ToolRequested: TurnTrace._requested_tool,
    events.VoiceChanged: TurnTrace._voice_changed,
    events.TurnStopped: TurnTrace._stopped,
    events.TurnFinished: TurnTrace._finish,
    events.TurnFailed: TurnTrace._fail,
}


class Spans:
    """Makes the spans of one session. own: attributes that each of them has"""

    def __init__(self, tracer: Tracer, own: Attributes) -> None:
        from opentelemetry.context import attach
        from opentelemetry.trace import set_span_in_context

        from agentaudio.lazy_span import LazySpan
        from agentaudio.span_writer import SpanWriter

        self._tracer, self.own = tracer, own
        self._writer = SpanWriter.of_process
        self._make, self.inside, self._attach = LazySpan, set_span_in_context, attach

    def start(self, name: str, at_ns: int, attributes: Attributes, parent: LazySpan | None = None) -> LazySpan:
        return self._make(self._tracer, name, at_ns, attributes, parent)

    def finish(self, ended: Iterable[tuple[LazySpan, int]]) -> None:
        """Make these spans soon, in this order. ended: with the time when each ended, in ns since 1970"""
        self._writer().write(ended)

    def enter(self, inside: Context) -> None:
        """Make a span the current one of the running task, so that spans of others are made inside it.

        inside: a context in which it is the current one
        """
        self._attach(inside)


@functools.lru_cache(64)
def _requested(options: GenerateOptions) -> Attributes:
    given = {f"gen_ai.request.{name}": getattr(options, option) for option, name in REQUEST.items()}
    return {name: value for name, value in given.items() if value not in (None, ())}


def _used(usage: Mapping[str, float]) -> dict[str, Any]:
    return {f"gen_ai.usage.{name}": round(usage[count]) for count, name in USAGE.items() if count in usage}


def _latency(ledger: LatencyLedger, number: int) -> dict[str, Any]:
    """The times of a turn, as the latency ledger has them."""
    times = next((turn.stages | turn.parts for turn in ledger.turns if turn.turn == number), {})
    return {f"agentaudio.latency.{name}_s": seconds for name, seconds in times.items()}


def _sound_s(reply: Reply) -> float:
    return 0.0 if reply.audio is None else reply.audio.duration
