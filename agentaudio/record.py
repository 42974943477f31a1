"""`Record`: what has happened in a turn so far. It emits the events and makes the Reply."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from agentaudio.conversation import Citation, ToolCall
from agentaudio.events import BaseEvent, PassageCited, StepFinished, TurnStopped
from agentaudio.model.speech_lm import CallDelta, End, Heard
from agentaudio.outbox import Outbox
from agentaudio.playback import Playback
from agentaudio.provenance.provenance import Origin
from agentaudio.reply import Reply, StopReason
from agentaudio.retrieval.citation import cite
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import ToolRun

_AnyEvent = TypeVar("_AnyEvent", bound=BaseEvent)


class Record:
    """The history of one turn.

    number: of the turn in its session
    origin: how the sound of the turn is made
    runs: calls that have ended
    heard: the user's words as the model recognised them
    stop, stopped_by: as in Reply, once a check or a usage limit has ended the turn
    output: as in Reply
    usage, timings: as in Reply, so far
    """

    def __init__(self, number: int, outbox: Outbox, playback: Playback, origin: Origin) -> None:
        self._number, self._outbox, self._playback = number, outbox, playback
        self._origin = origin
        self._begun = time.perf_counter()
        self.runs: list[ToolRun] = []
        self.citations: list[Citation] = []
        self.usage: dict[str, float] = {}
        self.timings: dict[str, float] = {}
        self.heard: Heard | None = None
        self.stop: Literal["refused", "usage_limit"] | None = None
        self.stopped_by = ""
        self.output: Any = None

    def time(self, name: str) -> None:
        """Store the time now under `name`, unless it has one already."""
        self.timings.setdefault(name, time.perf_counter() - self._begun)

    def cite(self, citation: Citation) -> None:
        """Record a citation and emit its event, once."""
        if citation not in self.citations:
            self.citations.append(citation)
            self.post(PassageCited, citation=citation)

    def cite_used(self) -> None:
        """Cite the passages that the answer used, as far as its words say."""
        if passages := [passage for run in self.runs for passage in run.result.passages]:
            said = " ".join(step.part.text for step in self._playback.steps if step.part is not None)
            for citation in cite(said, passages):
                self.cite(citation)

    def event(self, kind: type[_AnyEvent], **fields: Any) -> _AnyEvent:
        """An event of this turn that happens now."""
        return kind(turn=self._number, at_s=time.perf_counter() - self._begun, **fields)

    async def put(self, kind: type[_AnyEvent], **fields: Any) -> None:
        """Emit an event as soon as the outbox has room."""
        event = kind(turn=self._number, at_s=time.perf_counter() - self._begun, **fields)
        if self._outbox.is_full:
            await self._outbox.room()
        self._outbox.post(event)

    def post(self, kind: type[_AnyEvent], **fields: Any) -> None:
        """Emit an event at once."""
        self._outbox.post(kind(turn=self._number, at_s=time.perf_counter() - self._begun, **fields))

    def stopped(self, stop: Literal["refused", "usage_limit"], by: str) -> None:
        """A check or a usage limit ends the turn."""
        self.stop, self.stopped_by = stop, by
        self.post(TurnStopped, stop=stop, by=by)

    async def step_finished(self, step: int, calls: Sequence[CallDelta], end: End) -> None:
        """Add the usage of a generation, and emit its event."""
        for name, count in end.usage.items():
            self.usage[name] = self.usage.get(name, 0) + count
        irregular = sum(not call.is_native for call in calls)
        await self.put(StepFinished, step=step, reason=end.reason, usage=end.usage, irregular_calls=irregular)

    def reply(self, stop: StopReason, open_calls: tuple[ToolCall, ...]) -> Reply:
        """The reply of the turn so far, with the words and sound that the conversation holds."""
        self.time("total")
        said = [(step.part, step.voice) for step in self._playback.steps if step.part is not None]
        parts = [part for part, _ in said]
        sounds = [part.audio for part in parts if part.audio is not None]
        spoken_in = [voice for part, voice in said if part.audio is not None]
        return Reply(
            text=" ".join(part.text for part in parts if part.text),
            audio=Audio.concat(sounds) if sounds else None,
            heard=self.heard.text if self.heard else None,
            confidence=self.heard.confidence if self.heard else None,
            voice=said[-1][1] if said else None,
            imitation=self._origin.imitation if said and said[-1][1] is not None else None,
            tool_calls=tuple(self.runs),
            open_calls=open_calls,
            citations=tuple(self.citations),
            output=self.output,
            stopped_by=self.stopped_by,
            stop=stop,
            usage=self.usage.copy(),
            timings=self.timings,
            origin=self._origin.heard(*spoken_in) if spoken_in else self._origin,
        )
