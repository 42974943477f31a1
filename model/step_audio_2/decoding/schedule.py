"""The scheduling policy of the decode batch: which answer has which row, and when the next pass runs.

No threads, tensors or clocks here: `batching` drives the policy, and `rows` holds the tensors.
Prompts are not scheduled: each answer reads its own, then joins the batch with its first token.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from agentaudio.errors import OptionError

MAX_WAIT_SHARE = 0.2
"""Longest wait for answers that are still choosing their token, as a share of the last pass's time."""
MAX_WAIT_S = 0.005
IDLE_TOKEN = 0
"""Idle rows decode this token; their next real token overwrites its cache entry."""

A = TypeVar("A", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Pass(Generic[A]):
    """One pass of the model.

    tokens: one id for each row; idle rows have IDLE_TOKEN
    served: the rows that are not idle, and whose they are
    """

    tokens: list[int]
    served: list[tuple[int, A]]


class Schedule(Generic[A]):
    """Rows for at most `max_rows` answers; the others queue, first come, first served.

    running: `running[k]` has row k
    waiting: answers without a row, the longest wait first
    tokens: the newest token of each answer, until a pass takes it

    Raises OptionError when max_rows is below 1.
    """

    def __init__(self, max_rows: int) -> None:
        if max_rows < 1:
            raise OptionError(f"max_rows is {max_rows}; give 1 or more")
        self.max_rows = max_rows
        self.running: list[A] = []
        self.waiting: deque[A] = deque()
        self.tokens: dict[A, int] = {}

    def submit(self, answer: A, token_id: int) -> None:
        """Ask for the logits that follow `token_id`. An answer without a row joins the queue."""
        assert answer not in self.tokens, "one token at a time"
        self.tokens[answer] = token_id
        if answer not in self.running:
            self.waiting.append(answer)

    def admit(self) -> A | None:
        """Give row `len(running)` to the first in the queue; None if the queue is empty or all rows are taken."""
        if not self.waiting or len(self.running) == self.max_rows:
            return None
        answer = self.waiting.popleft()
        self.running.append(answer)
        return answer

    def remove(self, answer: A) -> tuple[int, int] | None:
        """Forget an answer that has finished or was cancelled.

        returns: (source, target) if the last row must move into the freed one; else None
        """
        self.tokens.pop(answer, None)
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

    def wait_s(self, last_pass_s: float) -> float | None:
        """Seconds to wait for more tokens before the next pass; None while no row has a token."""
        ready = sum(answer in self.tokens for answer in self.running)
        if ready == 0:
            return None
        if ready == len(self.running):
            return 0.0
        return min(MAX_WAIT_SHARE * last_pass_s, MAX_WAIT_S)

    def next_pass(self) -> Pass[A]:
        """Take the tokens of all rows."""
        served = [(row, answer) for row, answer in enumerate(self.running) if answer in self.tokens]
        tokens = [self.tokens.pop(answer, IDLE_TOKEN) for answer in self.running]
        return Pass(tokens, served)
