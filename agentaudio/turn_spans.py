"""`TurnSpans`: what the spans of one turn hold, read from its events when it has ended."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from agentaudio import events
from agentaudio.conversation import Message, ToolCall
from agentaudio.events import BaseEvent
from agentaudio.live.latency import LatencyLedger
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.reply import Reply
from agentaudio.trace_content import as_json, definitions, messages_json
from agentaudio.watching import TurnBegun

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class Shown:
    """What spans show: the words of the conversation, or not; and the agent's instructions, when they may be shown."""

    content: bool
    instructions: str | None


class Taken(NamedTuple):
    """An event of the turn; the span that began with it; and the messages that belong to it, where they are shown."""

    event: BaseEvent
    span: LazySpan | None = None
    messages: tuple[Message, ...] = ()


class TurnSpans:
    """Gives each span of a turn its attributes and its end. For one thread, but for `of_turn`, `of_step` and `of_tool`.

    own: attributes that each span of the session has
    name: of the agent; that of the turn's span is made of it

    root: the span of the turn, which is set when it begins
    """

    root: LazySpan

    def __init__(self, own: Attributes, begun: TurnBegun, name: str, shown: Shown) -> None:
        self._own, self._begun, self._agent, self.shown = own, begun, name, shown
        self.name = f"invoke_agent {name}"
        self._ledger = LatencyLedger(begun.model)

    def of_turn(self) -> Attributes:
        """Attributes of the turn's span, as it begins."""
        attributes = self._shared | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": self._agent}
        attributes["agentaudio.turn"] = self._begun.number
        if self.shown.content and self.shown.instructions:
            attributes["gen_ai.system_instructions"] = as_json([{"type": "text", "content": self.shown.instructions}])
        return attributes

    def of_step(self, event: events.StepStarted, messages: Sequence[Message]) -> Attributes:
        """Attributes of a generation, as it begins. messages: that the model is given"""
        attributes = self._shared | {"gen_ai.operation.name": "chat", "agentaudio.step": event.step}
        attributes |= _requested(self._begun.options)
        if self._shows_content:
            attributes["gen_ai.input.messages"] = messages_json(messages)
            if self._begun.tools:
                attributes["gen_ai.tool.definitions"] = definitions(self._begun.tools)
        return attributes

    def of_tool(self, call: ToolCall) -> Attributes:
        """Attributes of a call, as it begins."""
        attributes = self._call(call)
        if self._shows_content:
            attributes["gen_ai.tool.call.arguments"] = as_json(call.arguments)
        return attributes

    def all(self, began_ns: int, taken: Iterable[Taken]) -> Iterator[tuple[LazySpan, int]]:
        """All spans, each with its end in ns since 1970. began_ns: when the turn began; taken: its events, in order"""
        chat: LazySpan | None = None
        tools: dict[str, LazySpan] = {}
        begun_s, waits = 0.0, False  # of the generation; and whether it has said nothing yet
        for event, span, messages in taken:
            self._ledger.take(event)
            at_ns = began_ns + round(event.at_s * 1e9)
            match event:
                case events.StepStarted(at_s=begun_s):
                    chat, waits = span, True
                case events.TextSpoken(at_s=at_s) | events.AudioSpoken(at_s=at_s) if waits and chat is not None:
                    chat.note({"gen_ai.response.time_to_first_chunk": at_s - begun_s})
                    waits = False
                case events.StepFinished() if chat is not None:
                    self._end_step(event, chat, messages)
                    yield chat, at_ns
                    chat = None
                case events.ToolStarted(call=call) if span is not None:
                    tools[call.id] = span
                case events.ToolFinished(run=run) if run.call.id in tools:  # otherwise it was run by the caller
                    tool = tools.pop(run.call.id)
                    if (search := self._end_tool(event, tool, at_ns)) is not None:
                        yield search, at_ns
                    yield tool, at_ns
                case events.ToolRequested(call=call):
                    self.root.note_event("tool.requested", self._call(call), at_ns)
                case events.VoiceChanged(voice=voice):
                    chosen = {"agentaudio.voice.id": "" if voice is None else voice.id}
                    self.root.note_event("voice.changed", chosen, at_ns)
                case events.TurnStopped(by=by):
                    for one in (self.root, *([chat] if chat is not None else [])):
                        one.note({"agentaudio.stopped_by": by})
                case events.TurnFinished(reply=reply) | events.TurnFailed(reply=reply):
                    error = event.error if isinstance(event, events.TurnFailed) else None
                    for one in (*tools.values(), *([chat] if chat is not None else [])):
                        one.note({"agentaudio.stop": reply.stop})
                        self._fail(one, error)
                        yield one, at_ns
                    self._end(reply, event.turn)
                    self._fail(self.root, error)
                    yield self.root, at_ns

    @functools.cached_property
    def _shared(self) -> dict[str, Any]:
        return {
            **self._own,
            "gen_ai.provider.name": "agentaudio",
            "gen_ai.request.model": self._begun.model,
            "gen_ai.output.type": "speech" if self._begun.options.speak else "text",
        }

    @functools.cached_property
    def _shows_content(self) -> bool:
        return self.shown.content and self.root.is_recording()

    def _call(self, call: ToolCall) -> dict[str, Any]:
        return {
            **self._own,
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": call.name,
            "gen_ai.tool.call.id": call.id,
            "gen_ai.tool.type": "function",
        }

    def _end_step(self, event: events.StepFinished, chat: LazySpan, answer: Sequence[Message]) -> None:
        chat.note(_used(event.usage) | {"gen_ai.response.finish_reasons": (event.reason,)})
        if self._shows_content and answer and answer[0].role == "assistant":
            chat.note({"gen_ai.output.messages": messages_json(answer, finish_reason=event.reason)})

    def _end_tool(self, event: events.ToolFinished, span: LazySpan, at_ns: int) -> LazySpan | None:
        """Write to the span of a call how it ended; returns the span of its search, if it has made one."""
        run = event.run
        span.note({"agentaudio.tool.status": run.status})
        if self._shows_content:
            span.note({"gen_ai.tool.call.result": run.result.shown})
        if run.status in FAILED:
            span.fail(run.status, run.result.text if self._shows_content else "")
        tool = self._begun.tools.get(run.call.name)
        if not run.result.passages and (tool is None or not tool.needs):
            return None
        source = " ".join(sorted(tool.needs)) if tool is not None and tool.needs else run.call.name
        attributes: dict[str, Any] = {
            **self._own,
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": source,
            "agentaudio.retrieval.passages": len(run.result.passages),
        }
        if self._shows_content:
            attributes["gen_ai.retrieval.query.text"] = as_json(run.call.arguments)
            found = [{"id": one.source, "score": one.score} for one in run.result.passages]
            attributes["gen_ai.retrieval.documents"] = as_json(found)
        # The search takes all of the tool's time.
        return span.child(f"retrieval {source}", at_ns - round(run.duration_s * 1e9), lambda: attributes)

    def _end(self, reply: Reply, number: int) -> None:
        noted: dict[str, Any] = {"agentaudio.stop": reply.stop, "agentaudio.sound_s": _sound_s(reply)}
        if reply.voice is not None:
            noted["agentaudio.voice.id"] = reply.voice.id
        self.root.note(noted | _used(reply.usage) | latency(self._ledger, number))

    def _fail(self, span: LazySpan, error: BaseException | None) -> None:
        if error is not None:
            span.fail(type(error).__qualname__, str(error) if self._shows_content else "")


def latency(ledger: LatencyLedger, number: int) -> dict[str, Any]:
    """The times of a turn, as the latency ledger has them."""
    times = next((turn.stages | turn.parts for turn in ledger.turns if turn.turn == number), {})
    return {f"agentaudio.latency.{name}_s": seconds for name, seconds in times.items()}


@functools.lru_cache(64)
def _requested(options: GenerateOptions) -> Attributes:
    given = {f"gen_ai.request.{name}": getattr(options, option) for option, name in REQUEST.items()}
    return {name: value for name, value in given.items() if value not in (None, ())}


def _used(usage: Mapping[str, float]) -> dict[str, Any]:
    return {f"gen_ai.usage.{name}": round(usage[count]) for count, name in USAGE.items() if count in usage}


def _sound_s(reply: Reply) -> float:
    return 0.0 if reply.audio is None else reply.audio.duration
