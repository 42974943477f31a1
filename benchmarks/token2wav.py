"""Token2wav (speech tokens to sound): real-time factor, latency, memory, and the cost of fewer flow steps.

    python benchmarks/token2wav.py [--json FILE] [--size tiny|full | --checkpoint FOLDER] [--device cpu|cuda]
                                   [--seconds N] [--compile]

Weights are random, in the published sizes (`full`) or in small ones (`tiny`), unless --checkpoint names a
token2wav folder. With random weights the arithmetic is that of the real decoder, and the sound is noise.
On a GPU the flow is float16 and times are wall times. On a CPU it is float32 on one thread and times are
CPU times, which do not depend on other work on the machine.

RTF: seconds of computation per second of sound. Offline: the whole utterance at once. Streaming: token by
token, as a language model emits them, in chunks of 8, 10, 15, 20 and then 25. Time to first audio: from
feeding the last token that the first chunk needs (the 11th) to its samples on the host, with the start
state of the voice ready. The voice prompt is 5 s long.

Mel difference: mean absolute difference in dB, over all bands and frames, from the mel of 10 steps. The
mean absolute deviation of that mel is given for scale: an unrelated mel would differ by about that much.
Random weights give a smoother flow than trained ones, so these figures hold only for a checkpoint. The same for a
flow in half precision, from float32.

Operators of a chunk: what the host enqueues for 1 s of sound at full size, counted on tensors without contents; and
what is left of it where the ODE and the vocoder are CUDA graphs, each of which is one more.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from report import publish
from torch.utils._python_dispatch import TorchDispatchMode

from agentaudio.model.step_audio_2.token2wav.chunks import CHUNK, OVERLAP_FRAMES
from agentaudio.model.step_audio_2.token2wav.config import FlowConfig
from agentaudio.model.step_audio_2.token2wav.fixed import PASTS, FixedDecode, FixedSolve, Past
from agentaudio.model.step_audio_2.token2wav.flow import Flow
from agentaudio.model.step_audio_2.token2wav.hift import HiFT
from agentaudio.model.step_audio_2.token2wav.noise import SeededNoise
from agentaudio.model.step_audio_2.token2wav.source import NOISE_WIDTH
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav
from agentaudio.model.step_audio_2.token2wav.tiny_weights import TINY, TINY_CHANNELS, random_flow, random_hift
from agentaudio.model.step_audio_2.token2wav.wave_stream import WaveStream

TOKENS_PER_S = 25
DB = 20 / np.log(10)  # a mel is the natural logarithm of a magnitude


@dataclass(frozen=True)
class Voice:
    """A voice prompt of random numbers."""

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
    """A clock in seconds: CPU time of this process, or on a GPU wall time after its queued work is done."""

    def __init__(self, device: str) -> None:
        self._cuda = device == "cuda"

    def now(self) -> float:
        if self._cuda:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def median(self, work: Callable[[], Any], runs: int = 3) -> float:
        """Median seconds of `runs` calls of `work`, after one call to warm up."""
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
    """Seconds from feeding the token that completes the first chunk to its samples."""
    stream = decoder.stream(prompt)
    for token in tokens:
        start = clock.now()
        if len(stream.feed(token)):
            return clock.now() - start
    raise SystemExit("the utterance is too short for a first chunk; give more --seconds")


def stages(decoder: Token2Wav, tokens: list[int], prompt: Voice, clock: Clock) -> dict[str, str]:
    """Share of the time of an offline synthesis that each part takes."""
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
    """RTF with 10, 6 and 4 flow steps, and the mel difference of 6 and 4 steps from 10."""
    seconds = len(tokens) / TOKENS_PER_S
    best = mel(decoder, tokens, prompt, 10)
    figures: dict[str, Any] = {}
    for steps in (10, 6, 4):
        taken = clock.median(lambda n=steps: decoder.synthesize(tokens, prompt, steps=n))  # type: ignore[misc]
        figures[f"RTF offline, {steps} steps"] = round(taken / seconds, 4)
    for steps in (6, 4):
        off = DB * float((mel(decoder, tokens, prompt, steps) - best).abs().mean())
        figures[f"mel difference, {steps} steps (dB)"] = round(off, 2)
    for dtype in (torch.float16, torch.bfloat16) if decoder.device.type == "cpu" else ():
        half = Token2Wav(copy.deepcopy(decoder.flow).to(dtype), decoder.vocoder)
        off = DB * float((mel(half, tokens, prompt, 10) - best).abs().mean())
        figures[f"mel difference, {str(dtype).removeprefix('torch.')} (dB)"] = round(off, 3)
    figures["mel's own deviation (dB)"] = round(DB * float((best - best.mean()).abs().mean()), 2)
    return figures


class Operators(TorchDispatchMode):
    """Counts operators that launch work."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not function.is_view and "empty" not in function.name()
        return function(*args, **(kwargs or {}))


@torch.inference_mode()
def operators_of_a_chunk() -> dict[str, int]:
    """Operators of a chunk of 25 tokens in a stream at full size: alone, and outside of the graphs."""
    with torch.device("meta"):
        flow, vocoder = Flow(FlowConfig()).eval(), HiFT().eval()
        prompt, frames = 125, PASTS[0]
        state = flow.prepare(
            torch.zeros(1, prompt, dtype=torch.int64), torch.zeros(1, 2 * prompt, 80), torch.zeros(1, 192),
            torch.zeros(1, 80, 2 * prompt), 10,
        )  # fmt: skip
        ids, noise = torch.zeros(1, CHUNK + flow.encoder.ahead, dtype=torch.int64), torch.zeros(1, 80, 2 * CHUNK)
        solve = FixedSolve(flow, Past.of(flow, frames, 10), CHUNK, frames)
        decode = FixedDecode(vocoder, 2 * CHUNK + OVERLAP_FRAMES)
    waves = [WaveStream(vocoder, SeededNoise(NOISE_WIDTH, 0)) for _ in range(2)]
    for wave in waves:
        wave.push(torch.zeros(1, 80, 16, device="meta"))
    with Operators() as alone:
        mel, _ = flow.chunk(ids, state, noise, last=False)
        waves[0].push(mel)
    with Operators() as outside:
        mu, _ = flow.encoded(ids, state.encoder, last=False)
        solve.load(mu, state, noise)
        mel, _ = solve.result(state)
        window, source = waves[1].begin(mel)
        decode.load(window, source)
        waves[1].end(window, source, decode.result())
    return {"operators of a chunk": alone.count, "operators of a chunk, outside of two CUDA graphs": outside.count}


def peak_memory(device: str) -> float:
    """Peak memory in megabytes: of the GPU, or of this process."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated()) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def made(size: str, device: str) -> Token2Wav:
    """A decoder with random weights (`size` "tiny" or "full"), or from the checkpoint folder `size`."""
    dtype = torch.float16 if device == "cuda" else torch.float32
    if size not in ("tiny", "full"):
        return Token2Wav.load(size, device=device, dtype=dtype)
    config, channels = (FlowConfig(), (512, 512)) if size == "full" else (FlowConfig.from_dict(TINY), TINY_CHANNELS)
    decoder = Token2Wav(random_flow(config).to(device, dtype), random_hift(*channels).to(device))
    decoder.prepare()
    return decoder


def measure(size: str, device: str, seconds: float, compiled: bool) -> dict[str, Any]:
    decoder = made(size, device)
    parameters = sum(weight.numel() for part in (decoder.flow, decoder.vocoder) for weight in part.parameters())
    clock, prompt = Clock(device), voice(5)
    tokens: list[int] = np.random.default_rng(1).integers(0, 6561, round(TOKENS_PER_S * seconds)).tolist()
    # Before compiling: hooks of compiled modules do not run.
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
    figures |= operators_of_a_chunk()
    return figures | {f"share of {name}, offline": share for name, share in shares.items()}


def remembered(decoder: Token2Wav, tokens: list[int], prompt: Voice) -> int:
    stream = decoder.stream(prompt)
    stream.feed(tokens)
    return stream.nbytes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", choices=["tiny", "full"], help="of random weights; default: full on a GPU, else tiny")
    parser.add_argument("--checkpoint", metavar="FOLDER", help="measure these weights")
    parser.add_argument("--seconds", type=float, default=10, help="seconds of sound to synthesise")
    parser.add_argument("--compile", action="store_true", help="compile the estimator")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = options.checkpoint or options.size or ("full" if options.device == "cuda" else "tiny")
    publish(
        f"Speech decoder, {chosen}" + ("" if options.checkpoint else " size, random weights"),
        measure(chosen, options.device, options.seconds, options.compile),
        options.json,
    )
