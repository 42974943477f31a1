"""What was observed in the turns of a suite, and the verdicts about it, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from agentaudio.reply import Reply


@dataclass(frozen=True, slots=True)
class Observed:
    """What a turn brought about, for the checks.

    reply: None when the turn failed before there was one, or when nothing was answered
    stages: seconds to the stages of agentaudio.live.latency
    evidence: what tools and the user have said before the answer
    results: names of the tools whose results are in the conversation
    error: why the turn failed
    stopped_after_s: from the user's first sound until the agent was silent; None when it did not stop
    went_on: whether the agent spoke on, and began no answer; None outside live dialogues
    """

    reply: Reply | None
    stages: Mapping[str, float] = field(default_factory=dict)
    evidence: Sequence[str] = ()
    results: Sequence[str] = ()
    error: str | None = None
    stopped_after_s: float | None = None
    went_on: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check of a turn. detail: what was found instead; "" when it passed"""

    check: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        return not self.detail


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A turn that was run.

    said: what the user said or typed
    heard: what the model heard; "" when unknown
    answer: the text of the answer
    calls: "name(arguments)" of each call
    sounds: files beside the result with the user's and the agent's sound, where there is any
    """

    said: str
    heard: str = ""
    answer: str = ""
    calls: tuple[str, ...] = ()
    voice: str | None = None
    citations: tuple[str, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    error: str | None = None
    sounds: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.error is None and all(verdict.passed for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class DialogueRun:
    """A dialogue that was run once. repeat: from 1"""

    dialogue: str
    kind: str
    language: str
    repeat: int
    turns: tuple[TurnRecord, ...]

    @property
    def passed(self) -> bool:
        return all(turn.passed for turn in self.turns)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DialogueRun:
        """The run of which `asdict` made the data. Raises TypeError, KeyError or ValueError for other data."""
        return cls(**{**data, "turns": tuple(_turn(turn) for turn in data["turns"])})


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """A suite that was run with one model.

    digest: of the suite, see SuiteFile
    began: UTC, in ISO 8601
    """

    suite: str
    digest: str
    model: str
    version: str
    began: str
    repeats: int
    runs: tuple[DialogueRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SuiteRun:
        """The run that `to_dict` wrote. Raises TypeError, KeyError or ValueError for other data."""
        return cls(**{**data, "runs": tuple(DialogueRun.from_dict(run) for run in data["runs"])})


def _turn(data: Mapping[str, Any]) -> TurnRecord:
    verdicts = tuple(Verdict(**verdict) for verdict in data["verdicts"])
    return TurnRecord(
        **{**data, "verdicts": verdicts, "calls": tuple(data["calls"]), "citations": tuple(data["citations"])}
    )
