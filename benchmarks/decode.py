"""Decoding speed of Step-Audio 2: gains of the KV cache and of batching, and the share of a GPU's memory bandwidth.

    python benchmarks/decode.py [--json FILE] [--tokens N] [--device cpu|cuda] [--threads N]

On a CPU: a model of 120 million random float32 parameters takes a 10 s utterance and decodes 256 tokens
greedily in three ways:

1. with the backend's decoder, which caches keys and values;
2. as the reference decodes: for each token it runs the encoder and the whole prefix again, and computes
   logits at every position (modeling_step_audio_2.py has no cache);
3. as the reference, but with logits at the last position only.

It then measures the time of a token near the 64th and near the 1024th, and the throughput of four answers
decoded together relative to one; the throughputs include reading the prompts, one after another. The
weights are random; vocabulary, prompt and arithmetic are those of the real model. Each time is given as
wall time and as CPU time. On a shared machine, use CPU time with --threads 1.

On a GPU: the full size in random bfloat16. Tokens per second of one answer and of eight, greedily, with
the backend's compiled decoder; those of eight include reading the eight prompts, those of one do not. The
bound is the card's memory copy bandwidth divided by the bytes of weights that each token reads. The time
to the first audio token runs from the end of a 5 s utterance, whose features were computed as it arrived,
to the second token on the host: in an answer that begins with <tts_start>, the first token is text and
the second is speech.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from report import publish

from agentaudio.model.step_audio_2.decoding.batching import Answer, DecodeBatch
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.init_tiny import random_model
from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.network.features import SAMPLE_RATE, FeatureStream, token_count
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.tokens import TokenIds

IDS = TokenIds()
VOCABULARY = {"vocab_size": 158_720, "max_position_embeddings": 16_384}
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


def now() -> Any:
    """Wall time and CPU time of this process, (2,) in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


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
def read(model: Any, inputs: dict[str, Any]) -> tuple[States, int]:
    """Prefill: the cached states after the prompt `inputs`, and the first token."""
    states = States()
    logits = model(**inputs, past_key_values=states.cache, use_cache=True, logits_to_keep=1).logits
    states.positions += inputs["input_ids"][0].tolist()
    return states, int(logits[0, -1].argmax())


def greedy(batch: DecodeBatch, decoding: Answer, number: int) -> int:
    """Decode one step after token `number`; returns the most likely next token."""
    logits = batch.step(decoding, number)
    assert logits is not None, "the benchmark does not cancel answers"
    return int(logits.argmax())


def answer(model: Any, batch: DecodeBatch, inputs: dict[str, Any], tokens: int) -> tuple[Any, list[int]]:
    """Times at the start and after each token, (tokens + 1, 2) as `now`, and the ids of a greedy answer."""
    ticks = [now()]
    states, number = read(model, inputs)
    said = [number]
    ticks.append(now())
    decoding = Answer(states)
    while len(said) < tokens:
        said.append(greedy(batch, decoding, said[-1]))
        ticks.append(now())
    batch.leave(decoding)
    return np.array(ticks), said


@torch.no_grad()
def answer_without_cache(model: Any, inputs: dict[str, Any], tokens: int, logits_to_keep: int) -> tuple[Any, list[int]]:
    """Seconds and ids of a greedy answer when each token recomputes the whole sequence."""
    begin = now()
    ids = inputs["input_ids"]
    start = ids.shape[1]
    while ids.shape[1] < start + tokens:
        logits = model(**(inputs | {"input_ids": ids}), use_cache=False, logits_to_keep=logits_to_keep).logits
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    return now() - begin, ids[0, start:].tolist()


def token_ms(ticks: Any, near: int, around: int = 24) -> Any:
    """Median milliseconds per token, over the `around` tokens on each side of position `near`."""
    return 1000 * np.median(np.diff(ticks[near - around : near + around], axis=0), axis=0)


def middle_size(tokens: int) -> dict[str, Any]:
    model: Any = random_model(StepAudio2Config(**MIDDLE))
    batch = DecodeBatch(model, contextlib.nullcontext())
    parameters = sum(weight.numel() for weight in model.parameters())
    (mel,) = utterance(10).finish()
    inputs = prompt(mel, "cpu")
    answer(model, batch, inputs, 8)
    ticks, said = answer(model, batch, inputs, tokens)
    cached = ticks[-1] - ticks[0]
    reference, same = answer_without_cache(model, inputs, tokens, logits_to_keep=0)
    spared, same_again = answer_without_cache(model, inputs, tokens, logits_to_keep=1)
    if not said == same == same_again:
        raise SystemExit("the three decoders gave different tokens, so their times cannot be compared")
    long, _ = answer(model, batch, inputs, 1024 + 32)
    early, late = token_ms(long, 64), token_ms(long, 1024)
    one, four = (timed_both(lambda n=n: at_once(model, batch, inputs, n, 64)) for n in (1, 4))  # type: ignore[misc]
    batch.close()
    return {
        "parameters (millions)": round(parameters / 1e6, 1),
        "threads": torch.get_num_threads(),
        "tokens": tokens,
        "times are": "wall, CPU",
        "with the cache (s)": cached.round(2).tolist(),
        "as the reference decodes (s)": reference.round(2).tolist(),
        "times faster": (reference / cached).round(1).tolist(),
        "reference, spared the unused logits (s)": spared.round(2).tolist(),
        "times faster than that": (spared / cached).round(1).tolist(),
        "token near 64 (ms)": early.round(2).tolist(),
        "token near 1024 (ms)": late.round(2).tolist(),
        "late / early": (late / early).round(3).tolist(),
        "four answers at once, tokens per second over one": (4 * one / four).round(2).tolist(),
    }


def at_once(model: Any, batch: DecodeBatch, inputs: dict[str, Any], answers: int, tokens: int) -> None:
    """Prefill `answers` prompts in turn, then decode `tokens` tokens of each, all together, a thread per answer.

    The time of a call includes the prefill.
    """
    prompts = [read(model, inputs) for _ in range(answers)]

    def decode(prompt: tuple[States, int]) -> None:
        states, number = prompt
        decoding = Answer(states)
        for _ in range(tokens - 1):
            number = greedy(batch, decoding, number)
        batch.leave(decoding)

    with ThreadPoolExecutor(answers) as threads:
        list(threads.map(decode, prompts))


def full_size(tokens: int, sizes: dict[str, Any], device: str, dtype: Any = torch.bfloat16) -> dict[str, Any]:
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model: Any = StepAudio2ForCausalLM(StepAudio2Config(**sizes)).eval()
    torch.set_default_dtype(torch.float32)
    batch = DecodeBatch(model, contextlib.nullcontext(), compiled=True)

    def heard(stream: FeatureStream) -> dict[str, Any]:
        return prompt(stream.finish()[0], device)

    for _ in range(3):
        answer(model, batch, heard(utterance(5)), tokens)  # compiles every shape and captures the graphs
    first = statistics.median(timed(lambda s=utterance(5): answer(model, batch, heard(s), 2)) for _ in range(9))  # type: ignore[misc]
    runs = [answer(model, batch, heard(utterance(5)), tokens)[0][:, 0] for _ in range(3)]
    speed = max((tokens - 8) / (ticks[-1] - ticks[8]) for ticks in runs)
    inputs = heard(utterance(5))
    at_once(model, batch, inputs, 8, 32)
    eight = min(timed(lambda: at_once(model, batch, inputs, 8, 128)) for _ in range(3))
    batch.close()
    read_bytes = sum(
        weight.nbytes for part in (model.model.layers, model.model.norm, model.lm_head) for weight in part.parameters()
    )
    bandwidth = copy_speed(device)
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "parameters (billions)": round(sum(weight.numel() for weight in model.parameters()) / 1e9, 3),
        "tokens per second": round(speed, 1),
        "tokens per second, eight answers": round(8 * 128 / eight, 1),
        "GB read per token": round(read_bytes / 1e9, 2),
        "first audio token after 5 s (ms)": round(1000 * first, 1),
        "memory (GB/s)": round(bandwidth / 1e9),
        "bound (tokens per second)": round(bandwidth / read_bytes, 1),
        "share of the bound": f"{100 * speed * read_bytes / bandwidth:.0f} %",
    }


def timed_both(work: Callable[[], Any]) -> Any:
    begin = now()
    work()
    return now() - begin


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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

    speed: float = 20 * source.nbytes / min(timed(copy) for _ in range(5))
    return speed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; torch's default when left out")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device == "cuda":
        publish("Full size, random bfloat16", full_size(options.tokens, FULL, "cuda"), options.json)
    else:
        publish("120 million parameters, random float32", middle_size(options.tokens), options.json)
