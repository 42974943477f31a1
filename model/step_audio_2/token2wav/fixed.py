"""Chunks of speech in fixed sizes: on a GPU, a CUDA graph of the flow for each, and one of the vocoder."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.lane import Lane
from agentaudio.model.step_audio_2.token2wav.chunks import CHUNK, FIRST_CHUNK, OVERLAP_FRAMES, next_chunk
from agentaudio.model.step_audio_2.token2wav.config import FRAME_SAMPLES, TOKEN_FRAMES
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState
from agentaudio.model.step_audio_2.token2wav.hift import MEL_BANDS, HiFT
from agentaudio.model.step_audio_2.token2wav.stream import Alone, Chunk

PASTS = (512, 1024)
"""Frames of the past that a graph attends to: a prompt of 8 s, or of 18 s, and what a stream keeps besides it."""
MOST_SHARE = 1 / 3
"""Of the free memory of a GPU, for the past of the graphs."""

log = logging.getLogger(__name__)


def chunk_sizes(first_chunk: int = FIRST_CHUNK) -> tuple[int, ...]:
    """Tokens of the chunks that a stream has, but for its last."""
    sizes = [first_chunk]
    while sizes[-1] < CHUNK:
        sizes.append(next_chunk(sizes[-1]))
    return tuple(sizes)


def window_sizes(chunks: tuple[int, ...]) -> tuple[int, ...]:
    """Frames of the windows that the vocoder decodes for these chunks, at the beginning of a stream and later."""
    frames = [TOKEN_FRAMES * chunk for chunk in chunks]
    return tuple(sorted({frames[0], *(OVERLAP_FRAMES + count for count in frames)}))


@dataclass(frozen=True, slots=True)
class Past:
    """Memory for what the estimator attends to, as in `FlowState`, which the graphs of all sizes share.

    keys: for each Euler step (depth, 2, heads, frames, 2 * head_dim)
    behind: for each Euler step, the memory of the convolutions
    """

    keys: tuple[Tensor, ...]
    behind: tuple[Tensor, ...]

    @classmethod
    def of(cls, flow: Flow, frames: int, steps: int) -> Past:
        """Memory for so many frames."""
        keys, behind = flow.estimator.start(2)
        shape = (*keys.shape[:3], frames, keys.shape[4])
        return cls(tuple(keys.new_zeros(shape) for _ in range(steps)), tuple(behind.clone() for _ in range(steps)))


class FixedSolve:
    """The ODE of the flow for chunks of one size, on tensors that keep their addresses.

    tokens: of a chunk
    frames: of the past that is attended to, at most; less is padded and masked
    past: of at least so many frames

    Load, run, and take the result. `run` reads and writes only these tensors and the weights, and waits for nothing, so
    that a GPU can record it.
    """

    def __init__(self, flow: Flow, past: Past, tokens: int, frames: int) -> None:
        self._flow = flow
        self._past = tuple(keys[..., :frames, :] for keys in past.keys)
        self._behind = past.behind
        new, bands = TOKEN_FRAMES * tokens, flow.config.output_size
        like = past.keys[0]
        self._mu = like.new_zeros(1, new, bands)
        self._speaker = like.new_zeros(1, bands)
        self._noise = torch.zeros(1, bands, new, device=like.device)
        self._known = torch.zeros_like(self._mu)
        self._place = torch.arange(new + frames, device=like.device)
        self._mask = torch.zeros(1, 1, 1, new + frames, dtype=torch.bool, device=like.device)
        self._modulations = flow.modulations(len(past.keys))
        self._mel = torch.zeros(1, bands, new, device=like.device)
        self._keys = tuple(keys.new_zeros(*keys.shape[:3], new, keys.shape[4]) for keys in past.keys)
        self._after = tuple(torch.zeros_like(one) for one in past.behind)

    def load(self, mu: Tensor, state: FlowState, noise: Tensor) -> None:
        """mu: (1, 2 n, 80), the encoded tokens; state: of the stream before the chunk; noise: (1, 80, 2 n)"""
        self._mu.copy_(mu)
        self._speaker.copy_(state.speaker)
        self._noise.copy_(noise)
        for mine, its in zip(self._past, state.past, strict=True):
            mine[..., : state.frames, :].copy_(its)
        for mine, its in zip(self._behind, state.memory, strict=True):
            mine.copy_(its)
        torch.lt(self._place, mu.shape[1] + state.frames, out=self._mask.view(-1))

    def run(self) -> None:
        """Solve the ODE for what was loaded."""
        mel, keys, after = self._flow.solve(
            self._mu,
            self._speaker,
            self._known,
            self._noise,
            self._past,
            self._behind,
            self._mask,
            modulations=self._modulations,
        )
        self._mel.copy_(mel)
        for mine, its in zip(self._keys, keys, strict=True):
            mine.copy_(its[..., : mine.shape[-2], :])
        for mine, its in zip(self._after, after, strict=True):
            mine.copy_(its)

    def result(self, state: FlowState) -> tuple[Tensor, FlowState]:
        """The mel (1, 80, 2 n) of what was loaded, and `state` after it. Both are copies."""
        past = tuple(torch.cat((new, old), -2) for new, old in zip(self._keys, state.past, strict=True))
        return self._mel.clone(), replace(state, past=past, memory=tuple(one.clone() for one in self._after))


class FixedDecode:
    """The vocoder for windows of one size, on tensors that keep their addresses; see `FixedSolve`."""

    def __init__(self, vocoder: HiFT, frames: int) -> None:
        like = vocoder.conv_pre.weight
        self._vocoder = vocoder
        self._window = like.new_zeros(1, MEL_BANDS, frames)
        self._source = like.new_zeros(1, 1, FRAME_SAMPLES * frames)
        self._wave = like.new_zeros(1, FRAME_SAMPLES * frames)

    def load(self, window: Tensor, source: Tensor) -> None:
        """window, source: as for `HiFT.decode`"""
        self._window.copy_(window)
        self._source.copy_(source)

    def run(self) -> None:
        """Decode what was loaded."""
        self._wave.copy_(self._vocoder.decode(self._window, self._source))

    def result(self) -> Tensor:
        """The samples of what was loaded, (1, 480 T). It is a copy."""
        return self._wave.clone()


class FixedChunks:
    """A MakeChunk for chunks of fixed sizes, which on a GPU replays CUDA graphs; other chunks are computed as usual.

    steps: of the flow
    first_chunk: of the streams
    pasts: see PASTS

    The last chunk of a stream, a voice with a longer prompt than `pasts` allows, and another number of steps are
    computed as `Alone` does. Samples differ slightly from its, as additions have another order.
    Chunks of several streams are computed one after the other.

    made: chunks so far that were computed in a fixed size
    """

    def __init__(
        self,
        flow: Flow,
        vocoder: HiFT,
        *,
        steps: int,
        first_chunk: int = FIRST_CHUNK,
        pasts: tuple[int, ...] = PASTS,
    ) -> None:
        self._flow, self._vocoder, self._steps = flow, vocoder, steps
        self._device = vocoder.conv_pre.weight.device
        self._chunks, self._pasts = chunk_sizes(first_chunk), pasts
        self._lock = threading.Lock()
        self._lane = Lane(self._device)
        self._usual = Alone(flow, self._device)
        self._solves: dict[tuple[int, int], FixedSolve] = {}
        self._decodes: dict[int, FixedDecode] = {}
        self._graphs: dict[FixedSolve | FixedDecode, torch.cuda.CUDAGraph] = {}
        self.made = 0

    @torch.inference_mode()
    def prepare(self) -> bool:
        """Allocate the memory of all sizes, and on a GPU record their graphs, which takes seconds. To be called once.

        Returns whether any size is fixed now. A failure, and too little memory, are logged.
        """
        with self._lock:
            try:
                if pasts := self._fitting():
                    self._prepare(pasts)
                else:
                    log.warning("chunks of speech are computed without CUDA graphs, as there is too little memory")
            except Exception:
                self._solves.clear()
                self._decodes.clear()
                self._graphs.clear()
                log.warning("chunks of speech are computed without CUDA graphs", exc_info=True)
            return bool(self._solves)

    @property
    def sizes(self) -> list[FixedSolve | FixedDecode]:
        """All that is fixed."""
        return [*self._solves.values(), *self._decodes.values()]

    def _fitting(self) -> tuple[int, ...]:
        """The pasts that there is memory for."""
        if self._device.type != "cuda":
            return self._pasts
        keys, _ = self._flow.estimator.start(2)
        frame = self._steps * keys.new_empty(*keys.shape[:3], 1, keys.shape[4], device="meta").nbytes
        free = torch.cuda.mem_get_info(self._device)[0]
        return tuple(past for past in self._pasts if past * frame <= MOST_SHARE * free)

    def _prepare(self, pasts: tuple[int, ...]) -> None:
        with self._lane:
            past = Past.of(self._flow, pasts[-1], self._steps)
            for frames in reversed(pasts):
                for tokens in reversed(self._chunks):  # the largest first, as all graphs share memory
                    self._solves[tokens, frames] = FixedSolve(self._flow, past, tokens, frames)
            for frames in reversed(window_sizes(self._chunks)):
                self._decodes[frames] = FixedDecode(self._vocoder, frames)
            if self._device.type == "cuda":
                for one in self.sizes:
                    self._record(one)

    def _record(self, one: FixedSolve | FixedDecode) -> None:
        for _ in range(2):  # libraries choose their kernels, and allocate what they keep
            one.run()
        torch.cuda.synchronize(self._device)
        pool = next(iter(self._graphs.values())).pool() if self._graphs else None
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(graph, pool=pool, stream=self._lane.stream, capture_error_mode="thread_local"):
            one.run()
        self._graphs[one] = graph

    @torch.inference_mode()
    def __call__(self, chunk: Chunk) -> tuple[Tensor, FlowState]:
        """Compute a chunk."""
        tokens = len(chunk.tokens) - self._flow.encoder.ahead
        frames = next((one for one in self._pasts if one >= chunk.state.frames), None)
        solve = self._solves.get((tokens, frames or 0))
        if solve is None or chunk.last or len(chunk.state.past) != self._steps:
            with self._lock:
                return self._usual(chunk)
        with self._lock, self._lane:
            ids = torch.tensor([chunk.tokens], device=self._device)
            mu, encoder = self._flow.encoded(ids, chunk.state.encoder, last=False)
            solve.load(mu, chunk.state, chunk.noise)
            self._run(solve)
            mel, state = solve.result(replace(chunk.state, encoder=encoder))
            window, source = chunk.wave.begin(mel)
            wave = chunk.wave.end(window, source, self._decoded(window, source))
            self.made += 1
        return wave.cpu(), state

    def _decoded(self, window: Tensor, source: Tensor) -> Tensor:
        decode = self._decodes.get(window.shape[-1])
        if decode is None:
            return self._vocoder.decode(window, source)
        decode.load(window, source)
        self._run(decode)
        return decode.result()

    def _run(self, one: FixedSolve | FixedDecode) -> None:
        graph = self._graphs.get(one)
        if graph is None:
            one.run()
        else:
            graph.replay()
