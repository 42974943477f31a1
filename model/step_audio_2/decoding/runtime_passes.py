"""The rows of a decode batch and the passes over them, on any runtime."""

from __future__ import annotations

from typing import Any, Protocol

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.decoding.buckets import Buckets
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.sampling import Samplers

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error


class RuntimePasses(Protocol):
    """The rows of a decode batch, and the passes over them. One thread uses it.

    device: of `ids`
    ids: (max_rows,) int64, the newest token of each row
    """

    device: torch.device
    ids: Tensor

    @property
    def max_rows(self) -> int:
        """Answers that decode together."""

    @property
    def compiled(self) -> bool:
        """Whether `prepare` has compiled the passes."""

    def prepare(self, buckets: Buckets) -> None:
        """Compile passes of these sizes, while the rows are empty. Raises what the compiler raises."""

    def admit(self, row: int, first: int, states: States, samplers: Samplers, length: int) -> None:
        """Begin an answer in a row: move the cache of its states there, and leave an empty one.

        first: the token that the row reads next
        samplers: of one row, which has seen `first`
        length: the most positions of a row after the next pass

        When it raises, the states still have their cache.
        """

    def step(self, rows: int, length: int) -> None:
        """Read a token in each of the first rows, and choose the next. On a GPU the pass is only enqueued.

        length: the most positions of a row after the pass
        """

    def take_out(self, row: int, length: int) -> Any:
        """The cache of the first `length` positions of a row, as `States` hold it."""

    def move(self, source: int, target: int, length: int) -> None:
        """Move an answer of so many positions to another row; the source is then idle."""

    def end(self, row: int) -> None:
        """Make a row idle."""

    def release(self) -> None:
        """Free memory while no answer runs."""

    def clear(self) -> None:
        """Free all memory of the rows."""
