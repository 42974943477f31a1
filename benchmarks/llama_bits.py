"""What fewer bits cost Step-Audio 2 by llama.cpp: the same ids as the native model in 32 bits, and perplexity.

    python benchmarks/llama_bits.py [FOLDER] [--json FILE] [--tokens N]

FOLDER is a checkpoint; without one, a small checkpoint of random weights is made, whose rows are whole blocks of 256,
as the published ones are. Random weights prefer no token clearly, so a small error changes the best one far more often
than in a trained model: the figures compare precisions with each other, and say nothing about how answers sound.

The native model answers several conversations greedily: text, sound, spoken history, tool calls, and random bytes.
Each precision reads the same prompts and the same answers, with our own audio encoder in 32 bits.

same ids: share of positions where the best token is the same
same answers: share of conversations whose greedy answer, each precision going on with its own tokens, is the same
gap: the largest difference of the native model between its best token and the one that was chosen instead, in standard
    deviations of its logits
perplexity: of answers that the native model drew at temperature 1; the native model's own is the least there can be
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import machine, publish

from agentaudio.conversation import AudioPart, Conversation, SpeechPart, SpeechTokens, ToolCall, ToolOutput, ToolSpec
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.model.step_audio_2.decoding.generation import Generation, Request
from agentaudio.model.step_audio_2.generate import StepAudio2, load
from agentaudio.model.step_audio_2.init_tiny import init_tiny
from agentaudio.model.step_audio_2.llama.precision import WEIGHT_TYPES
from agentaudio.model.step_audio_2.settings import Sampling
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ, CODEC
from agentaudio.sound.audio import Audio

WIDE = {
    "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096,
}  # fmt: skip
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
SEARCH = ToolSpec("web_search", "Search the web.", QUERY)
RANDOM_TEXTS = 5


def conversations() -> list[tuple[Conversation, tuple[ToolSpec, ...]]]:
    """Conversations to answer, with their tools."""
    random = np.random.default_rng(0)

    def noise(seconds: float) -> AudioPart:
        return AudioPart(Audio(random.normal(0, 0.1, round(16_000 * seconds)), 16_000))

    def made(*messages: tuple[Any, ...]) -> Conversation:
        talk = Conversation()
        for role, *parts in messages:
            talk.add(role, *parts)
        return talk

    codes = SpeechTokens(tuple(random.integers(0, 6561, 40).tolist()), CODEC, CODE_RATE_HZ)
    spoken = ("assistant", SpeechPart("Of course.", tokens=codes))
    called = (
        ("assistant", SpeechPart("One moment.", tokens=codes), ToolCall("c1", "web_search", {"query": "tea"})),
        ("tool", ToolOutput("c1", "web_search", "Tea is green.")),
    )
    texts = ("".join(map(chr, random.integers(32, 127, 60))) for _ in range(RANDOM_TEXTS))
    return [
        (made(("user", noise(3.0))), ()),
        (made(("user", noise(27.0)), spoken, ("user", noise(1.5))), ()),
        (made(("user", "Where does tea come from?"), *called, ("user", noise(2.0))), (SEARCH,)),
        *((made(("user", text)), ()) for text in texts),
    ]


class Answers:
    """A model, and what it says to the conversations.

    tokens: of each answer
    """

    def __init__(self, model: StepAudio2, tokens: int) -> None:
        self.model, self._tokens = model, tokens

    def requests(self, temperature: float) -> list[Request]:
        """The conversations as prompts."""
        sampling = Sampling(temperature, 1.0, 1.0, seed=1)
        options = GenerateOptions(max_tokens=self._tokens)
        return [
            self.model._request(talk, tools, sampling, self._tokens, options, False) for talk, tools in conversations()
        ]

    def said(self, temperature: float) -> list[list[int]]:
        """The ids of all answers."""
        found = []
        for request in self.requests(temperature):
            generation = Generation(self.model._open(), self.model._prompts, self.model._kept, request)
            generation.run(lambda delta, count: None)
            found.append(generation.generated)
        return found

    @torch.inference_mode()
    def logits(self, answers: Sequence[Sequence[int]]) -> list[Any]:
        """Logits before each token of given answers: (tokens, vocabulary) each."""
        runtime, found = self.model._open(), []
        for request, ids in zip(self.requests(0.0), answers, strict=True):
            states = self.model._kept.take(request.prompt)
            rows = [runtime.read(request.prompt, states, lambda: True)]
            for number in ids[:-1]:
                rows.append(_next(runtime, states, number))
            found.append(torch.stack([one.float() for one in rows if one is not None]))
        return found


def _next(runtime: Any, states: Any, number: int) -> Any:
    """Logits after one more token."""
    if hasattr(runtime, "llama"):
        row = torch.from_numpy(runtime.llama.step([states.cache], [number], [len(states)])[0])
    else:
        row = runtime._forward([number], states, [])
    states.positions.append(number)
    return row


def compared(native: Sequence[Any], found: Sequence[Any]) -> tuple[float, float]:
    """Share of equal best tokens, and the largest gap; see above."""
    equal, gap, count = 0, 0.0, 0
    for ours, theirs in zip(native, found, strict=True):
        best, chosen = ours.max(-1).values, ours.gather(-1, theirs.argmax(-1, keepdim=True))[:, 0]
        gap = max(gap, float(((best - chosen) / ours.std(-1)).max()))
        equal += int((best == chosen).sum())
        count += len(ours)
    return equal / count, gap


def perplexity(rows: Sequence[Any], answers: Sequence[Sequence[int]]) -> float:
    """Of given answers. Source: Jelinek et al. 1977."""
    chances = [
        one.log_softmax(-1).gather(-1, torch.tensor(ids)[:, None]) for one, ids in zip(rows, answers, strict=True)
    ]
    return math.exp(-float(torch.cat(chances).mean()))


async def measure(folder: Path, tokens: int) -> dict[str, Any]:
    """All figures."""
    native = Answers(StepAudio2.load(folder, device="cpu", dtype="float32"), tokens)
    greedy, drawn = native.said(0.0), native.said(1.0)
    expected = native.logits(greedy)
    figures: dict[str, Any] = {
        "positions": sum(map(len, greedy)),
        "perplexity, native 32 bits": round(perplexity(native.logits(drawn), drawn), 1),
    }
    await native.model.aclose()
    for name in ("native bfloat16", *reversed(WEIGHT_TYPES)):
        if name == "native bfloat16":
            model = StepAudio2.load(folder, device="cpu", dtype="bfloat16")
        else:
            model = load(str(folder), runtime="llama.cpp", weights=name, device="cpu", dtype="float32")  # type: ignore[arg-type]
        print(f"measuring {name}", file=sys.stderr)
        other = Answers(model, tokens)
        equal, gap = compared(expected, other.logits(greedy))
        free = other.said(0.0)
        figures |= {
            f"same ids, {name}": f"{100 * equal:.1f} %",
            f"same answers, {name}": f"{sum(one == two for one, two in zip(free, greedy, strict=True))} of {len(free)}",
            f"gap, {name}": round(gap, 4),
            f"perplexity, {name}": round(perplexity(other.logits(drawn), drawn), 1),
        }
        if name != "native bfloat16":
            from agentaudio.model.step_audio_2.llama.store import gguf_path

            figures[f"file (MB), {name}"] = round(gguf_path(folder, name).stat().st_size / 1e6, 1)  # type: ignore[arg-type]
        await model.aclose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--json", default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("AGENTAUDIO_CACHE", scratch)
        given = arguments.folder
        folder = init_tiny(Path(scratch) / "tiny", text=WIDE) if given is None else given
        figures = asyncio.run(measure(folder, arguments.tokens))
    name = "random weights, 4 layers of 256" if given is None else str(given)
    publish("Bits of llama.cpp", {"checkpoint": name, **figures, **machine()}, arguments.json)


if __name__ == "__main__":
    main()
