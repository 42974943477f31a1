"""The rows of a decode batch as sequences of llama.cpp: one pass gives each of them its next token."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.step_audio_2.decoding.buckets import Buckets
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.sampling import Samplers
from agentaudio.model.step_audio_2.decoding.schedule import check_rows
from agentaudio.model.step_audio_2.llama.context import Cells, Context, OutOfCells

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

T = TypeVar("T")


class LlamaPasses:
    """See `RuntimePasses`. Tokens are chosen by the same samplers as with torch, on the CPU.

    max_rows: number of rows
    never: ids that are never chosen
    make_room: frees cells that no answer needs; returns False when there are none

    Raises OptionError when max_rows is below 1.
    """

    def __init__(self, context: Context, max_rows: int, never: Iterable[int], make_room: Callable[[], bool]) -> None:
        check_rows(max_rows)
        self._context, self._make_room = context, make_room
        self.device = torch.device("cpu")
        self.ids: Tensor = torch.zeros(max_rows, dtype=torch.int64)
        self.positions: Tensor = torch.zeros_like(self.ids)
        self.samplers = Samplers(max_rows, context.size, self.device, never)
        self._cells: list[Cells | None] = [None] * max_rows

    @property
    def max_rows(self) -> int:
        """Number of rows."""
        return len(self._cells)

    @property
    def compiled(self) -> bool:
        """llama.cpp is compiled already."""
        return False

    def prepare(self, buckets: Buckets) -> None:
        """There is nothing to prepare."""

    def admit(self, row: int, first: int, states: States, samplers: Samplers, length: int) -> None:
        """Begin an answer in a row, which takes the sequence of its states."""
        self.samplers.move(0, row, samplers)
        self.ids[row], self.positions[row] = first, len(states)
        self._cells[row], states.cache = states.cache, None

    def step(self, rows: int, length: int) -> None:
        """Read a token in each of the first rows, and choose the next.

        Raises BackendError when there are no cells, or the computation fails; the rows are then as before.
        """
        cells = [one for one in self._cells[:rows] if one is not None]
        if len(cells) < rows:
            raise BackendError("an answer has lost what it has read; ask again")
        ids, positions = self.ids[:rows], self.positions[:rows]
        logits = with_room(lambda: self._context.step(cells, ids.tolist(), positions.tolist()), self._make_room)
        ids.copy_(self.samplers.choose(torch.from_numpy(logits), positions))
        positions.add_(1)

    def take_out(self, row: int, length: int) -> Cells | None:
        """The sequence of a row, cut to its first positions."""
        cells = self._cells[row]
        if cells is not None:
            self._context.crop(cells, length)
        return cells

    def move(self, source: int, target: int, length: int) -> None:
        """Move an answer to another row; the source is then idle."""
        self._cells[target] = self._cells[source]
        self.samplers.move(source, target)
        self.ids[target], self.positions[target] = self.ids[source], self.positions[source]
        self.end(source)

    def end(self, row: int) -> None:
        """Make a row idle."""
        self._cells[row] = None
        self.ids[row] = self.positions[row] = 0

    def release(self) -> None:
        """Nothing is kept for rows without an answer."""

    def clear(self) -> None:
        """Let go of all sequences."""
        self._cells = [None] * len(self._cells)


def with_room(compute: Callable[[], T], make_room: Callable[[], bool]) -> T:
    """What a pass returns, for which room is made as long as it finds no cells. Raises what the pass raises."""
    while True:
        try:
            return compute()
        except OutOfCells:
            if not make_room():
                raise
