"""Several answers decoded together: one pass over the weights gives each of them its next token.

Decoding is bound by how fast the weights are read, not by arithmetic, so a pass for eight answers
takes hardly longer than one for a single answer.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM

try:
    import torch
    from torch import Tensor
    from transformers import DynamicCache
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

LEAST_LENGTH = 256
PATIENCE = 0.2
"""How long a pass waits for an answer that is still choosing its token, as a share of the last pass."""
MAX_PATIENCE_S = 0.005


class DecodeBatch:
    """Decodes one token at a time for all answers that have a seat.

    The passes run in a thread of their own: it takes what is asked for while the pass before runs, so
    answers begin and end whenever they like.

    turns: held around every pass
    compiled: with `torch.compile`, and CUDA graphs on a GPU; the shapes of a pass are then powers of
        two, and the first pass of each shape takes long
    """

    def __init__(
        self, model: StepAudio2ForCausalLM, turns: AbstractContextManager[object], *, compiled: bool = False
    ) -> None:
        self._model, self._turns, self._compiled = model, turns, compiled
        self._step: Callable[[StepAudio2ForCausalLM, Tensor, Tensor, _Rows], Tensor] = _next_logits
        if compiled:
            mode = "reduce-overhead" if model.device.type == "cuda" else None
            self._step = torch.compile(_next_logits, mode=mode, fullgraph=True)
        self._rows = _Rows(padded=compiled)
        self._seats: list[Seat] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._asked: dict[Seat, tuple[int, Future[Tensor]]] = {}
        self._last_pass_s = 0.0
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def seat(self, states: States) -> Seat:
        """A seat for an answer that goes on from these states, which are empty until the seat is left.

        Raises BackendError when the batch was closed.
        """
        seat = Seat(self, states)
        self._do(lambda: self._enter(seat))
        return seat

    def close(self) -> None:
        """End the thread, and free the states. Whoever waits for a token gets a BackendError."""
        with self._starting:
            self._closed = True
            self._jobs.put(None)

    def join(self) -> None:
        """Wait for the thread to end, after `close`."""
        if self._thread is not None:
            self._thread.join()

    def ask(self, seat: Seat, token_id: int) -> Tensor:
        """Logits of what follows a token of this seat's answer: (vocab_size,)."""
        answer: Future[Tensor] = Future()

        def note() -> None:
            self._asked[seat] = token_id, answer

        self._put(_Job(note, answer))
        return answer.result()

    def leave(self, seat: Seat) -> None:
        """Give the states back to the seat's answer."""
        self._do(lambda: self._give_back(seat))

    def _do(self, task: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            try:
                task()
            except BaseException as failure:
                done.set_exception(failure)
            else:
                done.set_result(None)

        self._put(_Job(run, done))
        done.result()

    def _put(self, job: _Job) -> None:
        with self._starting:
            if self._closed:
                raise BackendError("the model was closed; load it again")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="step-audio-2-decoder", daemon=True)
                self._thread.start()
            self._jobs.put(job)

    @torch.no_grad()
    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._patience())
            except queue.Empty:
                self._pass()
                continue
            if job is None:
                break
            job.run()
        waiting: list[Future[Any]] = [answer for _, answer in self._asked.values()]
        while not self._jobs.empty():
            job = self._jobs.get()
            waiting += [job.done] if job else []
        for future in waiting:
            future.set_exception(BackendError("the model was closed while it was generating"))
        self._rows.clear()

    def _patience(self) -> float | None:
        """Seconds to wait for another job before the next pass; None when nobody asked for one."""
        if not self._asked:
            return None
        if len(self._asked) == len(self._seats):
            return 0.0
        return min(PATIENCE * self._last_pass_s, MAX_PATIENCE_S)

    def _pass(self) -> None:
        asked, self._asked = self._asked, {}
        begin = time.perf_counter()
        try:
            logits = self._decode({seat: token_id for seat, (token_id, _) in asked.items()})
        except BaseException as failure:
            for _, answer in asked.values():
                answer.set_exception(failure)
            return
        self._last_pass_s = time.perf_counter() - begin
        for seat, (token_id, answer) in asked.items():
            seat.states.positions.append(token_id)
            answer.set_result(logits[self._seats.index(seat)])

    def _decode(self, tokens: dict[Seat, int]) -> Tensor:
        """(rows, vocab_size) logits. A seat that asked for nothing is worked on for nothing: what is
        written for it stands where its next token will be written."""
        lengths = [len(seat.states) for seat in self._seats]
        self._rows.reserve(len(lengths), max(lengths) + 1)
        spare = self._rows.used - len(lengths)
        device = self._model.get_input_embeddings().weight.device
        ids = torch.tensor([tokens.get(seat, 0) for seat in self._seats] + [0] * spare).to(device)
        positions = torch.tensor(lengths + [0] * spare).to(device)
        with self._turns:
            # What a CUDA graph returns is overwritten by its next run.
            logits = self._step(self._model, ids[:, None], positions[:, None], self._rows)
            return logits.clone() if self._compiled else logits

    def _enter(self, seat: Seat) -> None:
        states = seat.states
        layers = [(layer.keys, layer.values) for layer in states.cache.layers]
        self._rows.reserve(len(self._seats) + 1, len(states) + 1, layers)
        self._rows.write(len(self._seats), layers)
        self._seats.append(seat)
        states.cache = DynamicCache()

    def _give_back(self, seat: Seat) -> None:
        row, last = self._seats.index(seat), len(self._seats) - 1
        try:
            seat.states.cache = DynamicCache(self._rows.read(row, len(seat.states)))
        finally:  # a row that nobody sits in would be decoded for ever
            self._vacate(row, last)

    def _vacate(self, row: int, last: int) -> None:
        if row != last:
            self._rows.move(last, row, len(self._seats[last].states))
            self._seats[row] = self._seats[last]
        del self._seats[last]
        if not self._seats:
            self._rows.rest()


@dataclass(frozen=True, slots=True)
class _Job:
    """done: what somebody waits for; `run` sees to it, now or in the next pass"""

    run: Callable[[], None]
    done: Future[Any]


class Seat:
    """One answer's place in a batch, from its second token to its last. Not for several threads."""

    def __init__(self, batch: DecodeBatch, states: States) -> None:
        self._batch = batch
        self.states = states

    def step(self, token_id: int) -> Tensor:
        """Read one token more: (vocab_size,) logits of the next."""
        return self._batch.ask(self, token_id)

    def leave(self) -> None:
        """End: the states hold what was read."""
        self._batch.leave(self)


class _Rows:
    """Keys and values of all answers, a row for each: the cache that the model is given.

    padded: use all rows and positions there are, so that few shapes occur
    """

    def __init__(self, padded: bool) -> None:
        self._padded = padded
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self.positions: Tensor
        self.used = self.length = 0

    def reserve(self, rows: int, length: int, like: Sequence[tuple[Tensor, Tensor]] = ()) -> None:
        """Make room for so many answers of up to so many positions, and use that much of it.

        like: keys and values of an answer, for the first time
        """
        if not self._keys:
            self._keys = [keys[:, :, :0] for keys, _ in like]
            self._values = [values[:, :, :0] for _, values in like]
        tensors = (*self._keys, *self._values)
        has_rows = min(kept.shape[0] for kept in tensors)
        has_length = min(kept.shape[2] for kept in tensors)
        if rows > has_rows or length > has_length:
            has_rows = max(has_rows, _power_of_two(rows))
            has_length = max(has_length, _power_of_two(max(length, LEAST_LENGTH)))
            # Layer by layer: all old and all new ones together may be more than the memory holds.
            for kept in (self._keys, self._values):
                for layer, old in enumerate(kept):
                    kept[layer] = self._larger(old, has_rows, has_length)
        self.used, self.length = (has_rows, has_length) if self._padded else (rows, length)

    def _larger(self, old: Tensor, rows: int, length: int) -> Tensor:
        made = old.new_zeros(rows, old.shape[1], length, old.shape[3])
        made[: old.shape[0], :, : old.shape[2]] = old
        if self._padded:  # or a CUDA graph would copy the whole of it every time
            torch._dynamo.mark_static_address(made, guard=False)
        return made

    def mask(self, positions: Tensor) -> Tensor | None:
        """(rows, 1, 1, length) bool, what each row may look at; None when that is everything.

        positions: (rows, 1) int64
        """
        if len(positions) == 1 and not self._padded:
            return None
        return (torch.arange(self.length, device=positions.device) <= positions)[:, None, None]

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write what a layer makes of the new tokens, (rows, heads, 1, size) each; its whole keys and values."""
        kept_keys, kept_values = self._keys[layer], self._values[layer]
        positions = self.positions.to(keys.device)
        rows = torch.arange(len(positions), device=keys.device)
        kept_keys[rows, :, positions] = keys[:, :, 0]
        kept_values[rows, :, positions] = values[:, :, 0]
        return kept_keys[: self.used, :, : self.length], kept_values[: self.used, :, : self.length]

    def write(self, row: int, layers: Sequence[tuple[Tensor, Tensor]]) -> None:
        for layer, (keys, values) in enumerate(layers):
            self._keys[layer][row, :, : keys.shape[2]] = keys[0]
            self._values[layer][row, :, : values.shape[2]] = values[0]

    def read(self, row: int, length: int) -> list[tuple[Tensor, Tensor]]:
        """Copies of a row's keys and values, (1, heads, length, size) each."""

        def copied(kept: Tensor) -> Tensor:
            return kept[row : row + 1, :, :length].clone()

        return [(copied(keys), copied(values)) for keys, values in zip(self._keys, self._values, strict=True)]

    def move(self, row: int, to: int, length: int) -> None:
        for kept in (*self._keys, *self._values):
            kept[to, :, :length] = kept[row, :, :length]

    def rest(self) -> None:
        """Nobody is here. New tensors would make a compiled pass slow again, so it keeps those for one answer."""
        if not self._padded or self._keys[0].shape[0] > 1:
            self.clear()

    def clear(self) -> None:
        self._keys, self._values = [], []


def _next_logits(model: StepAudio2ForCausalLM, ids: Tensor, positions: Tensor, rows: _Rows) -> Tensor:
    """(rows, vocab_size), of tokens and their positions, (rows, 1) int64 each."""
    rows.positions = positions[:, 0]
    masks = {"full_attention": rows.mask(positions)}
    output = model(input_ids=ids, position_ids=positions, attention_mask=masks, past_key_values=rows, use_cache=True)
    logits: Tensor = output.logits[:, -1]
    return logits


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
