"""A tiny random language model as a GGUF file, and a script for its words."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.testing import Answer
from support.llm_tiny import CHATML

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|quiet|>")
MARKS = ("<tool_call>", "</tool_call>", "<think>", "</think>")
CONTEXT = 2048
WIDTH = 32


def byte_letters() -> list[str]:
    """The letters by which GPT-2's tokenizer writes the bytes 0 to 255 (Radford et al. 2019)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte if byte in printable else 256 + others.index(byte)) for byte in range(256)]


def gguf_model(path: Path, template: str | None = CHATML) -> Path:
    """Write a random Llama of two layers, whose vocabulary is bytes and special tokens."""
    import gguf

    random = np.random.default_rng(0)
    tokens = [*byte_letters(), *SPECIAL, *MARKS]
    kinds = [1] * 256 + [3] * len(SPECIAL) + [4] * len(MARKS)  # normal, control, user-defined
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(2)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)

    def add(name: str, *shape: int) -> None:
        values = random.standard_normal(shape) / 8 if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(name, values.astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH)
    add("output.weight", len(tokens), WIDTH)
    add("output_norm.weight", WIDTH)
    for layer in range(2):
        for name, shape in {
            "attn_norm": (WIDTH,), "attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH // 2, WIDTH),
            "attn_v": (WIDTH // 2, WIDTH), "attn_output": (WIDTH, WIDTH), "ffn_norm": (WIDTH,),
            "ffn_gate": (WIDTH, WIDTH), "ffn_up": (WIDTH, WIDTH), "ffn_down": (WIDTH, WIDTH),
        }.items():  # fmt: skip
            add(f"blk.{layer}.{name}.weight", *shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Script:
    """Makes loaded weights say given answers: the sampled tokens are replaced.

    free: calls behind <tool_call> are left to the model, which the grammar alone leads
    prompts: the tokens of each
    """

    def __init__(self, weights: Any, *, free: bool = False) -> None:
        self._weights, self._llama, self._free = weights, weights._llama, free
        self.answers: list[Answer] = []
        self.prompts: list[list[int]] = []
        self._said: list[int] = []
        self._tokens: list[int] = []
        self._answer = Answer()
        self._last_s = 0.0
        self._generate, self._sample = self._llama.generate, self._llama.sample
        self._llama.generate, self._llama.sample = self._begin, self._say

    def next(self, *answers: Answer) -> None:
        """The next answers."""
        self.answers = list(answers)

    def remove(self) -> None:
        """Let the model choose its own words again."""
        self._llama.generate, self._llama.sample = self._generate, self._sample

    def busy(self) -> bool:
        """Whether the model has worked in the last moments."""
        return time.monotonic() - self._last_s < 0.3

    def _begin(self, tokens: list[int], **settings: Any) -> Any:
        if not self._said or tokens != [*self.prompts[-1], *self._said]:  # no answer that goes on behind a tag
            self.prompts.append(list(tokens))
            self._said = []
            self._answer = self.answers.pop(0) if self.answers else Answer("Nothing.")
            calls = [
                f"\n<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"
                for name, arguments in self._answer.calls
            ]
            self._tokens = self._weights.encode(self._answer.say + "".join(calls))
        return self._generate(tokens, **settings)

    def _say(self, **settings: Any) -> int:
        self._last_s = time.monotonic()
        if self._free and settings["grammar"] is not None:
            token = int(self._sample(**settings))
        elif self._tokens:
            token = self._tokens.pop(0)
        elif self._answer.fails:
            raise RuntimeError("the model is broken")
        elif self._answer.stalls or self._answer.cut:
            time.sleep(0.01 if self._answer.stalls else 0)
            token = self._weights.encode("<|quiet|>")[0]
        else:
            token = self._weights.encode("<|im_end|>")[0]
        self._said.append(token)
        return token
