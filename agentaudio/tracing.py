"""`trace`: the turns of an agent as spans of OpenTelemetry.

Names and attributes are those of the semantic conventions for generative AI (gen_ai.*); what they have no name for
begins with agentaudio. Spans are made from the events of turns and carry their times; a thread makes those that nobody
needs before, when the turn has ended. They hold no words unless that is asked for.

Source: OpenTelemetry, "Semantic conventions for generative AI systems": agent spans, model spans, tool spans.
"""

from __future__ import annotations

import contextvars
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from agentaudio import __version__, events
from agentaudio.agent import Agent
from agentaudio.conversation import Message
from agentaudio.errors import MissingExtra
from agentaudio.events import BaseEvent
from agentaudio.live.events import AgentFinished, AgentStopped, TurnCommitted
from agentaudio.live.latency import LatencyLedger
from agentaudio.turn_spans import Attributes, Shown, Taken, TurnSpans, latency
from agentaudio.watching import TurnBegun

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer, TracerProvider

    from agentaudio.lazy_span import LazySpan


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
    shown = Shown(content, agent.instructions if content else None)
    agent.setup = replace(agent.setup, watch=lambda: SessionTrace(tracer, name, shown))


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

    def __init__(self, tracer: Tracer, name: str, shown: Shown) -> None:
        self._spans = Spans(tracer, {"gen_ai.conversation.id": uuid.uuid4().hex})
        self._name, self._shown = name, shown
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
            parent = self._spans.start("turn", at - round(late_s * 1e9), lambda: attributes)
            self._outer = begun.number, parent
        return TurnTrace(self._spans, begun, TurnSpans(self._spans.own, begun, self._name, self._shown), parent)

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
        span.note({**attributes, **latency(self._ledger, number)})
        self._spans.finish([(span, time.time_ns())])
        self._ledger.turns = [turn for turn in self._ledger.turns if turn.turn > number]


class TurnTrace:
    """Implements TurnWatch: a span for the turn, and in it one for each generation, tool call and retrieval.

    On the event loop it only begins spans and makes them the current ones. What the events say is written to them by
    `TurnSpans`, in a thread, when the turn has ended.

    told: gives the spans their attributes
    parent: the span around the turn; None is the current one
    """

    def __init__(self, spans: Spans, begun: TurnBegun, told: TurnSpans, parent: LazySpan | None) -> None:
        self._spans, self._begun, self._told, self._parent = spans, begun, told, parent
        self._taken: list[Taken] | None = []  # None when the turn has ended
        self._said: set[str] = set()  # what the trace needs of words and sound, and has
        self._inside: Context  # of the turn's span
        self._began_ns = 0
        self.context = contextvars.copy_context()

    def take(self, event: BaseEvent) -> None:
        if self._taken is None:
            return
        kind = type(event)
        if kind in _SAYS and not self._is_new(kind):
            return
        note = _NOTES.get(kind)
        self._taken.append(Taken(event) if note is None else note(self, event))
        if kind in _ENDS:
            taken, self._taken = self._taken, None
            self._spans.finish(self._told.all(self._began_ns, taken))

    def _is_new(self, kind: type[BaseEvent]) -> bool:
        """Whether words or sound say something new: the first of a step, and the first sound after words."""
        what = "text" if kind is events.TextSpoken else "sound" if "words" in self._said else "early sound"
        if what in self._said:
            return False
        self._said |= {what, "words"} if what == "text" else {what}
        return True

    def _begin(self, event: events.TurnStarted) -> Taken:
        self._began_ns = time.time_ns()
        told = self._told
        told.root = self._spans.start(told.name, self._began_ns, told.of_turn, self._parent)
        self._inside = self._spans.inside(told.root)
        self.context.run(self._spans.enter, self._inside)
        return Taken(event)

    def _begin_step(self, event: events.StepStarted) -> Taken:
        self._said &= {"words"}
        messages = self._messages(0)
        chat = self._enter(f"chat {self._begun.model}", event, partial(self._told.of_step, event, messages))
        return Taken(event, chat)

    def _end_step(self, event: events.StepFinished) -> Taken:
        self._spans.enter(self._inside)
        return Taken(event, messages=self._messages(-1))

    def _begin_tool(self, event: events.ToolStarted) -> Taken:
        tool = self._enter(f"execute_tool {event.call.name}", event, partial(self._told.of_tool, event.call))
        return Taken(event, tool)

    def _enter(self, name: str, event: BaseEvent, attributes: Callable[[], Attributes]) -> LazySpan:
        at_ns = self._began_ns + round(event.at_s * 1e9)
        span = self._told.root.child(name, at_ns, attributes)
        self._spans.enter(self._spans.inside(span))
        return span

    def _messages(self, start: int) -> tuple[Message, ...]:
        """The messages as they are now, if they may be shown."""
        return tuple(self._begun.conversation.messages[start:]) if self._told.shown.content else ()


_SAYS = {events.TextSpoken, events.AudioSpoken}
_ENDS = {events.TurnFinished, events.TurnFailed}
_NOTES: dict[type[BaseEvent], Callable[[TurnTrace, Any], Taken]] = {
    events.TurnStarted: TurnTrace._begin,
    events.StepStarted: TurnTrace._begin_step,
    events.StepFinished: TurnTrace._end_step,
    events.ToolStarted: TurnTrace._begin_tool,
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

    def start(
        self, name: str, at_ns: int, attributes: Callable[[], Attributes], parent: LazySpan | None = None
    ) -> LazySpan:
        return self._make(self._tracer, name, at_ns, attributes, parent)

    def finish(self, ended: Iterable[tuple[LazySpan, int]]) -> None:
        """Make these spans soon, in this order. ended: with the time when each ended, in ns since 1970"""
        self._writer().write(ended)

    def enter(self, inside: Context) -> None:
        """Make a span the current one of the running task, so that spans of others are made inside it.

        inside: a context in which it is the current one
        """
        self._attach(inside)
