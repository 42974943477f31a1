"""Answers that are decoded together are those that each would have been given alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_tiny import fresh  # noqa: E402

from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.model.step_audio_2.decoding.batching import DecodeBatch  # noqa: E402
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


def answer(model: Any, batch: DecodeBatch, length: int, tokens: int, ready: Callable[[], object]) -> list[int]:
    states, number = states_of(model, length)
    said = [number]
    ready()
    seat = batch.seat(states)
    while len(said) < tokens:
        said.append(int(seat.step(said[-1]).argmax()))
    seat.leave()
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
    seats = [batch.seat(states_of(model, 10 + k)[0]) for k in range(4)]
    rows, counting = count_passes(model)
    batch._last_pass_s = 1e3  # a pass waits as long as it ever does
    with counting, ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            list(threads.map(lambda seat: seat.step(65), seats))
    assert sum(rows) == 20 and len(rows) <= 8, "passes of four rows, but for a thread that came late"


def test_states_can_be_gone_on_from_after_a_seat_was_left(model: Any, batch: DecodeBatch) -> None:
    states, number = states_of(model, 12)
    said = [number]
    for _ in range(3):
        seat = batch.seat(states)
        for _ in range(2):
            said.append(int(seat.step(said[-1]).argmax()))
        seat.leave()
    assert said == alone(model, 12, 7)


def test_an_answer_that_waits_does_not_hold_the_others_up(model: Any, batch: DecodeBatch) -> None:
    idle, _ = states_of(model, 8)
    before = [layer.keys.clone() for layer in idle.cache.layers]
    seat = batch.seat(idle)
    assert answer(model, batch, 20, 6, lambda: None) == alone(model, 20, 6)
    seat.leave()
    assert all(torch.equal(layer.keys, keys) for layer, keys in zip(idle.cache.layers, before, strict=True))


def test_a_failure_of_the_pass_reaches_who_asked_and_no_later_one(model: Any, batch: DecodeBatch) -> None:
    states, number = states_of(model, 5)
    seat = batch.seat(states)

    def fail(*_: Any) -> None:
        raise MemoryError("no room")

    with model.model.register_forward_pre_hook(fail), pytest.raises(MemoryError):
        seat.step(number)
    said = [number, int(seat.step(number).argmax())]
    assert said == alone(model, 5, 2)


def test_a_seat_whose_states_find_no_room_is_free_again(
    model: Any, batch: DecodeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, number = states_of(model, 5)
    seat = batch.seat(states)
    seat.step(number)

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("no room for a copy")

    with monkeypatch.context() as context, pytest.raises(torch.OutOfMemoryError):
        context.setattr(batch._rows, "read", fail)
        seat.leave()
    assert batch._seats == []
    assert answer(model, batch, 9, 4, lambda: None) == alone(model, 9, 4)


def test_closing_tells_who_waits_and_ends_the_thread(model: Any) -> None:
    batch = DecodeBatch(model, contextlib.nullcontext())
    seat = batch.seat(states_of(model, 5)[0])
    entered, go_on = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        entered.set()
        go_on.wait()

    with model.model.register_forward_pre_hook(hold), ThreadPoolExecutor(2) as threads:
        first = threads.submit(seat.step, 65)
        entered.wait()
        second = threads.submit(batch.seat, States())
        batch.close()
        go_on.set()
        assert first.result() is not None
        with contextlib.suppress(BackendError):  # it may have come before the closing
            second.result()
    assert batch._thread is not None
    batch._thread.join(10)
    assert not batch._thread.is_alive()
    with pytest.raises(BackendError, match="was closed"):
        seat.step(65)


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_passes_say_the_same(model: Any) -> None:
    batch = DecodeBatch(model, contextlib.nullcontext(), compiled=True)
    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        tasks = [threads.submit(answer, model, batch, length, 6, together.wait) for length in (4, 30)]
        said = [task.result() for task in tasks]
    batch.close()
    assert said == [alone(model, length, 6) for length in (4, 30)]
