"""How many GPUs many live sessions need: computed, with each formula shown.

    python benchmarks/scale_out_sizing.py [--sessions N] [--speaking SHARE] [--context TOKENS] [--json FILE]

Nothing here is measured. Bytes of a pass are those of `docs/figures/decode_counts.json`, continued to larger batches by
least squares; operations of the sound are counted on the full decoder with tensors that have shapes and no contents.
What a card gives (`--bandwidth`, `--memory`, `--tflops`, `--tflops32`) and how people talk (`--speaking`, `--context`,
`--prompt`) are options, whose defaults are an H100 and a lively conversation.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from report import publish
from torch.utils.flop_counter import FlopCounterMode

from agentaudio.model.step_audio_2.language.interleave import AUDIO_PER_TEXT
from agentaudio.model.step_audio_2.token2wav.chunks import CHUNK
from agentaudio.model.step_audio_2.token2wav.config import FRAME_SAMPLES, TOKEN_FRAMES, FlowConfig
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState
from agentaudio.model.step_audio_2.token2wav.hift import MEL_BANDS, HiFT
from agentaudio.model.step_audio_2.token2wav.stream import RECENT_FRAMES, RECENT_TOKENS
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ

COUNTS = Path(__file__).parent.parent / "docs" / "figures" / "decode_counts.json"
TOKENS_PER_S = CODE_RATE_HZ * (1 + 1 / AUDIO_PER_TEXT)
"""Of speech that is spoken as it is generated."""
GAPLESS = 1.25
"""How much faster than speech each answer must be generated, so that chunks that grow never run dry."""
BYTES = 2
"""Of a weight in bfloat16."""


def bytes_of_a_pass() -> tuple[float, float, float]:
    """(weights, for each answer, for each answer and token of context) in GB, fitted to the counts."""
    rows, read = [], []
    for name, counted in json.loads(COUNTS.read_text(encoding="utf-8")).items():
        if found := re.fullmatch(r"(\d+) answers, context (\d+)", name):
            answers, context = int(found[1]), int(found[2])
            rows.append((1, answers, answers * context))
            read.append(counted["GB read"])
    weights, answer, token = np.linalg.lstsq(np.array(rows, float), np.array(read), rcond=None)[0]
    return float(weights), float(answer), float(token)


@torch.inference_mode()
def operations_of_a_chunk(prompt_s: float, steps: int) -> tuple[int, int]:
    """Floating-point operations for a chunk of a stream under way: of the flow, and of the vocoder."""
    with torch.device("meta"):
        flow, vocoder = Flow(FlowConfig()), HiFT()
        config = flow.config.estimator
        prompt = round(prompt_s * CODE_RATE_HZ)
        start = flow.encoder.start()
        past = torch.zeros(
            config.depth, 2, config.num_heads, TOKEN_FRAMES * prompt + RECENT_FRAMES, 2 * config.head_dim
        )
        memory = flow.estimator.start(2)[1]
        known = prompt + RECENT_TOKENS
        state = FlowState(
            torch.zeros(1, MEL_BANDS), prompt,
            replace(
                start,
                token_keys=tuple(_filled(keys, known) for keys in start.token_keys),
                frame_keys=tuple(_filled(keys, TOKEN_FRAMES * known) for keys in start.frame_keys),
            ),
            (past,) * steps, (memory,) * steps,
        )  # fmt: skip
        tokens = torch.zeros(1, CHUNK + flow.encoder.ahead, dtype=torch.int64)
        frames = TOKEN_FRAMES * CHUNK
        with FlopCounterMode(display=False) as in_flow:
            flow.chunk(tokens, state, torch.zeros(1, MEL_BANDS, frames), last=False)
        with FlopCounterMode(display=False) as in_vocoder:
            vocoder.f0_predictor(torch.zeros(1, MEL_BANDS, frames))
            vocoder.decode(torch.zeros(1, MEL_BANDS, frames), torch.zeros(1, 1, FRAME_SAMPLES * frames))
    return in_flow.get_total_flops(), in_vocoder.get_total_flops()


def _filled(keys: torch.Tensor, length: int) -> torch.Tensor:
    return keys.new_zeros(*keys.shape[:2], length, keys.shape[3])


def operations_of_sound(prompt_s: float, steps: int) -> tuple[float, float]:
    """The same for a second of sound. All steps of the flow take equally many, so two are counted."""
    one, two = operations_of_a_chunk(prompt_s, 1), operations_of_a_chunk(prompt_s, 2)
    seconds = CHUNK / CODE_RATE_HZ
    return (one[0] + (steps - 1) * (two[0] - one[0])) / seconds, one[1] / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--speaking", type=float, default=0.4, help="share of the time in which an agent speaks")
    parser.add_argument("--context", type=int, default=4000, help="tokens of a conversation, on average")
    parser.add_argument("--prompt", type=float, default=10.0, help="seconds of a voice's clip")
    parser.add_argument("--steps", type=int, default=10, help="of the flow")
    parser.add_argument("--bandwidth", type=float, default=3.0, help="TB/s that a card reads")
    parser.add_argument("--memory", type=float, default=80.0, help="GB of a card")
    parser.add_argument("--tflops", type=float, default=400.0, help="of a card in bfloat16, in practice")
    parser.add_argument("--tflops32", type=float, default=40.0, help="of a card in float32, in practice")
    parser.add_argument("--use", type=float, default=0.7, help="share of a card that is planned for")
    parser.add_argument("--json")
    given = parser.parse_args()
    figures: dict[str, object] = {
        name: getattr(given, name)
        for name in ("sessions", "speaking", "context", "bandwidth", "memory", "tflops", "tflops32", "use")
    }

    def line(name: str, formula: str, value: float, digits: int = 2) -> float:
        figures[name] = round(value, digits)
        print(f"{name}\n    = {formula}\n    = {figures[name]:,}")
        return value

    weights, answer, token = bytes_of_a_pass()
    print(f"A pass reads {weights:.2f} GB + answers x ({answer:.4f} GB + context x {token * 1e6:.1f} kB)\n")
    spoken = line("answers that are spoken at a time", "sessions x speaking", given.sessions * given.speaking)
    wanted = line("tokens a second", f"spoken x {TOKENS_PER_S:g}", spoken * TOKENS_PER_S)
    parameters = weights / BYTES

    def pass_s(rows: float) -> float:
        reading = (weights + rows * (answer + given.context * token)) / (given.bandwidth * 1000)
        return float(max(reading, rows * 2 * parameters / (given.tflops * 1000)) / given.use)

    rate = TOKENS_PER_S * GAPLESS
    fast = max(rows for rows in range(1, 2000) if pass_s(rows) <= 1 / rate)
    fits = int((given.memory * given.use - weights) / (given.context * token))
    rows = min(fast, fits)
    line(
        "answers in a batch: in time",
        f"most with max(bytes / bandwidth, operations / tflops) <= 1 / {rate:g} s",
        fast,
        0,
    )
    line("answers in a batch: in memory", "(memory x use - weights) / (context x bytes of a token)", fits, 0)
    line("milliseconds of a pass", "max(bytes / bandwidth, operations / tflops) / use", 1000 * pass_s(rows))
    each = line("tokens a second of a GPU", "answers in a batch / pass", rows / pass_s(rows))
    decoding = line("GPUs for tokens, by speed", "tokens a second / tokens a second of a GPU", wanted / each)
    kept = line(
        "GPUs for tokens, to keep each conversation in memory", "sessions / answers in memory", given.sessions / fits
    )
    line("GPUs for tokens", "the larger of both, rounded up", math.ceil(max(decoding, kept)), 0)
    print("    (by speed alone, conversations that wait are read anew, or their keys and values wait in host memory)\n")

    in_flow, in_vocoder = operations_of_sound(given.prompt, given.steps)
    flow = line("gigaoperations for a second of sound, flow", "counted", in_flow / 1e9)
    vocoder = line("gigaoperations for a second of sound, vocoder", "counted", in_vocoder / 1e9)
    sound = line(
        "GPUs for sound", "spoken x operations / (tflops in float32 x use)",
        spoken * (flow + vocoder) / (given.tflops32 * 1000 * given.use),
    )  # fmt: skip
    line("replicas of serve-token2wav", "GPUs for sound, rounded up", math.ceil(sound), 0)
    line("sound out, Mbit/s", "spoken x 24,000 samples x 32 bits", spoken * 24_000 * 32 / 1e6)
    publish("Sizing", figures, given.json)


if __name__ == "__main__":
    main()
