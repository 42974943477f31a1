"""`ChunkBatch`: computes the chunks of several streams of speech in one batch."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from agentaudio.errors import BackendError, MissingExtra

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.lane import Lane
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState
from agentaudio.model.step_audio_2.token2wav.hift import HiFT
from agentaudio.model.step_audio_2.token2wav.stream import Alone, Chunk

TOLERANCE = 1e-4
"""Largest difference of samples between a batch and a stream alone, in float32: additions have another order."""


@dataclass(eq=False)
class _Job:
    """A chunk that waits. ready: it is done, or its thread is to lead"""

    chunk: Chunk
    ready: threading.Event = field(default_factory=threading.Event)
    result: tuple[Tensor, FlowState] | Exception | None = None

    @property
    def key(self) -> tuple[int, bool, int]:
        """Chunks with equal keys fit into one batch."""
        return len(self.chunk.tokens), self.chunk.last, len(self.chunk.state.past)


class ChunkBatch:
    """A MakeChunk that streams share. A batch has equally long chunks, of voices of any length.

    rows: most chunks in a batch

    Nothing waits for a batch to fill: chunks that arrive while one is computed make the next one, in order of arrival.
    One of the threads that wait computes for all. A chunk that is alone is computed as by a stream of its own, to the
    last bit; in a batch, samples may differ by TOLERANCE.
    """

    def __init__(self, flow: Flow, vocoder: HiFT, rows: int) -> None:
        self._flow, self._vocoder, self._rows = flow, vocoder, rows
        self._device = vocoder.conv_pre.weight.device
        self._alone = Alone(flow, self._device)
        self._lane = Lane(self._device)
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._led = False
        self.sizes: dict[int, int] = {}
        """How many batches of each size were computed."""

    def __call__(self, chunk: Chunk) -> tuple[Tensor, FlowState]:
        """Compute a chunk, together with others that wait. Raises BackendError when its stream was closed meanwhile."""
        job = _Job(chunk)
        with self._lock:
            self._waiting.append(job)
            leads = not self._led
            self._led = True
        if not leads:
            job.ready.wait()
        if job.result is None:
            self._lead(job)
        assert job.result is not None
        if isinstance(job.result, Exception):
            raise job.result
        return job.result

    def _lead(self, job: _Job) -> None:
        """Compute batches until the job is done; then the next thread that waits leads."""
        while job.result is None:
            with self._lock:
                batch = self._next()
            self._run(batch)
        with self._lock:
            if self._waiting:
                self._waiting[0].ready.set()
            else:
                self._led = False

    def _next(self) -> list[_Job]:
        """The chunk that has waited longest, and those that fit to it."""
        key = self._waiting[0].key
        batch = [job for job in self._waiting if job.key == key][: self._rows]
        self._waiting = deque(job for job in self._waiting if job not in batch)
        return batch

    def _run(self, batch: list[_Job]) -> None:
        wanted = [job for job in batch if not job.chunk.closed.is_set()]
        try:
            results: list[tuple[Tensor, FlowState]] = self._computed([job.chunk for job in wanted]) if wanted else []
        except Exception as failure:
            for job in wanted:
                job.result = failure
        else:
            for job, result in zip(wanted, results, strict=True):
                job.result = result
        for job in batch:
            if job.result is None:
                job.result = BackendError("the stream of speech was closed")
            job.ready.set()

    @torch.inference_mode()
    def _computed(self, chunks: list[Chunk]) -> list[tuple[Tensor, FlowState]]:
        self.sizes[len(chunks)] = self.sizes.get(len(chunks), 0) + 1
        if len(chunks) == 1:
            return [self._alone(chunks[0])]
        ids = [torch.tensor([chunk.tokens], device=self._device) for chunk in chunks]
        with self._lane:
            mels, states = self._flow.chunks(
                ids, [chunk.state for chunk in chunks], [chunk.noise for chunk in chunks], chunks[0].last
            )
            waves = self._waves(chunks, mels)
        return [(wave.cpu(), state) for wave, state in zip(waves, states, strict=True)]

    def _waves(self, chunks: list[Chunk], mels: Tensor) -> list[Tensor]:
        """The samples of each chunk. The vocoder decodes windows of equal length in one batch."""
        begun = [chunk.wave.begin(mel[None]) for chunk, mel in zip(chunks, mels, strict=True)]
        waves: list[Tensor | None] = [None] * len(chunks)
        for length in {window.shape[-1] for window, _ in begun}:
            rows = [row for row, (window, _) in enumerate(begun) if window.shape[-1] == length]
            decoded = self._vocoder.decode(
                torch.cat([begun[row][0] for row in rows]), torch.cat([begun[row][1] for row in rows])
            )
            for row, wave in zip(rows, decoded, strict=True):
                waves[row] = chunks[row].wave.end(*begun[row], wave[None])
        return [wave for wave in waves if wave is not None]
