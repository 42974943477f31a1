"""What a GPU will do for each decoded token, counted without one.

    python benchmarks/decode_counts.py [--json FILE]

Three parts:

1. The full size in bfloat16 on meta tensors, which have shapes and no contents. The same code runs as on a
   GPU, and each operator is noted with the bytes that it reads. The bound is what cannot be avoided: each
   weight once, and the keys and values of the context. The compiler joins element-wise operators with their
   neighbours, so those read nothing in the figure for compiled passes.
2. The kernels that remain after the compiler has joined operators, counted in the code that it generates for
   the CPU from the same graph, with the attention of a GPU: they are what a CUDA graph replays.
3. The times that the host asks a tensor for a value while a small model answers, by intercepting all ways to
   do so (`item`, `tolist`, `bool`, `cpu`, ...) in the thread of the batch: inside a pass, where on a GPU each
   would make the host wait for the device, and for all of an answer.

That nothing is compiled again and that no tensor of a pass moves is counted by `decode_ids.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import re
from typing import Any
from unittest import mock

import torch
from decode import FULL, unavoidable_bytes
from decode_ids import SMALL
from report import publish
from torch._inductor.utils import run_and_get_code
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import DynamicCache

from agentaudio.model.step_audio_2.decoding import passes as decoding
from agentaudio.model.step_audio_2.decoding.batching import Answer, DecodeBatch
from agentaudio.model.step_audio_2.decoding.buckets import LENGTHS, ROWS
from agentaudio.model.step_audio_2.decoding.passes import Passes
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.sampling import Samplers
from agentaudio.model.step_audio_2.init_tiny import random_model
from agentaudio.model.step_audio_2.network import one_token
from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.settings import Sampling

CONTEXTS = (200, 1000, 4000, 8000, 16_000)
_KERNEL = r"^\s+(?:\w+ = )?(?:extern_kernels|torch\.ops\.\w+)\.\w+|^\s+cpp_fused\w*\("

_READS = ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "cpu", "numpy", "nonzero", "is_nonzero")
_PICKS_ROWS = ("embedding", "index_put", "gather", "scatter", "copy_", "fill_", "zero_")
"""Operators that read less than their first argument: some of its rows, or nothing."""


class Operators(TorchDispatchMode):
    """Notes each operator that launches a kernel, and the bytes that it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.bytes = self.bytes_compiled = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = function.name()
        if not function.is_view and "empty" not in name and "_unsafe_view" not in name:
            self.names.append(name)
            inputs = [one for one in tree_leaves((args, kwargs or {})) if isinstance(one, torch.Tensor)]
            # An expanded tensor is read once, and of a vocabulary only the rows of these tokens.
            read = sum(extent(one) for one in inputs[any(part in name for part in _PICKS_ROWS) :])
            read += result.nbytes if "embedding" in name else 0
            self.bytes += read
            self.bytes_compiled += 0 if torch.Tag.pointwise in function.tags else read
        return result


def extent(tensor: Any) -> int:
    """Bytes of memory behind a tensor, each counted once."""
    return int(tensor.itemsize * math.prod(n for n, s in zip(tensor.shape, tensor.stride(), strict=True) if s))


class HostReads(TorchFunctionMode):
    """Counts the times that a value leaves a tensor for the host."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += getattr(function, "__name__", "") in _READS
        return function(*args, **(kwargs or {}))


def host_reads() -> dict[str, Any]:
    """Values that the host reads in each pass and for each of its tokens, while two answers decode together."""
    passes = Passes(random_model(StepAudio2Config(**SMALL)), 2, never=(1,))
    batch = DecodeBatch(passes, contextlib.nullcontext(), reads_late=True)
    inside, all_reads, steps = HostReads(), HostReads(), 0
    run = passes.run

    def counted_run(rows: int, length: int) -> None:
        nonlocal steps
        steps += 1
        with inside:
            run(rows, length)

    answers = [answer(passes, seed) for seed in (1, 2)]
    with torch.no_grad(), mock.patch.object(passes, "run", counted_run):
        for one in answers:
            batch._schedule.join(one)
        batch._admit()
        with all_reads:  # in this thread instead of the batch's
            while not all(one._done.done() for one in answers):
                batch._decode()
    return {
        "passes counted": steps,
        "host waits inside a pass": inside.count / steps,
        "host waits for tokens, for each pass": round(all_reads.count / steps, 3),
    }


def answer(passes: Passes, seed: int) -> Answer:
    """An answer of 64 drawn tokens after one token."""
    samplers = Samplers(1, passes.samplers.seen.shape[1], passes.device)
    samplers.set(0, Sampling(seed=seed))
    cache = DynamicCache([(keys.clone(), values.clone()) for keys, values in passes._example()])
    return Answer(States([0], cache), 3, samplers, 64, lambda token: False)


def on_meta() -> dict[str, Any]:
    """Operators and bytes of each pass at full size."""
    figures: dict[str, Any] = {}
    with torch.no_grad():
        torch.set_default_dtype(torch.bfloat16)
        with torch.device("meta"):
            model: Any = StepAudio2ForCausalLM(StepAudio2Config(**FULL)).eval()
        torch.set_default_dtype(torch.float32)
        heads = torch.empty(1, 4, 1, 128, dtype=torch.bfloat16, device="meta")
        for rows in ROWS:
            passes = Passes(model, rows)
            passes.rows.fix(rows, LENGTHS[-1], [(heads, heads)] * len(model.model.layers))
            for context in CONTEXTS:
                length = next(one for one in LENGTHS if one > context)
                passes.rows.reserve(rows, length)
                with Operators() as operators:
                    passes.run(rows, length)
                needed = unavoidable_bytes(model, rows, context)
                figures[f"{rows} answers, context {context}"] = {
                    "operators": len(operators.names),
                    "GB read": round(operators.bytes / 1e9, 2),
                    "over the bound": round(operators.bytes / needed, 3),
                    "over the bound, compiled": round(operators.bytes_compiled / needed, 3),
                }
    return figures


def compiled_kernels() -> dict[str, int]:
    """Kernels of one layer, and of what is around the layers, in the code of the compiler."""
    config = FULL["text_config"] | {"hidden_size": 448, "intermediate_size": 512, "num_hidden_layers": 1}
    audio = FULL["audio_encoder_config"] | {"llm_dim": 448, "n_audio_layer": 1}
    model: Any = random_model(StepAudio2Config(text_config=config, audio_encoder_config=audio))
    passes = Passes(model, 1)
    length = 512
    with torch.no_grad(), mock.patch.object(one_token, "one_query_attention", split):
        passes.rows.reserve(1, length, passes._example())
        before = decoding._embedded(model.model, passes.ids, passes.positions, length)
        x, rotation, mask = before
        keys, values = passes.rows.layers(1, length)[0]
        counts = {}
        for name, function, inputs in (
            ("before the layers", decoding._embedded, (model.model, passes.ids, passes.positions, length)),
            ("a layer", decoding._through, (passes._layers[0], x, rotation, passes.positions, keys, values, mask)),
            ("after the layers", decoding._choose,
             (model, passes.samplers, x, passes.ids, passes.positions, passes.active)),
        ):  # fmt: skip
            torch.compiler.reset()
            _, code = run_and_get_code(torch.compile(function, fullgraph=True, dynamic=False), *inputs)
            counts[name] = len(re.findall(_KERNEL, code[0], re.M))
    return counts | {"of a token": counts["before the layers"] + 28 * counts["a layer"] + counts["after the layers"]}


def split(query: Any, keys: Any, values: Any, mask: Any) -> Any:
    """`one_query_attention` as on a GPU."""
    return one_token.split_attention(query.unflatten(1, (keys.shape[1], -1)), keys, values, mask).flatten(1, 2)


def counted() -> dict[str, Any]:
    full = on_meta()
    return {
        **host_reads(),
        **full,
        "most bytes over the bound, compiled": max(figures["over the bound, compiled"] for figures in full.values()),
        **{f"compiled, kernels {name}": count for name, count in compiled_kernels().items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    publish("Decoding on a GPU, counted", counted(), options.json)
