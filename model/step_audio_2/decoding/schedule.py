"""The policy of the decode batch: which answer has which row.

No threads, tensors or clocks here: `batching` drives the policy, and `rows` holds the tensors.
Prompts are not scheduled: each answer reads its own, then joins the batch with its first token.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from agentaudio.errors import OptionError

A = TypeVar("A", bound=Hashable)

MAX_ROWS = 64


def check_rows(max_rows: int) -> None:
    """Raises OptionError for a number of rows below 1."""
    if max_rows < 1:
        raise OptionError(f"max_rows is {max_rows}; give 1 or more")


class Schedule(Generic[A]):
    """Rows for at most `max_rows` answers; the others queue, first come, first served.

    running: `running[k]` has row k
    waiting: answers without a row, the longest wait first

    Raises OptionError when max_rows is below 1.
    """

    def __init__(self, max_rows: int) -> None:
        check_rows(max_rows)
        self.max_rows = max_rows
        self.running: list[A] = []
        self.waiting: deque[A] = deque()

    def join(self, answer: A) -> None:
        """Add an answer to the end of the queue."""
        assert answer not in self.running and answer not in self.waiting, "an answer joins once"
        self.waiting.append(answer)

    def admit(self) -> A | None:
        """Give row `len(running)` to the first in the queue; None if the queue is empty or all rows are taken."""
        if not self.waiting or len(self.running) >= self.max_rows:
            return None
        answer = self.waiting.popleft()
        self.running.append(answer)
        return answer

    def remove(self, answer: A) -> tuple[int, int] | None:
        """Forget an answer that has finished or was cancelled.

        returns: (source, target) if the last row must move into the freed one; else None
        """
        if answer in self.waiting:
            self.waiting.remove(answer)
        if answer not in self.running:
            return None
        target = self.running.index(answer)
        last = self.running.pop()
        if target == len(self.running):
            return None
        self.running[target] = last
        return len(self.running), target
