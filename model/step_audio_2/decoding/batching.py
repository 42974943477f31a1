"""Decodes several answers together: one pass over the weights gives each of them its next token.

Decoding is bound by memory bandwidth rather than arithmetic, so a pass for eight answers takes little longer
than a pass for one. `Schedule` decides who has a row, `Passes` computes, and `DecodeBatch` runs the passes in
a thread of its own. On a GPU it enqueues the next pass before it reads the tokens of the last one, so the GPU
never waits for the host.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.step_audio_2.decoding.buckets import Buckets
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.runtime_passes import RuntimePasses
from agentaudio.model.step_audio_2.decoding.sampling import Samplers
from agentaudio.model.step_audio_2.decoding.schedule import Schedule
from agentaudio.model.step_audio_2.lane import Lane

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Answer:
    """One answer in a batch, from its second token to its last.

    states: what the answer has read; the cache in it is empty while the answer has a row
    first: the first token, chosen from the logits of the prompt
    samplers: of one row; it has seen the first token
    limit: tokens to generate after the first
    take: called in the batch's thread with each of these tokens, so it must not block; returns whether
        the answer ends with it

    left: finished or cancelled; set by the batch
    """

    states: States
    first: int
    samplers: Samplers
    limit: int
    take: Callable[[int], bool]
    left: bool = False
    _known: list[int] = field(default_factory=list)
    _passes: int = 0
    _done: Future[None] = field(default_factory=Future)

    @property
    def _length(self) -> int:
        """Positions in the answer's row."""
        return len(self.states) + self._passes

    def _end(self, failure: Exception | None = None) -> None:
        if self._done.done():
            return
        if failure is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(failure)


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass that has been enqueued, and how to wait for its tokens."""

    answers: tuple[Answer, ...]
    tokens: Callable[[], list[int]]


@dataclass(frozen=True, slots=True)
class _Command:
    """run: called in the batch's thread, resolves `reply`"""

    run: Callable[[], None]
    reply: Future[Any]


class DecodeBatch:
    """Decodes one token at a time for all answers that have a row.

    The batch's thread alone touches the schedule and the passes; other threads send it commands, which it
    runs between two passes. Answers may therefore join and leave at any time.

    passes: as many answers decode together as they have rows; further ones wait for a row
    device_lock: held during each pass
    reads_late: enqueue a pass before the tokens of the one before are read; None for on a GPU. The pass
        after an answer's end is then wasted.
    """

    def __init__(
        self,
        passes: RuntimePasses,
        device_lock: AbstractContextManager[object],
        *,
        reads_late: bool | None = None,
    ) -> None:
        self._schedule: Schedule[Answer] = Schedule(passes.max_rows)
        self._passes = passes
        self._device_lock = device_lock
        self._on_gpu = self._passes.device.type == "cuda"
        self._behind = int(self._on_gpu if reads_late is None else reads_late)
        self._enqueued: deque[_Pass] = deque()
        self._preparing: tuple[Buckets, Future[None]] | None = None
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._lifecycle = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def max_rows(self) -> int:
        """Answers that decode together."""
        return self._schedule.max_rows

    @property
    def compiled(self) -> bool:
        """Whether passes are compiled: after `prepare`."""
        return self._passes.compiled

    def prepare(self, rows: int, length: int) -> None:
        """Compile the passes of all sizes up to these, and on a GPU record them as CUDA graphs. It takes minutes.

        Answers that run are finished first, and others wait. The batch has at most `rows` rows afterwards.

        Raises BackendError when the batch is closed, and what compiling raises; decoding goes on uncompiled.
        """
        done: Future[None] = Future()
        buckets = Buckets.up_to(min(rows, self._schedule.max_rows), length)

        def prepare() -> None:
            self._preparing = buckets, done

        self._send(prepare, done)
        done.result()

    def run(self, answer: Answer) -> None:
        """Decode an answer until it takes its last token, or is cancelled.

        The states then hold what the passes have read, if that is known: the first token, and all that
        follow but the last; on a GPU perhaps the last too.

        Raises BackendError when the batch is closed, and what a pass or `take` raises.
        """
        self._send(lambda: self._schedule.join(answer), answer._done)
        answer._done.result()

    def cancel(self, answer: Answer) -> None:
        """End an answer, from any thread and without waiting: after the present pass it gets no more tokens."""
        with suppress(BackendError):
            self._send(lambda: self._remove(answer), Future())

    def close(self) -> None:
        """End the thread and free the rows. Whoever waits for tokens gets a BackendError."""
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
            with Lane(self._passes.device, urgent=True):
                while self._go_on():
                    pass
        finally:
            with self._lifecycle:
                self._closed = True
            self._abandon()

    def _go_on(self) -> bool:
        """Run a command, or a pass if there is none; False when the batch is closed."""
        idle = not (self._schedule.running or self._enqueued or self._preparing)
        try:
            command = self._commands.get(block=idle)
        except queue.Empty:
            self._decode()
        else:
            if command is None:
                return False
            try:
                command.run()
            except Exception as failure:
                command.reply.set_exception(failure)
        self._admit()
        return True

    def _admit(self) -> None:
        while self._preparing is None and (answer := self._schedule.admit()) is not None:
            row = len(self._schedule.running) - 1
            try:
                self._passes.admit(row, answer.first, answer.states, answer.samplers, self._length())
            except Exception as failure:
                self._schedule.remove(answer)
                answer.left = True
                answer._end(failure)

    def _decode(self) -> None:
        """Enqueue a pass if an answer wants one, and give the tokens of earlier passes to their answers."""
        running = self._schedule.running
        if not running and self._preparing is not None:
            self._prepare(*self._preparing)
            return
        behind = 0
        try:
            if any(answer._passes < answer.limit for answer in running):
                self._enqueue()
                behind = self._behind
            while len(self._enqueued) > behind:
                self._hand_over(self._enqueued.popleft())
        except Exception as failure:
            self._enqueued.clear()
            for answer in tuple(running):
                self._fail(answer, failure)

    def _enqueue(self) -> None:
        running = tuple(self._schedule.running)
        with self._device_lock:
            self._passes.step(len(running), self._length())
        for answer in running:
            answer._passes += 1
        self._enqueued.append(_Pass(running, self._reading(len(running))))

    def _reading(self, rows: int) -> Callable[[], list[int]]:
        """What waits for the newest tokens and returns them; the next pass may be enqueued before it is called."""
        ids = self._passes.ids[:rows]
        if not self._on_gpu:
            tokens: list[int] = ids.tolist()
            return lambda: tokens
        host = torch.empty(rows, dtype=torch.int64, pin_memory=True)
        host.copy_(ids, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()

        def read() -> list[int]:
            copied.synchronize()
            values: list[int] = host.tolist()
            return values

        return read

    def _hand_over(self, enqueued: _Pass) -> None:
        for answer, token in zip(enqueued.answers, enqueued.tokens(), strict=True):
            if answer.left:
                continue
            answer._known.append(token)
            try:
                ended = answer.take(token) or len(answer._known) == answer.limit
            except Exception as failure:
                self._fail(answer, failure)
                continue
            if ended:
                self._remove(answer)

    def _fail(self, answer: Answer, failure: Exception) -> None:
        # The device may be gone.
        with suppress(Exception):
            self._remove(answer, failure)

    def _length(self) -> int:
        """The most positions that a row has after the next pass."""
        return 1 + max(answer._length for answer in self._schedule.running)

    def _remove(self, answer: Answer, failure: Exception | None = None) -> None:
        """Take an answer out, and end it; its states then hold all that was read, if that can be copied."""
        if answer.left:
            return
        answer.left = True
        running = self._schedule.running
        had_row = answer in running
        try:
            if had_row:
                self._take_out(answer, running.index(answer))
        finally:
            move = self._schedule.remove(answer)
            if move is not None:
                source, target = move
                self._passes.move(source, target, running[target]._length)
            elif had_row:
                self._passes.end(len(running))
            if had_row and not running:
                self._passes.release()
            answer._end(failure)

    def _take_out(self, answer: Answer, row: int) -> None:
        read = [answer.first, *answer._known][: answer._passes]
        states = answer.states
        kept, states.positions = states.positions, []
        try:
            states.cache = self._passes.take_out(row, len(kept) + len(read))
        except Exception:
            log.warning("the keys and values of an answer are lost, so its prompt must be read again", exc_info=True)
            return
        states.positions = [*kept, *read]

    def _prepare(self, buckets: Buckets, done: Future[None]) -> None:
        self._preparing = None
        try:
            if not self.compiled:
                with self._device_lock:
                    self._passes.prepare(buckets)
                self._schedule.max_rows = buckets.rows[-1]
            done.set_result(None)
        except Exception as failure:
            done.set_exception(failure)

    def _abandon(self) -> None:
        """Fail whatever still waits, and free the rows."""
        closed = BackendError("the model was closed while it was generating")
        for answer in (*self._schedule.running, *self._schedule.waiting):
            answer.left = True
            answer._end(closed)
        # Answers refer to the weights, for as long as which this batch is kept.
        self._schedule = Schedule(self._schedule.max_rows)
        self._enqueued.clear()
        waiting: list[Future[Any]] = [] if self._preparing is None else [self._preparing[1]]
        while not self._commands.empty():
            command = self._commands.get()
            if command is not None:
                waiting.append(command.reply)
        for reply in waiting:
            if not reply.done():
                reply.set_exception(closed)
        self._passes.clear()
