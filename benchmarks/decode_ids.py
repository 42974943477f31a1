"""Whether all ways to decode give the same ids, and what compiled passes do after they were prepared.

    python benchmarks/decode_ids.py [--json FILE]

A small random model that is really compiled. The greedy ids of 200 random prompts are those of the model that
recomputes everything: eager, in batches of 8, and compiled for 8. While they are decoded nothing is compiled again
(torch raises if it were, and its count of compiled graphs stays), and no tensor that a pass reads or writes has moved.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import torch
from report import publish
from torch._dynamo.utils import counters
from transformers import DynamicCache

from agentaudio.model.step_audio_2.decoding.batching import Answer, DecodeBatch
from agentaudio.model.step_audio_2.decoding.buckets import Buckets
from agentaudio.model.step_audio_2.decoding.passes import Passes
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.decoding.sampling import Samplers
from agentaudio.model.step_audio_2.init_tiny import random_model
from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.settings import Sampling

SMALL = {
    "text_config": {"vocab_size": 4096, "pad_token_id": 0, "max_position_embeddings": 512, "hidden_size": 16,
                    "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                    "initializer_range": 0.5},
    "audio_encoder_config": {"n_audio_ctx": 200, "n_audio_state": 16, "n_audio_head": 2, "n_audio_layer": 2,
                             "llm_dim": 16},
}  # fmt: skip
PROMPTS, TOKENS = 200, 8


def same_ids() -> dict[str, Any]:
    """Whether all ways to decode agree, and what compiled passes do after they were prepared."""
    model: Any = random_model(StepAudio2Config(**SMALL))
    random = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 240, (PROMPTS,), generator=random).tolist()
    prompts = [torch.randint(0, 4096, (length,), generator=random).tolist() for length in lengths]
    expected = [recomputed(model, prompt) for prompt in prompts]
    figures: dict[str, Any] = {"prompts": PROMPTS, "tokens of each": TOKENS}
    for name, rows, compiled in (("eager", 1, False), ("eager, 8 at once", 8, False), ("compiled, 8 at once", 8, True)):
        passes = Passes(model, rows)
        batch = DecodeBatch(passes, contextlib.nullcontext())
        if compiled:
            # Only the largest size, as compiling takes long.
            with mock.patch.object(Buckets, "up_to", lambda rows, length: Buckets((rows,), (length,))):
                batch.prepare(rows, 512)
        before, graphs = list(addresses(passes)), compiled_graphs()
        refused = torch.compiler.set_stance("fail_on_recompile") if compiled else contextlib.nullcontext()
        with refused, ThreadPoolExecutor(rows) as threads:
            said = list(threads.map(lambda prompt, batch=batch: ours(model, batch, prompt), prompts))  # type: ignore[misc]
        figures[f"{name}: equal answers"] = sum(a == b for a, b in zip(said, expected, strict=True))
        if compiled:
            figures["graphs compiled by warm-up"] = graphs
            figures["recompilations after warm-up"] = compiled_graphs() - graphs
            figures["tensors of a pass that moved"] = sum(
                a != b for a, b in zip(before, addresses(passes), strict=True)
            )
        batch.close()
        batch.wait_closed()
    return figures


def compiled_graphs() -> int:
    """How many graphs torch has compiled in this process."""
    return int(counters["stats"]["unique_graphs"])


def addresses(passes: Passes) -> Iterator[int]:
    """Where everything that a pass reads and writes begins."""
    samplers = passes.samplers
    own = (passes.ids, passes.positions, passes.active, samplers.numbers, samplers.seeds, samplers.seen)
    cache = [one for pair in passes.rows.layers(1, 1) for one in pair]
    return (one.data_ptr() for one in (*own, *cache, *passes._model.parameters()))


@torch.no_grad()
def recomputed(model: Any, prompt: Sequence[int]) -> list[int]:
    ids = list(prompt)
    while len(ids) < len(prompt) + TOKENS:
        ids.append(int(model(torch.tensor([ids]), use_cache=False, logits_to_keep=1).logits[0, -1].argmax()))
    return ids[len(prompt) :]


@torch.no_grad()
def ours(model: Any, batch: DecodeBatch, prompt: Sequence[int]) -> list[int]:
    states = States(prompt, DynamicCache())
    logits = model(torch.tensor([prompt]), past_key_values=states.cache, use_cache=True, logits_to_keep=1).logits[0, -1]
    said = [int(logits.argmax())]
    samplers = Samplers(1, len(logits), model.device)
    samplers.set(0, Sampling(0.0, 1.0, 1.0))
    # `append` returns None, which does not end the answer.
    batch.run(Answer(states, said[0], samplers, TOKENS - 1, said.append))  # type: ignore[arg-type]
    return said


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    publish("Greedy ids of 200 prompts", same_ids(), options.json)
