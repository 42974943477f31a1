"""The scheduling policy, without tensors or threads: its invariants hold in any order of events."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.examples import share

from agentaudio.errors import OptionError
from agentaudio.model.step_audio_2.decoding.schedule import Schedule


class Batch(RuleBasedStateMachine):
    """Answers come, finish and are cancelled in any order; `rows` stands for the tensors."""

    @initialize(max_rows=st.integers(1, 4))
    def start(self, max_rows: int) -> None:
        self.schedule: Schedule[int] = Schedule(max_rows)
        self.rows: list[int | None] = [None] * max_rows
        self.queue: deque[int] = deque()
        self.ended: list[int] = []
        self.arrived = 0

    def admit(self) -> None:
        while (answer := self.schedule.admit()) is not None:
            assert answer == self.queue.popleft(), "first come, first served"
            row = len(self.schedule.running) - 1
            assert self.rows[row] is None
            self.rows[row] = answer

    @rule()
    def arrive(self) -> None:
        self.queue.append(self.arrived)
        self.schedule.join(self.arrived)
        self.arrived += 1
        self.admit()

    @precondition(lambda self: len(self.ended) < self.arrived)
    @rule(data=st.data())
    def finish_or_cancel(self, data: st.DataObject) -> None:
        answer = data.draw(st.sampled_from([number for number in range(self.arrived) if number not in self.ended]))
        before = list(self.schedule.running)
        move = self.schedule.remove(answer)
        self.ended.append(answer)
        if answer in before:
            self.rows[before.index(answer)] = None
        else:
            self.queue.remove(answer)
            assert move is None
        if move is not None:
            source, target = move
            assert self.rows[target] is None
            self.rows[target], self.rows[source] = self.rows[source], None
        assert self.schedule.remove(answer) is None, "removing again changes nothing"
        self.admit()

    @invariant()
    def rows_are_contiguous_and_few(self) -> None:
        running = self.schedule.running
        assert len(running) <= self.schedule.max_rows
        assert self.rows == [*running, *[None] * (self.schedule.max_rows - len(running))]

    @invariant()
    def nobody_waits_while_a_row_is_free(self) -> None:
        assert list(self.schedule.waiting) == list(self.queue)
        assert not self.queue or len(self.schedule.running) == self.schedule.max_rows

    @invariant()
    def nobody_is_in_two_places_or_comes_back(self) -> None:
        present = [*self.schedule.running, *self.schedule.waiting]
        assert len(set(present)) == len(present)
        assert sorted([*present, *self.ended]) == list(range(self.arrived)), "everybody ends exactly once"

    def teardown(self) -> None:
        """No starvation: once the running answers end one after the other, all that wait get a row."""
        for _ in range(self.arrived if hasattr(self, "schedule") else 0):
            if self.schedule.running:
                answer = self.schedule.running[0]
                move = self.schedule.remove(answer)
                self.rows[self.rows.index(answer)] = None
                if move is not None:
                    self.rows[move[1]], self.rows[move[0]] = self.rows[move[0]], None
                self.admit()
        assert not hasattr(self, "schedule") or not self.schedule.waiting


TestAnyOrder = Batch.TestCase
TestAnyOrder.settings = settings(max_examples=share(60), stateful_step_count=40, deadline=None)


def test_joining_twice_is_a_mistake() -> None:
    schedule: Schedule[str] = Schedule(1)
    schedule.join("a")
    with pytest.raises(AssertionError):
        schedule.join("a")


@pytest.mark.parametrize("max_rows", [0, -1])
def test_a_batch_without_rows_is_refused(max_rows: int) -> None:
    with pytest.raises(OptionError, match=f"max_rows is {max_rows}"):
        Schedule(max_rows)
