"""`Stage`: a model under test whose answers are known in advance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentaudio.model.speech_lm import SpeechLM


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model generates next.

    say: the words, which a model that speaks also speaks
    calls: names and arguments of the calls behind the words
    cut: a length limit ends the answer after the words
    fails: the generation fails after the words
    stalls: nothing comes after the words until the generation is closed
    """

    say: str = ""
    calls: Sequence[tuple[str, dict[str, Any]]] = field(default_factory=tuple)
    cut: bool = False
    fails: bool = False
    stalls: bool = False


class Stage(Protocol):
    """A model and what makes it answer: a server that follows a script, or constrained decoding.

    model: the model under test
    """

    @property
    def model(self) -> SpeechLM: ...

    def next(self, *answers: Answer) -> None:
        """The model's next generations, in this order."""

    def busy(self) -> bool:
        """Whether any work of a generation goes on: an open request, a running thread, a process at work."""
