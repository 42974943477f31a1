"""The scheduling policy, without tensors or threads: its invariants hold in any order of events."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentaudio.errors import OptionError
from agentaudio.model.step_audio_2.decoding.schedule import IDLE_TOKEN, MAX_WAIT_S, MAX_WAIT_SHARE, Schedule


class Batch(RuleBasedStateMachine):
    """Answers come, step, idle, finish and are cancelled in any order; `rows` stands for the tensors."""

    @initialize(max_rows=st.integers(1, 4))
    def start(self, max_rows: int) -> None:
        self.schedule: Schedule[int] = Schedule(max_rows)
        self.rows: list[int | None] = [None] * max_rows
        self.queue: deque[int] = deque()
        self.asked: dict[int, int] = {}
        self.served: dict[int, list[int]] = {}
        self.expected: dict[int, list[int]] = {}
        self.ended: list[int] = []
        self.arrived = 0

    def admit(self) -> None:
        while (answer := self.schedule.admit()) is not None:
            assert answer == self.queue.popleft(), "first come, first served"
            row = len(self.schedule.running) - 1
            assert self.rows[row] is None
            self.rows[row] = answer

    def submit(self, answer: int, token: int) -> None:
        self.schedule.submit(answer, token)
        self.asked[answer] = token
        self.admit()

    @rule(token=st.integers(1, 99))
    def arrive(self, token: int) -> None:
        answer = self.arrived
        self.arrived += 1
        self.queue.append(answer)
        self.served[answer], self.expected[answer] = [], []
        self.submit(answer, token)

    @precondition(lambda self: bool(set(self.schedule.running) - set(self.asked)))
    @rule(data=st.data(), token=st.integers(1, 99))
    def step(self, data: st.DataObject, token: int) -> None:
        self.submit(data.draw(st.sampled_from(sorted(set(self.schedule.running) - set(self.asked)))), token)

    @precondition(lambda self: self.schedule.wait_s(1.0) is not None)
    @rule()
    def decode(self) -> None:
        work = self.schedule.next_pass()
        assert len(work.tokens) == len(self.schedule.running)
        idle = set(range(len(work.tokens)))
        for row, answer in work.served:
            assert self.rows[row] == answer
            self.served[answer].append(work.tokens[row])
            self.expected[answer].append(self.asked.pop(answer))
            idle.remove(row)
        assert all(work.tokens[row] == IDLE_TOKEN for row in idle)
        assert not set(self.asked) & set(self.schedule.running), "a pass serves every row that has a token"

    @precondition(lambda self: len(self.ended) < self.arrived)
    @rule(data=st.data())
    def finish_or_cancel(self, data: st.DataObject) -> None:
        answer = data.draw(st.sampled_from([number for number in range(self.arrived) if number not in self.ended]))
        before = list(self.schedule.running)
        move = self.schedule.remove(answer)
        self.ended.append(answer)
        self.asked.pop(answer, None)
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
        assert not set(self.ended) & set(self.schedule.tokens), "whoever left is in no later pass"

    @invariant()
    def every_token_is_read_once_and_in_order(self) -> None:
        assert self.served == self.expected
        assert self.schedule.tokens == self.asked

    @invariant()
    def a_pass_never_waits_for_an_empty_batch_or_for_ever(self) -> None:
        ready = [answer in self.asked for answer in self.schedule.running]
        wait = self.schedule.wait_s(1.0)
        assert (wait is None) == (not any(ready))
        assert (wait == 0) == (any(ready) and all(ready))
        assert wait is None or wait <= MAX_WAIT_S

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
                assert not self.schedule.tokens or self.schedule.wait_s(1.0) is not None
                self.schedule.next_pass()
        assert not hasattr(self, "schedule") or not self.schedule.waiting


TestAnyOrder = Batch.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_pass_waits_a_fifth_of_the_last_one_for_idle_rows_and_at_most_5_ms() -> None:
    schedule: Schedule[str] = Schedule(2)
    for answer in ("a", "b"):
        schedule.submit(answer, 1)
        schedule.admit()
    schedule.next_pass()
    schedule.submit("a", 2)
    assert schedule.wait_s(0.01) == MAX_WAIT_SHARE * 0.01 == 0.002
    assert schedule.wait_s(1.0) == MAX_WAIT_S == 0.005


def test_a_second_token_before_the_first_was_read_is_a_mistake() -> None:
    schedule: Schedule[str] = Schedule(1)
    schedule.submit("a", 1)
    with pytest.raises(AssertionError):
        schedule.submit("a", 2)


@pytest.mark.parametrize("max_rows", [0, -1])
def test_a_batch_without_rows_is_refused(max_rows: int) -> None:
    with pytest.raises(OptionError, match=f"max_rows is {max_rows}"):
        Schedule(max_rows)
