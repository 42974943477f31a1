"""Decodes several answers together: one pass over the weights gives each of them its next token.

Decoding is bound by memory bandwidth rather than arithmetic, so a pass for eight answers takes
little longer than a pass for one. `Schedule` decides who is in a pass, `Rows` holds the keys and
values, and `DecodeBatch` runs the passes in a thread of its own.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.rows import Rows
from agentaudio.model.step_audio_2.decoding.schedule import Pass, Schedule
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM

try:
    import torch
    from torch import Tensor
    from transformers import DynamicCache
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

MAX_ROWS = 64


@dataclass(eq=False, slots=True)
class Answer:
    """One answer in a batch, from its second token to its last.

    states: what the answer has read; the cache in it is empty while the answer has a row
    left: finished or cancelled; set by the batch
    """

    states: States
    left: bool = False


class DecodeBatch:
    """Decodes one token at a time for all answers that have a row.

    The batch's thread alone touches the schedule and the rows; other threads send it commands, which
    it runs between two passes. Answers may therefore join and leave at any time.

    device_lock: held during each pass
    compiled: use `torch.compile`, with CUDA graphs on a GPU. Shapes are then powers of two, and the
        first pass of each shape is slow.
    max_rows: answers that decode together; further ones wait for a row
    """

    def __init__(
        self,
        model: StepAudio2ForCausalLM,
        device_lock: AbstractContextManager[object],
        *,
        compiled: bool = False,
        max_rows: int = MAX_ROWS,
    ) -> None:
        self._model = model
        self._device_lock = device_lock
        self._compiled = compiled
        self._next_logits: Callable[[StepAudio2ForCausalLM, Tensor, Tensor, Rows], Tensor] = next_logits
        if compiled:
            mode = "reduce-overhead" if model.device.type == "cuda" else None
            self._next_logits = torch.compile(next_logits, mode=mode, fullgraph=True)
        self._schedule: Schedule[Answer] = Schedule(max_rows)
        self._rows = Rows(padded=compiled)
        self._replies: dict[Answer, Future[Tensor | None]] = {}
        self._last_pass_s = 0.0
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._lifecycle = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def step(self, answer: Answer, token_id: int) -> Tensor | None:
        """Read one more token of an answer; the first step takes over its states.

        returns: (vocab_size,) logits of the next token; None if the answer was cancelled

        Raises BackendError when the batch is closed, and what the pass raises. A token whose pass
        failed was not read, so the step may be repeated.
        """
        reply: Future[Tensor | None] = Future()
        self._send(lambda: self._submit(answer, token_id, reply), reply)
        return reply.result()

    def leave(self, answer: Answer) -> None:
        """Free the answer's row. Its states then hold all that was read.

        Raises torch.OutOfMemoryError when there is no room for the copy; the row is free even then.
        """
        done: Future[None] = Future()

        def leave() -> None:
            self._remove(answer)
            done.set_result(None)

        self._send(leave, done)
        done.result()

    def cancel(self, answer: Answer) -> None:
        """Have an answer leave, from any thread and without waiting: its `step` returns None after the present pass."""
        with suppress(BackendError):
            self._send(lambda: self._remove(answer), Future())

    def close(self) -> None:
        """End the thread and free the rows. Whoever waits for logits gets a BackendError."""
        with self._lifecycle:
            self._closed = True
            self._commands.put(None)

    def wait_closed(self) -> None:
        """Wait for the thread to end, after `close`."""
        if self._thread is not None:
            self._thread.join()

    def _send(self, run: Callable[[], None], reply: Future[Any]) -> None:
        with self._lifecycle:
            if self._closed:
                raise BackendError("the model was closed; load it again")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="step-audio-2-decoder", daemon=True)
                self._thread.start()
            self._commands.put(_Command(run, reply))

    # Everything below runs in the batch's thread.

    @torch.no_grad()
    def _work(self) -> None:
        try:
            while self._run_one():
                pass
        finally:
            with self._lifecycle:
                self._closed = True
            self._abandon()

    def _run_one(self) -> bool:
        """Run a command or a pass; False when the batch is closed."""
        try:
            command = self._commands.get(timeout=self._schedule.wait_s(self._last_pass_s))
        except queue.Empty:
            self._run_pass(self._schedule.next_pass())
            return True
        if command is None:
            return False
        try:
            command.run()
        except Exception as failure:
            command.reply.set_exception(failure)
        self._admit()
        return True

    def _submit(self, answer: Answer, token_id: int, reply: Future[Tensor | None]) -> None:
        if answer.left:
            reply.set_result(None)
            return
        self._schedule.submit(answer, token_id)
        self._replies[answer] = reply

    def _admit(self) -> None:
        while (answer := self._schedule.admit()) is not None:
            row = len(self._schedule.running) - 1
            layers = [(layer.keys, layer.values) for layer in answer.states.cache.layers]
            try:
                self._rows.reserve(row + 1, len(answer.states) + 1, layers)
                self._rows.write(row, layers)
                answer.states.cache = DynamicCache()
            except Exception as failure:
                self._schedule.remove(answer)
                self._replies.pop(answer).set_exception(failure)

    def _remove(self, answer: Answer) -> None:
        answer.left = True
        running = self._schedule.running
        had_row = answer in running
        try:
            if had_row:
                answer.states.cache = DynamicCache(self._rows.read(running.index(answer), len(answer.states)))
        finally:
            move = self._schedule.remove(answer)
            if move is not None:
                source, target = move
                self._rows.move(source, target, len(running[target].states))
            if had_row and not running:
                self._rows.release()
            reply = self._replies.pop(answer, None)
            if reply is not None:
                reply.set_result(None)

    def _run_pass(self, work: Pass[Answer]) -> None:
        start = time.perf_counter()
        try:
            logits = self._decode(work.tokens)
        except Exception as failure:
            for _, answer in work.served:
                self._replies.pop(answer).set_exception(failure)
            return
        self._last_pass_s = time.perf_counter() - start
        for row, answer in work.served:
            answer.states.positions.append(work.tokens[row])
            self._replies.pop(answer).set_result(logits[row])

    def _decode(self, tokens: list[int]) -> Tensor:
        """Logits after one token in each row: (rows, vocab_size)."""
        lengths = [len(answer.states) for answer in self._schedule.running]
        self._rows.reserve(len(lengths), max(lengths) + 1)
        padding = [0] * (self._rows.used - len(lengths))
        device = self._model.get_input_embeddings().weight.device
        ids = torch.tensor(tokens + padding).to(device)
        positions = torch.tensor(lengths + padding).to(device)
        with self._device_lock:
            logits = self._next_logits(self._model, ids[:, None], positions[:, None], self._rows)
            # The next run of a CUDA graph overwrites what this one returned.
            return logits.clone() if self._compiled else logits

    def _abandon(self) -> None:
        """Fail whatever still waits, and free the rows."""
        waiting: list[Future[Any]] = list(self._replies.values())
        while not self._commands.empty():
            command = self._commands.get()
            if command is not None:
                waiting.append(command.reply)
        for reply in waiting:
            reply.set_exception(BackendError("the model was closed while it was generating"))
        self._rows.clear()


@dataclass(frozen=True, slots=True)
class _Command:
    """run: called in the batch's thread, resolves `reply` now or in a later pass"""

    run: Callable[[], None]
    reply: Future[Any]


def next_logits(model: StepAudio2ForCausalLM, ids: Tensor, positions: Tensor, rows: Rows) -> Tensor:
    """Logits after one token in each row: (rows, vocab_size).

    ids, positions: (rows, 1) int64
    """
    rows.positions = positions[:, 0]
    masks = {"full_attention": rows.mask(positions)}
    output = model(input_ids=ids, position_ids=positions, attention_mask=masks, past_key_values=rows, use_cache=True)
    logits: Tensor = output.logits[:, -1]
    return logits
