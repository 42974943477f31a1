"""Decoding with Step-Audio 2: what the cache saves, and how near a GPU comes to its memory's speed.

    python benchmarks/decode.py [--json FILE] [--tokens N] [--device cpu|cuda] [--threads N]

On a CPU: a model of 120 million random float32 parameters hears 10 s and writes 256 tokens greedily,
with its cache and without one, as the reference decodes (prefix and encoder again for every token);
then the time of a token near the 64th and near the 1024th. The weights are random; the vocabulary,
the prompt and the arithmetic are those of the real model. Every time is given twice, on the wall and
in seconds of CPU: on a machine that others use, believe the second, with --threads 1.

On a GPU: the full size in random bfloat16. Tokens a second at batch 1, greedily, with a static cache
and a compiled step; the bound is the bytes of weights that every token has to read, over the speed
at which the card copies its own memory. The time to the first audio token counts from the end of a
5 s utterance whose features were computed while it arrived, to the second token on the host: in an
answer that opens with <tts_start>, the first is text, the second speech.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from report import publish
from transformers import StaticCache, StoppingCriteria

from agentaudio.model.step_audio_2.config import StepAudio2Config
from agentaudio.model.step_audio_2.features import SAMPLE_RATE, FeatureStream, token_count
from agentaudio.model.step_audio_2.init_tiny import random_model
from agentaudio.model.step_audio_2.modeling import StepAudio2ForCausalLM
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
    """Seconds on the wall, and of this process's CPU."""
    return np.array([time.perf_counter(), time.process_time()])


class Clock(StoppingCriteria):
    """Notes when each token was there; it stops nothing."""

    def __init__(self) -> None:
        self.ticks = [now()]

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        self.ticks.append(now())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def total(self) -> Any:
        """Seconds from the prompt to the last token."""
        return self.ticks[-1] - self.ticks[0]

    def token_ms(self, near: int, around: int = 24) -> Any:
        """Median milliseconds of a token, over those around one place."""
        return 1000 * np.median(np.diff(self.ticks[near - around : near + around], axis=0), axis=0)


def utterance(seconds: float) -> FeatureStream:
    """Noise that has arrived; what is left to do when it ends is `finish`."""
    stream = FeatureStream()
    stream.push(np.random.default_rng(0).normal(0, 0.1, int(seconds * SAMPLE_RATE)).astype(np.float32))
    return stream


def prompt(mel: Any, device: str) -> dict[str, Any]:
    """A turn of the real shape around one utterance."""
    around = list(range(1000, 1012))
    audio = [IDS.audio_start, *[IDS.audio_patch] * token_count(mel.shape[1]), IDS.audio_end]
    ids = [IDS.bot, *around, *audio, IDS.eot, IDS.bot, *around[:3], IDS.tts_start]
    return {
        "input_ids": torch.tensor([ids], device=device),
        "input_features": torch.from_numpy(mel)[None].to(device),
    }


def generate(model: Any, inputs: dict[str, Any], tokens: int, cached: bool) -> tuple[Clock, list[int]]:
    """The clock, and the ids of a greedy answer."""
    clock = Clock()
    out = model.generate(
        **inputs, attention_mask=torch.ones_like(inputs["input_ids"]), max_new_tokens=tokens, do_sample=False,
        use_cache=cached, stopping_criteria=[clock], pad_token_id=IDS.endoftext,
    )  # fmt: skip
    return clock, out[0, inputs["input_ids"].shape[1] :].tolist()


def middle_size(tokens: int) -> dict[str, Any]:
    model = random_model(StepAudio2Config(**MIDDLE))
    model.generation_config.eos_token_id = None
    parameters = sum(weight.numel() for weight in model.parameters())
    (mel,) = utterance(10).finish()
    inputs = prompt(mel, "cpu")
    generate(model, inputs, 8, cached=True)
    cached, answer = generate(model, inputs, tokens, cached=True)
    uncached, same = generate(model, inputs, tokens, cached=False)
    if answer != same:
        raise SystemExit("the cached answer is not the uncached one: the figures mean nothing")
    long, _ = generate(model, inputs, 1024 + 32, cached=True)
    early, late = long.token_ms(64), long.token_ms(1024)
    return {
        "parameters (millions)": round(parameters / 1e6, 1),
        "threads": torch.get_num_threads(),
        "tokens": tokens,
        "times are": "wall, CPU",
        "cached (s)": cached.total().round(2).tolist(),
        "uncached (s)": uncached.total().round(2).tolist(),
        "times faster": (uncached.total() / cached.total()).round(1).tolist(),
        "token near 64 (ms)": early.round(2).tolist(),
        "token near 1024 (ms)": late.round(2).tolist(),
        "late / early": (late / early).round(3).tolist(),
    }


def full_size(tokens: int, sizes: dict[str, Any], device: str, dtype: Any = torch.bfloat16) -> dict[str, Any]:
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model: Any = StepAudio2ForCausalLM(StepAudio2Config(**sizes)).eval()
    torch.set_default_dtype(torch.float32)

    def step(token: Any, position: Any, cache: Any) -> Any:
        logits = model(input_ids=token, position_ids=position, past_key_values=cache, use_cache=True).logits
        return logits[:, -1:].argmax(-1)

    compiled = torch.compile(step, mode="reduce-overhead" if device == "cuda" else None, fullgraph=True)
    length = prompt(utterance(5).finish()[0], device)["input_ids"].shape[1]
    cache = StaticCache(config=model.config.get_text_config(), max_cache_len=length + tokens + 8)
    positions = torch.arange(length + tokens, device=device)[:, None, None]

    def hear(stream: FeatureStream) -> Any:
        cache.reset()
        inputs = prompt(stream.finish()[0], device)
        return model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1).logits.argmax(-1)

    def answer(stream: FeatureStream, count: int) -> Any:
        token = hear(stream)
        for k in range(count - 1):
            # The step's own output lives in memory that its next run writes.
            token = compiled(token, positions[length + k], cache).clone()
        return token.tolist()

    with torch.no_grad():
        for _ in range(3):
            answer(utterance(5), 8)
        first = statistics.median(timed(lambda s=utterance(5): answer(s, 2)) for _ in range(9))  # type: ignore[misc]
        short = min(timed(lambda s=utterance(5): answer(s, 8)) for _ in range(3))  # type: ignore[misc]
        long = min(timed(lambda s=utterance(5): answer(s, tokens)) for _ in range(3))  # type: ignore[misc]
    speed = (tokens - 8) / (long - short)
    read = sum(
        weight.nbytes for part in (model.model.layers, model.model.norm, model.lm_head) for weight in part.parameters()
    )
    figures = {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "parameters (billions)": round(sum(weight.numel() for weight in model.parameters()) / 1e9, 3),
        "tokens per second": round(speed, 1),
        "GB read per token": round(read / 1e9, 2),
        "first audio token after 5 s (ms)": round(1000 * first, 1),
    }
    bandwidth = copy_speed(device)
    return figures | {
        "memory (GB/s)": round(bandwidth / 1e9),
        "bound (tokens per second)": round(bandwidth / read, 1),
        "share of the bound": f"{100 * speed * read / bandwidth:.0f} %",
    }


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def copy_speed(device: str) -> float:
    """Bytes a second that the device reads and writes when it copies its own memory."""
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
    parser.add_argument("--threads", type=int, help="of the CPU; as many as torch likes by default")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device == "cuda":
        publish("Full size, random bfloat16", full_size(options.tokens, FULL, "cuda"), options.json)
    else:
        publish("120 million parameters, random float32", middle_size(options.tokens), options.json)
