"""Answers decoded in a batch equal those decoded one by one."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_tiny import fresh  # noqa: E402

from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.model.step_audio_2.decoding.batching import Answer, DecodeBatch  # noqa: E402
from agentaudio.model.step_audio_2.decoding.prefix_cache import States  # noqa: E402

ANSWERS = 6


@pytest.fixture(scope="module")
def model() -> Any:
    return fresh()


@pytest.fixture
def batch(model: Any) -> Iterator[DecodeBatch]:
    made = DecodeBatch(model, contextlib.nullcontext())
    yield made
    made.close()


def states_of(model: Any, length: int) -> tuple[States, int]:
    """What a model knows after a prompt of this length, and its first token."""
    ids = [(7 * k) % 200 for k in range(length)]
    states = States()
    with torch.no_grad():
        output = model(torch.tensor([ids]), past_key_values=states.cache, use_cache=True, logits_to_keep=1)
    states.positions += ids
    return states, int(output.logits[0, -1].argmax())


def alone(model: Any, length: int, tokens: int) -> list[int]:
    """The greedy answer of the plain model, every token of which is worked out from the beginning."""
    ids = [(7 * k) % 200 for k in range(length)]
    with torch.no_grad():
        for _ in range(tokens):
            ids.append(int(model(torch.tensor([ids]), logits_to_keep=1).logits[0, -1].argmax()))
    return ids[length:]


def greedy(batch: DecodeBatch, decoding: Answer, number: int) -> int:
    logits = batch.step(decoding, number)
    assert logits is not None, "cancelled"
    return int(logits.argmax())


def answer(model: Any, batch: DecodeBatch, length: int, tokens: int, ready: Callable[[], object]) -> list[int]:
    states, number = states_of(model, length)
    said = [number]
    ready()
    decoding = Answer(states)
    while len(said) < tokens:
        said.append(greedy(batch, decoding, said[-1]))
    batch.leave(decoding)
    assert len(states) == states.cache.get_seq_length() == length + tokens - 1
    return said


def count_passes(model: Any) -> tuple[list[int], Any]:
    """A list of how many rows each pass had, and what ends the counting."""
    rows: list[int] = []
    return rows, model.model.register_forward_hook(lambda _, __, output: rows.append(len(output.last_hidden_state)))


def test_answers_begin_and_end_whenever_they_like(model: Any, batch: DecodeBatch) -> None:
    # Lengths on both sides of what is reserved at first, so that rows grow while others are in use.
    lengths, tokens = [3, 250, 17, 90, 5, 255], [9, 14, 3, 20, 2, 8]
    together = threading.Barrier(ANSWERS)
    with ThreadPoolExecutor(ANSWERS) as threads:
        tasks = [
            threads.submit(answer, model, batch, length, count, together.wait)
            for length, count in zip(lengths, tokens, strict=True)
        ]
        said = [task.result() for task in tasks]
    assert said == [alone(model, length, count) for length, count in zip(lengths, tokens, strict=True)]


def test_one_pass_serves_all_that_wait(model: Any, batch: DecodeBatch) -> None:
    answers = [Answer(states_of(model, 10 + k)[0]) for k in range(4)]
    rows, counting = count_passes(model)
    batch._last_pass_s = 1e3  # a pass waits as long as it ever does
    with counting, ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            list(threads.map(lambda decoding: batch.step(decoding, 65), answers))
    assert sum(rows) >= 20 and len(rows) <= 8, "passes of four rows, except where a thread came late"


def test_more_answers_than_rows_are_the_same_answers(model: Any) -> None:
    batch = DecodeBatch(model, contextlib.nullcontext(), max_rows=2)
    rows, counting = count_passes(model)
    together = threading.Barrier(5)
    with counting, ThreadPoolExecutor(5) as threads:
        tasks = [threads.submit(answer, model, batch, 4 + k, 6, together.wait) for k in range(5)]
        said = [task.result() for task in tasks]
    batch.close()
    assert said == [alone(model, 4 + k, 6) for k in range(5)]
    # The prompts, of one row each, are counted too.
    assert max(rows) == 2


def test_states_can_be_continued_after_an_answer_left(model: Any, batch: DecodeBatch) -> None:
    states, number = states_of(model, 12)
    said = [number]
    for _ in range(3):
        decoding = Answer(states)
        for _ in range(2):
            said.append(greedy(batch, decoding, said[-1]))
        batch.leave(decoding)
    assert said == alone(model, 12, 7)


def test_an_idle_row_keeps_its_states_and_delays_no_other(model: Any, batch: DecodeBatch) -> None:
    idle, number = states_of(model, 8)
    decoding = Answer(idle)
    said = [number, greedy(batch, decoding, number)]
    assert answer(model, batch, 20, 6, lambda: None) == alone(model, 20, 6)
    said.append(greedy(batch, decoding, said[-1]))
    batch.leave(decoding)
    assert said == alone(model, 8, 3)


def test_a_failed_pass_reaches_who_waits_and_can_be_repeated(model: Any, batch: DecodeBatch) -> None:
    states, number = states_of(model, 5)
    decoding = Answer(states)

    def fail(*_: Any) -> None:
        raise MemoryError("no room")

    with model.model.register_forward_pre_hook(fail), pytest.raises(MemoryError):
        batch.step(decoding, number)
    assert [number, greedy(batch, decoding, number)] == alone(model, 5, 2)


def test_states_that_do_not_fit_stay_with_their_answer(
    model: Any, batch: DecodeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, number = states_of(model, 5)
    decoding = Answer(states)

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("no room for a row")

    with monkeypatch.context() as context, pytest.raises(torch.OutOfMemoryError):
        context.setattr(batch._rows, "reserve", fail)
        batch.step(decoding, number)
    assert batch._schedule.running == [] and len(states) == states.cache.get_seq_length() == 5
    assert [number, greedy(batch, decoding, number)] == alone(model, 5, 2)


def test_a_row_that_cannot_be_copied_out_is_free_again(
    model: Any, batch: DecodeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, number = states_of(model, 5)
    decoding = Answer(states)
    batch.step(decoding, number)

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("no room for a copy")

    with monkeypatch.context() as context, pytest.raises(torch.OutOfMemoryError):
        context.setattr(batch._rows, "read", fail)
        batch.leave(decoding)
    assert batch._schedule.running == []
    assert answer(model, batch, 9, 4, lambda: None) == alone(model, 9, 4)


def hold_pass(model: Any) -> tuple[threading.Event, threading.Event, Any]:
    """When a pass has begun, what lets it go on, and what ends the holding."""
    entered, go_on = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        entered.set()
        go_on.wait(30)

    return entered, go_on, model.model.register_forward_pre_hook(hold)


def test_cancelling_wakes_an_answer_that_waits_for_a_row(model: Any) -> None:
    batch = DecodeBatch(model, contextlib.nullcontext(), max_rows=1)
    running, (states, number) = Answer(states_of(model, 5)[0]), states_of(model, 7)
    waiting = Answer(states)
    batch.step(running, 65)
    with ThreadPoolExecutor(1) as threads:
        step = threads.submit(batch.step, waiting, number)
        while not batch._schedule.waiting:
            time.sleep(0.001)
        batch.cancel(waiting)
        assert step.result(10) is None
    assert batch.step(waiting, number) is None, "a cancelled answer does not come back"
    batch.leave(waiting)
    assert len(states) == states.cache.get_seq_length() == 7
    batch.close()


def test_cancelling_during_a_pass_takes_effect_after_it(model: Any, batch: DecodeBatch) -> None:
    states, number = states_of(model, 5)
    decoding = Answer(states)
    entered, go_on, holding = hold_pass(model)
    with holding, ThreadPoolExecutor(1) as threads:
        step = threads.submit(batch.step, decoding, number)
        assert entered.wait(10)
        batch.cancel(decoding)
        go_on.set()
        assert step.result(10) is not None
    assert batch.step(decoding, number) is None
    assert states.positions[-1] == number and len(states) == states.cache.get_seq_length() == 6


def test_closing_fails_who_waits_and_ends_the_thread(model: Any) -> None:
    batch = DecodeBatch(model, contextlib.nullcontext(), max_rows=1)
    first, second = Answer(states_of(model, 5)[0]), Answer(states_of(model, 6)[0])
    entered, go_on, holding = hold_pass(model)
    with holding, ThreadPoolExecutor(2) as threads:
        served = threads.submit(batch.step, first, 65)
        assert entered.wait(10)
        queued = threads.submit(batch.step, second, 65)
        while batch._commands.empty():
            time.sleep(0.001)
        batch.close()
        go_on.set()
        assert served.result(10) is not None
        with pytest.raises(BackendError, match="was closed while"):
            queued.result(10)
    batch.wait_closed()
    assert batch._thread is not None and not batch._thread.is_alive()
    with pytest.raises(BackendError, match="was closed"):
        batch.step(first, 65)
    batch.cancel(first)


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_passes_say_the_same(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Traces and pads as ever, and leaves out the code generation, which takes most of a minute.
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda step, **options: compile(step, backend="eager", fullgraph=True))
    batch = DecodeBatch(model, contextlib.nullcontext(), compiled=True)
    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        tasks = [threads.submit(answer, model, batch, length, 6, together.wait) for length in (4, 30)]
        said = [task.result() for task in tasks]
    batch.close()
    assert said == [alone(model, length, 6) for length in (4, 30)]
