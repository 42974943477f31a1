"""`LatencyLedger`: where the time of each turn went, taken from its events."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agentaudio import events
from agentaudio.errors import OptionError
from agentaudio.events import BaseEvent
from agentaudio.live.events import AgentStarted, TurnCommitted

STAGES = ("decision", "heard", "first_token", "first_sound", "first_played", "total")
"""In the order in which they come."""


@dataclass(slots=True)
class TurnLatency:
    """The times of one turn, in seconds.

    model: of the agent
    stages: by the names of STAGES. They count from the end of the user's speech where that is known, as in live
        sessions, else from the beginning of the turn
    tools: seconds of the calls of each tool
    parts: seconds of "prefill", from the beginning of the first generation that says something, or from the user's
        words when it hears them, until its first word; and of "retrieval", by tools that found passages or a voice
    stop: as in Reply
    """

    turn: int
    model: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    tools: dict[str, float] = field(default_factory=dict)
    stop: str = ""
    parts: dict[str, float] = field(default_factory=dict)


class LatencyLedger:
    """Takes the events of a session, and keeps the times of its turns.

    model: its name, for the record

    decision: until the turn was taken to be over; heard: until the user's words were known; first_token: of words or
    sound; first_sound: made; first_played: what the listener waited for; total: until the last word was made.
    """

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._offset_s: dict[int, float] = {}  # from the end of speech to the beginning of the turn
        self._ended_s: dict[int, float] = {}  # end of speech, on the clock of the microphone
        self._decided: tuple[float, float] | None = None
        self._reads_s: float | None = None  # since when the model reads what it is going to answer
        self.turns: list[TurnLatency] = []

    def take(self, event: BaseEvent) -> None:
        """Take an event of the session, in order."""
        if (note := _NOTES.get(type(event))) is not None:
            note(self, event)

    def _committed(self, event: TurnCommitted) -> None:
        self._decided = event.end_s, event.at_s

    def _step_started(self, event: events.StepStarted) -> None:
        self._reads_s = event.at_s

    def _step_finished(self, event: events.StepFinished) -> None:
        self._reads_s = None

    def _heard(self, event: events.SpeechHeard) -> None:
        if event.final:
            self._note(event, "heard")
            self._reads_s = None if self._reads_s is None else event.at_s

    def _text(self, event: events.TextSpoken) -> None:
        self._note(event, "first_token")
        if self._reads_s is not None and self.turns:
            self._of(event).parts.setdefault("prefill", event.at_s - self._reads_s)

    def _audio(self, event: events.AudioSpoken) -> None:
        if self.turns and "first_token" in self._of(event).stages:
            self._note(event, "first_sound")

    def _played(self, event: AgentStarted) -> None:
        if event.turn in self._ended_s:
            self._of(event).stages.setdefault("first_played", event.at_s - self._ended_s[event.turn])

    def _tool(self, event: events.ToolFinished) -> None:
        if not self.turns:
            return
        run, turn = event.run, self._of(event)
        turn.tools[run.call.name] = turn.tools.get(run.call.name, 0.0) + run.duration_s
        if run.result.passages or run.result.voice is not None:
            turn.parts["retrieval"] = turn.parts.get("retrieval", 0.0) + run.duration_s

    def _ended(self, event: events.TurnFinished | events.TurnFailed) -> None:
        self._note(event, "total")
        self._of(event).stop = event.reply.stop

    def _begin(self, event: events.TurnStarted) -> None:
        number = event.turn
        turn = TurnLatency(number, self._model)
        if self._decided is not None:
            ended_s, at_s = self._decided
            self._ended_s[number], self._offset_s[number] = ended_s, at_s - ended_s
            turn.stages["decision"] = at_s - ended_s
        self._decided = None
        self.turns.append(turn)

    def _of(self, event: BaseEvent) -> TurnLatency:
        last = self.turns[-1]
        if last.turn == event.turn:
            return last
        return next((turn for turn in reversed(self.turns) if turn.turn == event.turn), last)

    def _note(self, event: BaseEvent, stage: str) -> None:
        if self.turns:
            self._of(event).stages.setdefault(stage, event.at_s + self._offset_s.get(event.turn, 0.0))

    def append_to(self, path: str | os.PathLike[str]) -> None:
        """Add the turns to a file, one JSON object a line, and forget them. Raises OptionError when it cannot."""
        lines = "".join(json.dumps(asdict(turn), ensure_ascii=False) + "\n" for turn in self.turns)
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            raise OptionError(f"cannot write {path}: {error.strerror}; choose another file") from None
        self.turns = []


_NOTES: dict[type[BaseEvent], Callable[[LatencyLedger, Any], None]] = {
    TurnCommitted: LatencyLedger._committed,
    events.TurnStarted: LatencyLedger._begin,
    events.StepStarted: LatencyLedger._step_started,
    events.StepFinished: LatencyLedger._step_finished,
    events.SpeechHeard: LatencyLedger._heard,
    events.TextSpoken: LatencyLedger._text,
    events.AudioSpoken: LatencyLedger._audio,
    AgentStarted: LatencyLedger._played,
    events.ToolFinished: LatencyLedger._tool,
    events.TurnFinished: LatencyLedger._ended,
    events.TurnFailed: LatencyLedger._ended,
}


def read_ledger(path: str | os.PathLike[str]) -> list[TurnLatency]:
    """The turns of a file that `append_to` wrote. Raises OptionError for another file, naming the line."""
    found = []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise OptionError(f"cannot read {path}: {error}") from None
    for number, line in enumerate(lines, 1):
        try:
            found.append(_turn(json.loads(line)))
        except (ValueError, TypeError, KeyError):
            raise OptionError(f"line {number} of {path} is not a turn of a latency ledger") from None
    return found


def _turn(row: Any) -> TurnLatency:
    found = row["stages"], row["tools"], row.get("parts", {})  # which the first ledgers did not have
    stages, tools, parts = ({str(k): float(v) for k, v in one.items()} for one in found)
    if not all(map(math.isfinite, (*stages.values(), *tools.values(), *parts.values()))):
        raise ValueError("not finite")
    return TurnLatency(int(row["turn"]), str(row["model"]), stages, tools, str(row["stop"]), parts)


def percentiles(turns: Iterable[TurnLatency]) -> Mapping[str, tuple[int, float, float]]:
    """Count, median and 95th percentile of each stage, of each part, and of each tool as "tool NAME", in seconds."""
    values: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for turn in turns:
        tools = ((f"tool {name}", seconds) for name, seconds in turn.tools.items())
        for name, seconds in [*turn.stages.items(), *turn.parts.items(), *tools]:
            values.setdefault(name, []).append(seconds)
    return {name: (len(found), _at(found, 0.5), _at(found, 0.95)) for name, found in values.items() if found}


def _at(values: Sequence[float], share: float) -> float:
    """A percentile by linear interpolation between the nearest ranks."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
