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
from agentaudio.model.step_audio_2.decoding.passes import Passes  # noqa: E402
from agentaudio.model.step_audio_2.decoding.prefix_cache import States  # noqa: E402
from agentaudio.model.step_audio_2.decoding.rows import Rows  # noqa: E402
from agentaudio.model.step_audio_2.decoding.sampling import Samplers  # noqa: E402
from agentaudio.model.step_audio_2.settings import Sampling  # noqa: E402

GREEDY = Sampling(0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def model() -> Any:
    return fresh()


@pytest.fixture
def batch(model: Any) -> Iterator[DecodeBatch]:
    made = DecodeBatch(Passes(model), contextlib.nullcontext())
    yield made
    made.close()
    made.wait_closed()


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


def begun(model: Any, length: int, tokens: int, sampling: Sampling = GREEDY) -> tuple[Answer, list[int]]:
    """An answer that has its first token, and the list that its tokens go to."""
    states, number = states_of(model, length)
    samplers = Samplers(1, model.config.text_config.vocab_size, torch.device("cpu"))
    samplers.set(0, sampling)
    said = [number]

    def take(token: int) -> bool:
        said.append(token)
        return False

    return Answer(states, number, samplers, tokens - 1, take), said


def run(
    model: Any,
    batch: DecodeBatch,
    length: int,
    tokens: int,
    ready: Callable[[], object] = lambda: None,
    sampling: Sampling = GREEDY,
) -> list[int]:
    answer, said = begun(model, length, tokens, sampling)
    ready()
    batch.run(answer)
    assert len(said) == tokens
    assert answer.states.positions[length:] == said[: len(answer.states) - length]
    assert tokens - 1 <= answer.states.cache.get_seq_length() - length == len(answer.states) - length <= tokens
    return said


def together(model: Any, batch: DecodeBatch, *answers: tuple[int, int], sampling: Sampling = GREEDY) -> list[list[int]]:
    """Answers of these lengths of prompt and numbers of tokens, which begin at the same time."""
    barrier = threading.Barrier(len(answers))
    with ThreadPoolExecutor(len(answers)) as threads:
        tasks = [threads.submit(run, model, batch, *answer, barrier.wait, sampling) for answer in answers]
        return [task.result() for task in tasks]


def count_passes(model: Any) -> tuple[list[int], Any]:
    """A list of how many rows each pass of one token had, and what ends the counting."""
    rows: list[int] = []
    return rows, model.model.norm.register_forward_hook(lambda _, __, x: rows.append(len(x)) if x.ndim == 2 else None)


def test_answers_begin_and_end_whenever_they_like(model: Any, batch: DecodeBatch) -> None:
    # Lengths on both sides of what is reserved at first, so that rows grow while others are in use.
    answers = list(zip([3, 250, 17, 90, 5, 255], [9, 14, 3, 20, 2, 8], strict=True))
    assert together(model, batch, *answers) == [alone(model, *answer) for answer in answers]


def test_a_pass_serves_all_that_have_a_row(model: Any, batch: DecodeBatch) -> None:
    rows, counting = count_passes(model)
    entered, go_on, holding = hold_pass(model)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(run, model, batch, 10, 3)
        assert entered.wait(10)
        # These wait for the pass that is held, and are in all passes after it.
        others = [threads.submit(batch.run, begun(model, 11 + k, 6)[0]) for k in range(3)]
        while batch._commands.qsize() < 3:
            time.sleep(0.001)
        holding.remove()
        go_on.set()
        assert first.result() == alone(model, 10, 3)
        for other in others:
            other.result()
    counting.remove()
    assert rows == [1, 4, 3, 3, 3, 3]


def test_more_answers_than_rows_are_the_same_answers(model: Any) -> None:
    batch = DecodeBatch(Passes(model, 2), contextlib.nullcontext())
    rows, counting = count_passes(model)
    answers = [(4 + k, 6) for k in range(5)]
    with counting:
        said = together(model, batch, *answers)
    batch.close()
    assert said == [alone(model, *answer) for answer in answers]
    assert max(rows) == 2


@pytest.mark.parametrize("reads_late", [False, True])
def test_sampled_answers_are_the_same_together_and_alone(model: Any, reads_late: bool) -> None:
    sampling = Sampling(0.9, 0.95, 1.1, seed=5)
    batch = DecodeBatch(Passes(model), contextlib.nullcontext(), reads_late=reads_late)
    answers = [(4, 9), (30, 4), (12, 7)]
    one_by_one = [run(model, batch, *answer, sampling=sampling) for answer in answers]
    assert together(model, batch, *answers, sampling=sampling) == one_by_one
    batch.close()


def test_tokens_read_late_are_the_same_tokens(model: Any) -> None:
    batch = DecodeBatch(Passes(model), contextlib.nullcontext(), reads_late=True)
    answers = [(3, 9), (250, 14), (17, 2), (90, 20)]
    assert together(model, batch, *answers) == [alone(model, *answer) for answer in answers]
    batch.close()


def test_an_answer_takes_nothing_after_its_end(model: Any) -> None:
    for reads_late in (False, True):
        batch = DecodeBatch(Passes(model), contextlib.nullcontext(), reads_late=reads_late)
        answer, said = begun(model, 6, 50)
        answer.take = lambda token, said=said: said.append(token) or len(said) == 4  # type: ignore[misc]
        batch.run(answer)
        assert said == alone(model, 6, 4)
        # What was read late has been read all the same.
        assert answer.states.positions[6:] == said[: 4 if reads_late else 3]
        batch.close()


def test_states_can_be_continued_after_an_answer_ended(model: Any, batch: DecodeBatch) -> None:
    answer, said = begun(model, 12, 3)
    batch.run(answer)
    following, more = begun(model, 1, 4)
    following.states, following.first = answer.states, said[-1]
    batch.run(following)
    assert said + more[1:] == alone(model, 12, 6)


def test_a_failed_pass_ends_all_its_answers_and_keeps_what_they_had_read(model: Any, batch: DecodeBatch) -> None:
    answer, said = begun(model, 5, 9)
    fail_after(model, 3)
    with pytest.raises(MemoryError):
        batch.run(answer)
    assert said == alone(model, 5, 4)
    assert len(answer.states) == answer.states.cache.get_seq_length() == 5 + 3
    assert run(model, batch, 9, 4) == alone(model, 9, 4)


def test_an_answer_that_fails_to_take_a_token_fails_alone(model: Any, batch: DecodeBatch) -> None:
    def refuse(_: int) -> bool:
        raise ValueError("no")

    answer, _ = begun(model, 5, 9)
    answer.take = refuse
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(run, model, batch, 7, 6)
        with pytest.raises(ValueError, match="no"):
            batch.run(answer)
        assert other.result() == alone(model, 7, 6)


def test_states_that_do_not_fit_stay_with_their_answer(
    model: Any, batch: DecodeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, _ = begun(model, 5, 2)

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("no room for a row")

    with monkeypatch.context() as context, pytest.raises(torch.OutOfMemoryError):
        context.setattr(rows_of(batch), "reserve", fail)
        batch.run(answer)
    assert batch._schedule.running == [] and len(answer.states) == answer.states.cache.get_seq_length() == 5
    assert run(model, batch, 5, 2) == alone(model, 5, 2)


def test_states_that_cannot_be_copied_out_are_read_again(
    model: Any, batch: DecodeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, said = begun(model, 5, 4)

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("no room for a copy")

    with monkeypatch.context() as context:
        context.setattr(rows_of(batch), "read", fail)
        batch.run(answer)
    assert said == alone(model, 5, 4)
    assert len(answer.states) == answer.states.cache.get_seq_length() == 0
    assert run(model, batch, 9, 4) == alone(model, 9, 4)


def rows_of(batch: DecodeBatch) -> Rows:
    """The keys and values of a batch."""
    assert isinstance(batch._passes, Passes)
    return batch._passes.rows


def fail_after(model: Any, passes: int) -> None:
    """Make the pass after so many fail, once."""
    count = 0

    def fail(_: Any, inputs: Any) -> None:
        nonlocal count
        count += inputs[0].ndim == 2
        if count > passes:
            hook.remove()
            raise MemoryError("no room")

    hook = model.model.norm.register_forward_pre_hook(fail)


def hold_pass(model: Any) -> tuple[threading.Event, threading.Event, Any]:
    """When a pass has begun, what lets it go on, and what ends the holding."""
    entered, go_on = threading.Event(), threading.Event()

    def hold(_: Any, inputs: Any) -> None:
        if inputs[0].ndim == 2:  # a pass, not a prompt
            entered.set()
            go_on.wait(30)

    return entered, go_on, model.model.norm.register_forward_pre_hook(hold)


def test_cancelling_wakes_an_answer_that_waits_for_a_row(model: Any) -> None:
    batch = DecodeBatch(Passes(model, 1), contextlib.nullcontext())
    (running, said), (waiting, nothing) = begun(model, 5, 4000), begun(model, 7, 9)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(batch.run, running), threads.submit(batch.run, waiting)
        while not batch._schedule.waiting:
            time.sleep(0.001)
        late = batch._schedule.waiting[0]
        batch.cancel(late)
        (second if late is waiting else first).result(10)
        batch.cancel(running)
        batch.cancel(waiting)
        first.result(10), second.result(10)
    assert len(late.states) == late.states.cache.get_seq_length() in (5, 7)
    assert 1 in (len(said), len(nothing))
    batch.close()


def test_cancelling_during_a_pass_takes_effect_after_it(model: Any, batch: DecodeBatch) -> None:
    answer, said = begun(model, 5, 4000)
    entered, go_on, holding = hold_pass(model)
    with ThreadPoolExecutor(1) as threads:
        step = threads.submit(batch.run, answer)
        assert entered.wait(10)
        holding.remove()
        batch.cancel(answer)
        go_on.set()
        step.result(10)
    assert len(said) <= 2
    assert len(answer.states) == answer.states.cache.get_seq_length() == 5 + len(said) - 1


def test_closing_fails_who_waits_and_ends_the_thread(model: Any) -> None:
    batch = DecodeBatch(Passes(model, 1), contextlib.nullcontext())
    entered, go_on, holding = hold_pass(model)
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(batch.run, begun(model, 5, 4000)[0])
        assert entered.wait(10)
        queued = threads.submit(batch.run, begun(model, 6, 2)[0])
        while batch._commands.empty():
            time.sleep(0.001)
        holding.remove()
        batch.close()
        go_on.set()
        for one in (running, queued):
            with pytest.raises(BackendError, match="was closed while"):
                one.result(10)
    batch.wait_closed()
    assert batch._thread is not None and not batch._thread.is_alive()
    with pytest.raises(BackendError, match="was closed"):
        batch.run(begun(model, 5, 2)[0])
    batch.cancel(begun(model, 5, 2)[0])


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trace as ever, and leave out the code generation, which takes most of a minute."""
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda step, options, **rest: compile(step, backend="eager", **rest))


@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("reads_late", [False, True])
def test_compiled_passes_say_the_same_and_compile_nothing_more(model: Any, reads_late: bool) -> None:
    batch = DecodeBatch(Passes(model, 3), contextlib.nullcontext(), reads_late=reads_late)
    batch.prepare(8, model.config.text_config.max_position_embeddings)
    assert batch.compiled
    compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    # The second grows into the next length, and more answers than rows come and go.
    answers = [(4, 6), (2045, 12), (30, 9), (5, 3)]
    assert together(model, batch, *answers) == [alone(model, *answer) for answer in answers]
    sampling = Sampling(0.9, 0.95, 1.1, seed=5)
    sampled = together(model, batch, *answers, sampling=sampling)
    batch.close()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == compiled
    plain = DecodeBatch(Passes(model), contextlib.nullcontext())
    assert sampled == [run(model, plain, *answer, sampling=sampling) for answer in answers]
    plain.close()


def test_what_fails_to_compile_stays_eager(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no compiler")

    batch = DecodeBatch(Passes(model), contextlib.nullcontext())
    with monkeypatch.context() as context, pytest.raises(RuntimeError, match="no compiler"):
        context.setattr(torch, "compile", fail)
        batch.prepare(2, 4096)
    assert not batch.compiled
    assert run(model, batch, 5, 4) == alone(model, 5, 4)
    batch.close()
