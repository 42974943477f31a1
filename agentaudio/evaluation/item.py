"""`Item` and `Answer`: what a benchmark asks, and what a model answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agentaudio.conversation import Role, ToolCall
from agentaudio.errors import AudioError, EvaluationError


class BrokenClip(AudioError):
    """A sound of an item that cannot be decoded."""


class SoundNotKept(EvaluationError):
    """The sound of an answer that cannot be written."""


@dataclass(frozen=True, slots=True)
class Line:
    """An earlier message of a dialogue, as the benchmark gives it.

    role: "assistant" for words and calls of the reference, "tool" for the result of its latest call
    audio: sound file of a spoken line; None for a written one
    """

    role: Role
    text: str = ""
    audio: Path | None = None
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark.

    id: unique in the benchmark
    audio: sound file that the model hears; None for a written question
    text: what is written after the sound
    reference: the right answer, in the form that the scorer expects
    group: the part of the benchmark for which a figure of its own is given, such as a language or a task
    cluster: items with the same name are resampled together, such as the turns of one dialogue; "" for the item alone
    before: the dialogue so far
    then: sound files of the user's further turns; each follows the model's own answer
    details: what only the scorer needs, such as the choices of a question
    """

    id: str
    audio: Path | None = None
    reference: str = ""
    text: str = ""
    group: str = ""
    cluster: str = ""
    before: tuple[Line, ...] = ()
    then: tuple[Path, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to one item.

    text: what is scored: the transcript of the spoken answer where a recogniser heard it, or the model's own words
    own_text: the words that the model itself wrote or says that it spoke
    sounds: files of the spoken answer, one for each round, relative to the folder of the run
    calls: tool calls as {"name", "arguments"}; a call that cannot be run has "problem" too
    rounds: the answers of a dialogue of several rounds, in order
    broken: why the item cannot be asked, such as a clip that is not a sound; such an item is not scored
    """

    text: str = ""
    own_text: str = ""
    sounds: tuple[str, ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()
    rounds: tuple[str, ...] = ()
    broken: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", (), None)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Answer:
        """Read what `to_dict` gave. Raises TypeError for an unknown name."""
        tuples = {name: tuple(value[name]) for name in ("sounds", "calls", "rounds") if name in value}
        return cls(**{**value, **tuples})
