"""Passes of the language model over all rows: each gives every row its next token, which never leaves the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.decoding.buckets import Buckets
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.rows import Layers, Rows
from agentaudio.model.step_audio_2.decoding.sampling import Samplers
from agentaudio.model.step_audio_2.decoding.schedule import MAX_ROWS, check_rows
from agentaudio.model.step_audio_2.network.modeling import CACHE, StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.network.one_token import TokenLayer

try:
    import torch
    from torch import Tensor, nn
    from transformers import DynamicCache
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

_Functions = tuple[Callable[..., Any], Callable[..., Tensor], Callable[..., None]]

MOST_SIZES = 256
"""Limit of the compiler for the sizes of one function; its own is 8."""


class Passes:
    """The state of the rows on the device, and the pass that reads one token in each and chooses the next.

    A pass reads `ids` at `positions`, and leaves there what the next pass reads. All tensors keep their
    addresses, so that a pass can be recorded as a CUDA graph and replayed.

    model: its projections are joined, see `TokenLayer`
    max_rows: number of rows
    never: ids that are never chosen

    ids, positions: (max_rows,) int64: the newest token of each row, and its position
    active: (max_rows,) int64, 1 for rows with an answer; the others stay at position 0
    samplers: how each row chooses
    rows: keys and values
    buckets: the sizes that are compiled; None before `prepare`

    Raises OptionError when max_rows is below 1.
    """

    def __init__(self, model: StepAudio2ForCausalLM, max_rows: int = MAX_ROWS, never: Iterable[int] = ()) -> None:
        check_rows(max_rows)
        self._model = model
        self._layers = [TokenLayer(layer) for layer in model.model.layers]
        self.device: torch.device = model.get_input_embeddings().weight.device
        self.ids = torch.zeros(max_rows, dtype=torch.int64, device=self.device)
        self.positions = torch.zeros_like(self.ids)
        self.active = torch.zeros_like(self.ids)
        self.samplers = Samplers(max_rows, model.config.text_config.vocab_size, self.device, never)
        self.rows = Rows()
        self.buckets: Buckets | None = None
        self._graphs: dict[tuple[int, int], Any] = {}
        self._functions: _Functions = (_embedded, _through, _choose)

    @property
    def max_rows(self) -> int:
        """Number of rows."""
        return len(self.ids)

    @property
    def compiled(self) -> bool:
        """Whether the passes are compiled: after `prepare`."""
        return self.buckets is not None

    def prepare(self, buckets: Buckets) -> None:
        """Compile the passes of all sizes, and record them as CUDA graphs on a GPU, which takes minutes.

        The rows must be empty. From then on, all memory of the rows is allocated.

        Raises what the compiler or the recording raises. Passes are then as before, and not compiled.
        """
        with torch._dynamo.config.patch(recompile_limit=MOST_SIZES, accumulated_recompile_limit=16 * MOST_SIZES):
            try:
                # On a GPU this also turns products with a single row into reductions, which are as fast as memory.
                options: dict[str, Any] = {"coordinate_descent_tuning": True} if self.device.type == "cuda" else {}
                compiled = [
                    torch.compile(one, fullgraph=True, dynamic=False, options=options) for one in self._functions
                ]
                self._functions = compiled[0], compiled[1], compiled[2]
                self.rows.fix(buckets.rows[-1], buckets.lengths[-1], self._example())
                # The largest first, as the graphs share memory for what is between their layers.
                for size in sorted(buckets, reverse=True):
                    self._record(*size)
            except BaseException:
                self._graphs.clear()
                self._functions = (_embedded, _through, _choose)
                self.rows.clear()
                raise
        self.buckets = buckets

    def run(self, rows: int, length: int) -> None:
        """Read a token in each of the first rows, and choose the next.

        length: positions that the pass attends to, including those of the new tokens. With `buckets`, both
            numbers are those of a bucket.

        On a GPU the pass is only enqueued.
        """
        graph = self._graphs.get((rows, length))
        if graph is None:
            self._pass(rows, length)
        else:
            graph.replay()

    def admit(self, row: int, first: int, states: States, samplers: Samplers, length: int) -> None:
        """Begin an answer in a row, see `RuntimePasses`. Raises torch.OutOfMemoryError."""
        layers = [(layer.keys, layer.values) for layer in states.cache.layers]
        self._reserve(row + 1, length, layers)
        self.rows.write(row, layers)
        self.begin(row, first, len(states), samplers)
        # What is freed here may be used again at once, by the stream that allocated it.
        self._synchronize()
        states.cache = DynamicCache()

    def step(self, rows: int, length: int) -> None:
        """A pass over the first rows, for which memory is reserved; see `RuntimePasses`."""
        self.run(*self._reserve(rows, length))

    def take_out(self, row: int, length: int) -> DynamicCache:
        """A copy of the first positions of a row. Raises torch.OutOfMemoryError."""
        copied = self.rows.read(row, length)
        self._synchronize()
        if self.device.type == "cuda":
            # Whoever continues from these states works on the default stream.
            for tensor in (one for layer in copied for one in layer):
                tensor.record_stream(torch.cuda.default_stream(tensor.device))
        return DynamicCache(copied)

    def release(self) -> None:
        """Free the memory of the rows while no answer runs, unless it is fixed."""
        self.rows.release()

    def clear(self) -> None:
        """Free all memory of the rows."""
        self.rows.clear()

    def begin(self, row: int, token_id: int, position: int, samplers: Samplers) -> None:
        """Begin an answer in a row. samplers: of one row, which has seen `token_id`"""
        self.ids[row], self.positions[row], self.active[row] = token_id, position, 1
        self.samplers.move(0, row, samplers)

    def end(self, row: int) -> None:
        """Make a row idle."""
        for one in (self.ids, self.positions, self.active):
            one[row] = 0

    def move(self, source: int, target: int, length: int) -> None:
        """Move an answer of so many positions to another row; the source is then idle."""
        self.rows.move(source, target, length)
        self.samplers.move(source, target)
        for one in (self.ids, self.positions, self.active):
            one[target] = one[source]
        self.end(source)

    def _reserve(self, rows: int, length: int, like: Layers = ()) -> tuple[int, int]:
        """Rows and positions of a pass, which there is room for afterwards."""
        if self.buckets is not None:
            rows, length = self.buckets.of(rows, length)
        self.rows.reserve(rows, length, like)
        # The attention of a GPU takes whole rows; see `split_attention`.
        return rows, self.rows.length if self.device.type == "cuda" else length

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()

    def _record(self, rows: int, length: int) -> None:
        self.rows.reserve(rows, length)
        for _ in range(2):  # the first run compiles, and the second allocates what kernels keep
            self._pass(rows, length)
        if self.device.type != "cuda":
            return
        torch.cuda.synchronize(self.device)
        pool = next(iter(self._graphs.values())).pool() if self._graphs else None
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(
            graph, pool=pool, stream=torch.cuda.current_stream(self.device), capture_error_mode="thread_local"
        ):
            self._pass(rows, length)
        self._graphs[rows, length] = graph

    def _pass(self, rows: int, length: int) -> None:
        embedded, through, choose = self._functions
        ids, positions, active = (one[:rows] for one in (self.ids, self.positions, self.active))
        x, rotation, mask = embedded(self._model.model, ids, positions, length)
        for layer, (keys, values) in zip(self._layers, self.rows.layers(rows, length), strict=True):
            x = through(layer, x, rotation, positions, keys, values, mask)
        choose(self._model, self.samplers, x, ids, positions, active)

    @torch.no_grad()
    def _example(self) -> Layers:
        """Keys and values of one position."""
        output = self._model(input_ids=self.ids[None, :1], use_cache=True, logits_to_keep=1)
        return [(layer.keys, layer.values) for layer in getattr(output, CACHE).layers]


def _embedded(
    model: nn.Module, ids: Tensor, positions: Tensor, length: int
) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    """Input of the first layer, rotary embedding, and mask; see `TokenLayer.forward`."""
    x = model.embed_tokens(ids)
    cosine, sine = model.rotary_emb(x[:, None], positions[:, None])
    return x, (cosine, sine), (torch.arange(length, device=x.device) <= positions[:, None])[:, None, None]


def _through(
    layer: nn.Module, x: Tensor, rotation: tuple[Tensor, Tensor], positions: Tensor, keys: Tensor, *rest: Tensor
) -> Tensor:
    """One layer, on its device. All layers share what is compiled of this function."""
    device = keys.device
    out: Tensor = layer(
        x.to(device),
        tuple(one.to(device) for one in rotation),
        positions.to(device),
        keys,
        *(one.to(device) for one in rest),
    )
    return out


def _choose(model: nn.Module, samplers: Samplers, x: Tensor, ids: Tensor, positions: Tensor, active: Tensor) -> None:
    """Replace ids and positions by those of the next tokens. x: output of the last layer, (rows, hidden)"""
    logits = model.lm_head(model.model.norm(x)).to(ids.device)
    ids.copy_(samplers.choose(logits, positions) * active)
    positions.add_(active)
