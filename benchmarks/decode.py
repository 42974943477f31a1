"""Decoding speed of Step-Audio 2 with the real sampler, by context and batch, against the memory bandwidth.

    python benchmarks/decode.py [--json FILE] [--device cpu|cuda] [--threads N] [--no-compile]

On a GPU the full size in random bfloat16 is measured, on a CPU a decoder in random float32 with the shape of the
smallest Qwen2.5 (0.5 billion parameters): the same family, with seven queries for each key too. Vocabulary, prompt,
sampler (temperature 0.7, top-p 0.9, repetition penalty 1.05) and arithmetic are those of the real model. Times are
CPU times on a CPU, which depend less on other work on the machine when --threads is 1, and wall times on a GPU.

Each cell: milliseconds of one pass for 1, 2, 4 or 8 answers that have read 200 to 16,000 tokens; the tokens
per second that follow from it; and their share of the bound. The bound is the bandwidth of a copy on the same
machine divided by the bytes that a pass cannot avoid: each weight of the layers and of the vocabulary once,
and the keys and values of the answers. Passes are eager, and compiled, as `warm_up` prepares them (CUDA graphs
on a GPU). On a CPU, batches are measured at the two shortest contexts, and compiled passes for one answer at the
shortest and the longest. How much longer a token takes at a long context depends on how large keys and values are
beside the weights, so that share is given too: 7 % at 16,000 tokens for the full size, 20 % for the smallest Qwen2.5.
Two more models follow: a narrow one of 120 million parameters, whose keys and values are 153 % of its
weights, so that a token at 16,000 tokens must read 2.5 times what it reads at 200; and the checkpoint of
`agentaudio model init-tiny`.

How much of an eager pass is attention, is measured in the same run on a CPU: passes alternate with bare calls
of torch's attention kernel on the same keys and values, one for each layer, and with sums over them, which
read them once. "beside attention" is the pass without the kernel; it grows with the context only as far as
the layers find less of their weights in the processor's cache. The least ratio is that of a pass to which a
longer context adds the kernel alone.

The reference's loop has no cache: for each token it runs the encoder and the whole prefix again. Both decode
the answer to 10 s of sound by the narrow model on a CPU, with the same ids; the last row is the time of the
reference over ours.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from report import publish
from torch.nn import functional

from agentaudio.model.step_audio_2.decoding.batching import Answer, DecodeBatch
from agentaudio.model.step_audio_2.decoding.buckets import LENGTHS, ROWS, Buckets
from agentaudio.model.step_audio_2.decoding.passes import Passes
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.sampling import Samplers
from agentaudio.model.step_audio_2.init_tiny import TINY_AUDIO, TINY_TEXT
from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.network.features import SAMPLE_RATE, FeatureStream, token_count
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.settings import Sampling
from agentaudio.model.step_audio_2.tokens import TokenIds

CONTEXTS = (200, 1000, 4000, 8000, 16_000)
IDS = TokenIds()
VOCABULARY = {"vocab_size": 158_720, "max_position_embeddings": 16_384}
SMALLEST = {
    "text_config": VOCABULARY | {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
                                 "num_attention_heads": 14, "num_key_value_heads": 2},
    "audio_encoder_config": {"n_audio_state": 384, "n_audio_head": 6, "n_audio_layer": 6, "llm_dim": 896},
}  # fmt: skip
MIDDLE = {
    "text_config": VOCABULARY | {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 24,
                                 "num_attention_heads": 4, "num_key_value_heads": 2},
    "audio_encoder_config": {"n_audio_state": 384, "n_audio_head": 6, "n_audio_layer": 6, "llm_dim": 256},
}  # fmt: skip
FULL = {
    "text_config": VOCABULARY | {"hidden_size": 3584, "intermediate_size": 18_944, "num_hidden_layers": 28,
                                 "num_attention_heads": 28, "num_key_value_heads": 4},
    "audio_encoder_config": {"n_audio_state": 1280, "n_audio_head": 20, "n_audio_layer": 32, "llm_dim": 3584},
}  # fmt: skip


def utterance(seconds: float) -> FeatureStream:
    """Features of `seconds` of noise, all pushed; only `finish` remains to be called."""
    stream = FeatureStream()
    stream.push(np.random.default_rng(0).normal(0, 0.1, int(seconds * SAMPLE_RATE)).astype(np.float32))
    return stream


def prompt(mel: Any, device: str) -> dict[str, Any]:
    """Model inputs for one user turn: text tokens around the audio patches of `mel`."""
    around = list(range(1000, 1012))
    audio = [IDS.audio_start, *[IDS.audio_patch] * token_count(mel.shape[1]), IDS.audio_end]
    ids = [IDS.bot, *around, *audio, IDS.eot, IDS.bot, *around[:3], IDS.tts_start]
    return {
        "input_ids": torch.tensor([ids], device=device),
        "input_features": torch.from_numpy(mel)[None].to(device),
    }


@torch.no_grad()
def answer_without_cache(model: Any, inputs: dict[str, Any], tokens: int, logits_to_keep: int) -> list[int]:
    """The ids of a greedy answer when each token recomputes the whole sequence."""
    ids = inputs["input_ids"]
    start = ids.shape[1]
    while ids.shape[1] < start + tokens:
        logits = model(**(inputs | {"input_ids": ids}), use_cache=False, logits_to_keep=logits_to_keep).logits
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    said: list[int] = ids[0, start:].tolist()
    return said


@torch.no_grad()
def prepared(model: Any, rows: int, compiled: bool, lengths: Sequence[int] = LENGTHS) -> Passes:
    """Passes of which each row has an answer, compiled for these lengths if asked for."""
    passes = Passes(model, rows, never=(IDS.audio_start,))
    if compiled:
        passes.prepare(Buckets((rows,), tuple(lengths)))
    for row in range(rows):
        one = Samplers(1, model.config.text_config.vocab_size, passes.device)
        one.set(0, Sampling(seed=row))
        passes.begin(row, 1000 + row, 0, one)
    return passes


@torch.no_grad()
def pass_ms(model: Any, passes: Passes, rows: int, context: int, runs: int, bare: bool = False) -> dict[str, float]:
    """Median milliseconds of a pass in which each row has read `context` tokens.

    bare: alternate with bare calls of torch's attention kernel, and with reads, of the same keys and values
    """
    like = passes._example()
    length = context + 1
    if passes.buckets is not None:
        length = passes.buckets.of(rows, length)[1]
    passes.rows.reserve(rows, length, like)
    if passes.device.type == "cuda":
        length = passes.rows.length
    layers = passes.rows.layers(rows, length)
    heads = model.config.text_config.num_attention_heads // layers[0][0].shape[1]
    query = torch.randn(rows, layers[0][0].shape[1], heads, layers[0][0].shape[3], dtype=model.dtype)

    def one_pass() -> None:
        passes.positions.fill_(context)
        passes.run(rows, length)

    def attend() -> None:
        for keys, values in layers:
            functional.scaled_dot_product_attention(query, keys, values)

    def read() -> None:
        for keys, values in layers:
            keys.sum(), values.sum()

    works: dict[str, Callable[[], None]] = {"pass": one_pass}
    if bare:
        works |= {"attention": attend, "reads": read}
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(runs + 2):
        for name, work in works.items():
            took[name].append(timed(work, passes.device))
    return {name: 1000 * statistics.median(times[2:]) for name, times in took.items()}


def clock(device: torch.device) -> float:
    """CPU time of this process, or on a GPU wall time after its queued work is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def unavoidable_bytes(model: Any, rows: int, context: int) -> int:
    """Bytes that a pass must read: weights once, and the keys and values of `context` tokens in each row."""
    parts = (model.model.layers, model.model.norm, model.lm_head)
    weights = sum(weight.nbytes for part in parts for weight in part.parameters())
    return int(weights + rows * context * position_bytes(model))


def position_bytes(model: Any) -> int:
    config = model.config.text_config
    size = config.hidden_size // config.num_attention_heads
    position: int = 2 * config.num_hidden_layers * config.num_key_value_heads * size * model.dtype.itemsize
    return position


def grid(model: Any, compiled: bool, rows: Sequence[int], contexts: Sequence[int], bandwidth: float) -> dict[str, Any]:
    """A figure for each batch and context: "ms per pass, tokens per second, share of the bound"."""
    figures: dict[str, Any] = {}
    name = "compiled" if compiled else "eager"
    for count in rows:
        if compiled:
            torch.compiler.reset()  # each model and batch counts anew towards the compiler's limit of sizes
        lengths = sorted({next(length for length in LENGTHS if length > context) for context in contexts})
        passes = prepared(model, count, compiled, lengths)
        bare = count == 1 and not compiled and passes.device.type == "cpu"
        parts = {context: pass_ms(model, passes, count, context, 5 + 10 * bare, bare) for context in contexts}
        took = {context: part["pass"] for context, part in parts.items()}
        for context, ms in took.items():
            bound = bandwidth / unavoidable_bytes(model, count, context)
            figures[f"{name}, {count} answers, context {context}"] = {
                "ms": round(ms, 2),
                "tokens per second": round(1000 * count / ms, 1),
                "share of the bound": round(1000 / ms / bound, 3),
            }
        figures[f"{name}, {count} answers, longest context over shortest"] = round(
            took[contexts[-1]] / took[contexts[0]], 2
        )
        if bare:
            figures |= bare_figures(parts[contexts[0]], parts[contexts[-1]], contexts)
    return figures


def bare_figures(shortest: dict[str, float], longest: dict[str, float], contexts: Sequence[int]) -> dict[str, Any]:
    """How much of a pass at the longest context is the attention kernel, and what is left beside it."""
    beside = {
        context: part["pass"] - part["attention"]
        for context, part in zip((contexts[0], contexts[-1]), (shortest, longest), strict=True)
    }
    return {
        f"bare attention kernel, context {contexts[-1]} (ms)": round(longest["attention"], 2),
        f"bare reads of the keys and values, context {contexts[-1]} (ms)": round(longest["reads"], 2),
        **{f"pass beside attention, context {context} (ms)": round(ms, 2) for context, ms in beside.items()},
        "longest context over shortest, beside attention": round(beside[contexts[-1]] / beside[contexts[0]], 2),
        "least for longest context over shortest, with this kernel": round(
            1 + (longest["attention"] - shortest["attention"]) / shortest["pass"], 2
        ),
    }


def against_reference(model: Any, tokens: int) -> dict[str, Any]:
    """Times of the same greedy answer, decoded with the cache and as the reference decodes."""
    device = model.device
    inputs = prompt(utterance(10).finish()[0], str(device))
    batch = DecodeBatch(Passes(model), contextlib.nullcontext())
    ours(model, batch, inputs, 4)
    begin = clock(device)
    said = ours(model, batch, inputs, tokens)
    cached = clock(device) - begin
    batch.close()
    begin = clock(device)
    same = answer_without_cache(model, inputs, tokens, logits_to_keep=0)
    reference = clock(device) - begin
    if said != same:
        raise SystemExit("the two decoders gave different tokens, so their times cannot be compared")
    return {
        "tokens": tokens,
        "ours (s)": round(cached, 2),
        "the reference's loop (s)": round(reference, 2),
        "times faster": round(reference / cached, 1),
    }


@torch.no_grad()
def ours(model: Any, batch: DecodeBatch, inputs: dict[str, Any], tokens: int) -> list[int]:
    """The ids of a greedy answer."""
    states = States()
    logits = model(**inputs, past_key_values=states.cache, use_cache=True, logits_to_keep=1).logits[0, -1]
    states.positions += inputs["input_ids"][0].tolist()
    said = [int(logits.argmax())]
    samplers = Samplers(1, len(logits), model.device)
    samplers.set(0, Sampling(0.0, 1.0, 1.0))
    # `append` returns None, which does not end the answer.
    batch.run(Answer(states, said[0], samplers, tokens - 1, said.append))  # type: ignore[arg-type]
    return said


def measure(device: str, compiled: bool) -> dict[str, Any]:
    on_gpu = device == "cuda"
    model = random_weights(FULL if on_gpu else SMALLEST, device)
    bandwidth = copy_speed(device)
    figures = {
        "device": torch.cuda.get_device_name() if on_gpu else "CPU",
        "threads": torch.get_num_threads(),
        **of_model(model),
        "memory (GB/s)": round(bandwidth / 1e9, 1),
    }
    figures |= grid(model, False, ROWS if on_gpu else (1,), CONTEXTS, bandwidth)
    if not on_gpu:
        figures |= grid(model, False, ROWS[1:], CONTEXTS[:2], bandwidth)
    if compiled:
        figures |= grid(model, True, ROWS if on_gpu else (1,), CONTEXTS if on_gpu else CONTEXTS[::4], bandwidth)
    if not on_gpu:
        tiny = {"text_config": TINY_TEXT, "audio_encoder_config": TINY_AUDIO}
        for name, shape in (("tiny", tiny), ("narrow", MIDDLE)):
            model = random_weights(shape, device)
            found = of_model(model) | grid(model, False, (1,), CONTEXTS[::4], bandwidth)
            if compiled:
                found |= grid(model, True, (1,), CONTEXTS[::4], bandwidth)
            figures |= {f"{name}: {what}": figure for what, figure in found.items()}
    return figures | against_reference(model, 256 if on_gpu else 24)


def random_weights(shape: dict[str, Any], device: str) -> Any:
    """A model in evaluation mode, in bfloat16 on a GPU and float32 on a CPU."""
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    with torch.device(device):
        model = StepAudio2ForCausalLM(StepAudio2Config(**shape)).eval()
    torch.set_default_dtype(torch.float32)
    return model


def of_model(model: Any) -> dict[str, Any]:
    """Its size, and what a long context adds to what a pass reads."""
    weights = unavoidable_bytes(model, 0, 0)
    return {
        "parameters (millions)": round(sum(weight.numel() for weight in model.parameters()) / 1e6, 1),
        f"keys and values of {CONTEXTS[-1]} tokens over the weights that a pass reads": round(
            CONTEXTS[-1] * position_bytes(model) / weights, 3
        ),
    }


def timed(work: Callable[[], Any], device: torch.device) -> float:
    start = clock(device)
    work()
    return clock(device) - start


def copy_speed(device: str) -> float:
    """Memory bandwidth in bytes per second: reads plus writes of a copy on the device."""
    source = torch.empty(2**30 if device == "cuda" else 2**26, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    target.copy_(source)
    wait()

    def copy() -> None:
        for _ in range(10):
            target.copy_(source)
        wait()

    speed: float = 20 * source.nbytes / min(timed(copy, source.device) for _ in range(5))
    return speed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; torch's default when left out")
    parser.add_argument("--no-compile", action="store_true", help="measure eager passes alone")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    size = "Full size, random bfloat16" if options.device == "cuda" else "Shape of the smallest Qwen2.5, random float32"
    publish(size, measure(options.device, not options.no_compile), options.json)
