"""Speech tokens to sound: how fast, how soon, in how much memory, and what fewer steps cost.

    python benchmarks/token2wav.py [--json FILE] [--size tiny|full | --checkpoint FOLDER] [--device cpu|cuda]
                                   [--seconds N] [--compile]

The weights are random, in the published sizes (`full`) or in small ones, unless a checkpoint's
token2wav folder is given: the arithmetic is that of the real decoder, the sound is not. On a GPU
the flow is float16 and times are on the wall; on a CPU it is float32 on one thread and times are
seconds of CPU, which other work on the machine does not change.

RTF: seconds of computing for one second of sound. Offline: the whole utterance at once. Streaming:
token by token as a language model hands them over, chunks of 10, 15, 20 and then 25. Time to first
audio: from handing over the last token that the first chunk needs (the 13th) to its samples on the
host, with the voice's start state ready. The voice comes from a clip of 5 s.

Mel difference: mean over all bands and frames of the absolute difference from the mel of 10 steps,
in dB, beside the mean absolute deviation of that mel itself: what a mel that had nothing to do with
it would miss it by, roughly. Random weights make for a smoother flow than trained ones: believe
these figures of a checkpoint only.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from report import publish

from agentaudio.model.step_audio_2.token2wav.config import FlowConfig
from agentaudio.model.step_audio_2.token2wav.noise import SeededNoise
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav
from agentaudio.model.step_audio_2.token2wav.tiny_weights import TINY, TINY_CHANNELS, random_flow, random_hift

TOKENS_PER_S = 25
DB = 20 / np.log(10)  # a mel is the natural logarithm of a magnitude


@dataclass(frozen=True)
class Voice:
    """A prompt of random numbers."""

    tokens: Any
    embedding: Any
    mel: Any
    content_hash: str = "random"


def voice(seconds: float) -> Voice:
    random = np.random.default_rng(0)
    count = round(TOKENS_PER_S * seconds)
    ids = random.integers(0, 6561, count).astype(np.int32)
    return Voice(ids, random.standard_normal(192, np.float32), random.standard_normal((2 * count, 80), np.float32))


class Clock:
    """Seconds since the last look: of this process's CPU, or on the wall with the GPU's work done."""

    def __init__(self, device: str) -> None:
        self._cuda = device == "cuda"

    def now(self) -> float:
        if self._cuda:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def median(self, work: Callable[[], Any], runs: int = 3) -> float:
        """Seconds that one run takes, behind one that warms up."""
        work()
        taken = []
        for _ in range(runs):
            start = self.now()
            work()
            taken.append(self.now() - start)
        return statistics.median(taken)


def streamed(decoder: Token2Wav, tokens: list[int], prompt: Voice) -> None:
    stream = decoder.stream(prompt)
    for token in tokens:
        stream.feed(token)
    stream.finish()


def first_audio(decoder: Token2Wav, tokens: list[int], prompt: Voice, clock: Clock) -> float:
    """Seconds from the token that completes the first chunk to its samples."""
    stream = decoder.stream(prompt)
    for token in tokens:
        start = clock.now()
        if len(stream.feed(token)):
            return clock.now() - start
    raise SystemExit("the utterance is too short for a first chunk; give more --seconds")


def stages(decoder: Token2Wav, tokens: list[int], prompt: Voice, clock: Clock) -> dict[str, str]:
    """What share of an offline synthesis each part takes."""
    parts = {
        "encoder": decoder.flow.encoder,
        "estimator": decoder.flow.estimator,
        "vocoder": decoder.vocoder,
    }
    spent = dict.fromkeys(parts, 0.0)
    started: dict[str, float] = {}
    hooks = []
    for name, part in parts.items():
        hooks.append(part.register_forward_pre_hook(lambda _, __, name=name: started.update({name: clock.now()})))
        hooks.append(
            part.register_forward_hook(
                lambda _, __, ___, name=name: spent.update({name: spent[name] + clock.now() - started[name]})
            )
        )
    start = clock.now()
    decoder.synthesize(tokens, prompt)
    whole = clock.now() - start
    for hook in hooks:
        hook.remove()
    spent["the rest"] = whole - sum(spent.values())
    return {name: f"{100 * seconds / whole:.0f} %" for name, seconds in spent.items()}


def mel(decoder: Token2Wav, tokens: list[int], prompt: Voice, steps: int) -> Any:
    count = 2 * (len(prompt.tokens) + len(tokens))
    given = (torch.tensor(one[None], device=decoder.device) for one in (prompt.tokens, prompt.mel, prompt.embedding))
    noise = SeededNoise(80, 0).rows(0, count).T[None]
    with torch.inference_mode():
        return decoder.flow(torch.tensor([tokens], device=decoder.device), *given, noise, steps)


def fewer_steps(decoder: Token2Wav, tokens: list[int], prompt: Voice, clock: Clock) -> dict[str, Any]:
    """What 6 and 4 steps save and cost beside 10."""
    seconds = len(tokens) / TOKENS_PER_S
    best = mel(decoder, tokens, prompt, 10)
    figures: dict[str, Any] = {}
    for steps in (10, 6, 4):
        taken = clock.median(lambda n=steps: decoder.synthesize(tokens, prompt, steps=n))  # type: ignore[misc]
        figures[f"RTF offline, {steps} steps"] = round(taken / seconds, 4)
    for steps in (6, 4):
        off = DB * float((mel(decoder, tokens, prompt, steps) - best).abs().mean())
        figures[f"mel difference, {steps} steps (dB)"] = round(off, 2)
    figures["mel's own deviation (dB)"] = round(DB * float((best - best.mean()).abs().mean()), 2)
    return figures


def peak_memory(device: str) -> float:
    """Megabytes: of the GPU's memory, or of this process since it began."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated()) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def made(size: str, device: str) -> Token2Wav:
    """A decoder of random weights, or the one in a folder."""
    dtype = torch.float16 if device == "cuda" else torch.float32
    if size not in ("tiny", "full"):
        return Token2Wav.load(size, device=device, dtype=dtype)
    config, channels = (FlowConfig(), (512, 512)) if size == "full" else (FlowConfig.from_dict(TINY), TINY_CHANNELS)
    return Token2Wav(random_flow(config).to(device, dtype), random_hift(*channels).to(device))


def measure(size: str, device: str, seconds: float, compiled: bool) -> dict[str, Any]:
    decoder = made(size, device)
    parameters = sum(weight.numel() for part in (decoder.flow, decoder.vocoder) for weight in part.parameters())
    clock, prompt = Clock(device), voice(5)
    tokens: list[int] = np.random.default_rng(1).integers(0, 6561, round(TOKENS_PER_S * seconds)).tolist()
    # Before anything is compiled: what is compiled cannot be looked into.
    shares = stages(decoder, tokens, prompt, clock)
    if compiled:
        decoder.flow.estimator.compile(dynamic=True)
    figures = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU, one thread",
        "parameters (millions)": round(parameters / 1e6, 1),
        "flow": f"{decoder.flow.encoder_proj.weight.dtype}".removeprefix("torch.") + ", compiled" * compiled,
        "sound (s)": seconds,
        **fewer_steps(decoder, tokens, prompt, clock),
        "RTF streaming, 10 steps": round(clock.median(lambda: streamed(decoder, tokens, prompt)) / seconds, 4),
    }
    soonest = statistics.median(first_audio(decoder, tokens, prompt, clock) for _ in range(5))
    figures["time to first audio (ms)"] = round(1000 * soonest, 1)
    figures["remembered by a stream (MB)"] = round(remembered(decoder, tokens, prompt) / 1e6, 1)
    figures["peak memory (MB)"] = round(peak_memory(device))
    return figures | {f"share of {name}, offline": share for name, share in shares.items()}


def remembered(decoder: Token2Wav, tokens: list[int], prompt: Voice) -> int:
    stream = decoder.stream(prompt)
    stream.feed(tokens)
    return stream.nbytes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", choices=["tiny", "full"], help="tiny on a CPU and full on a GPU by default")
    parser.add_argument("--checkpoint", metavar="FOLDER", help="measure these weights")
    parser.add_argument("--seconds", type=float, default=10, help="of sound")
    parser.add_argument("--compile", action="store_true", help="compile the estimator")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = options.checkpoint or options.size or ("full" if options.device == "cuda" else "tiny")
    publish(
        f"Speech decoder, {chosen}" + ("" if options.checkpoint else " size, random weights"),
        measure(chosen, options.device, options.seconds, options.compile),
        options.json,
    )
