"""`Network`: a causal language model of transformers in memory, with its tokenizer and chat template."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
import transformers

from agentaudio.conversation import ToolSpec
from agentaudio.errors import BackendError
from agentaudio.model.chat_models.template import KEPT_MARKS, ChatTemplate, Messages
from agentaudio.model.generation.checkpoint import Placement, check_safetensors
from agentaudio.model.generation.decoding import Choice, Sampling, text_options
from agentaudio.model.generation.line import CheckStop
from agentaudio.model.generation.stop_flag import StopFlag
from agentaudio.model.speech_lm import GenerateOptions

MOST_CONTEXT = 131_072
"""Tokens of the context where a checkpoint does not say how many it has."""


class Network:
    """A loaded checkpoint.

    name: of the model, for messages
    thinks: whether a reasoning model may think, where its template has that switch

    template: its chat template
    context: tokens of its context
    ends: tokens that end an answer
    """

    def __init__(self, name: str, network: Any, tokenizer: Any, *, context: int | None, thinks: bool) -> None:
        self.name, self.writer, self._tokenizer = name, network, tokenizer
        self._sampling = Sampling.of(network.generation_config)
        said = network.generation_config.eos_token_id
        # What the checkpoint sets besides, such as beams, would change the loop of `generate`.
        network.generation_config = transformers.GenerationConfig()
        self.context = context or _context(network.config, tokenizer)

        def write(messages: Messages, tools: list[dict[str, Any]] | None) -> str:
            return str(
                tokenizer.apply_chat_template(
                    messages, tools=tools, tokenize=False, add_generation_prompt=True, enable_thinking=thinks
                )
            )

        self._special = set(tokenizer.all_special_tokens) | {
            str(token) for token in tokenizer.added_tokens_decoder.values() if token.special
        }
        self.template = ChatTemplate(write, [*self._special, *tokenizer.get_added_vocab()], name=name)
        self._hidden = frozenset(tokenizer.convert_tokens_to_ids(sorted(self._special - KEPT_MARKS)))
        self.ends = frozenset(_ids(said)) | _ids(tokenizer.eos_token_id) | self._end_of_answer()
        if not self.ends:
            raise BackendError(f"the checkpoint of {name!r} has no token that ends an answer; use an instruct model")

    @classmethod
    def load(
        cls, name: str, folder: Path, *, device: Any, dtype: Any, quantization_config: Any, context: int | None,
        thinks: bool,
    ) -> Network:  # fmt: skip
        """Load a checkpoint folder.

        Weights are read from safetensors only, and no code of the folder runs.

        Raises BackendError when the folder does not hold such a checkpoint or has no chat template, OptionError
        for an unavailable device.
        """
        if not folder.is_dir():
            raise BackendError(f"no folder {folder}; give a checkpoint's folder or a hub id such as Qwen/Qwen3-1.7B")
        check_safetensors(folder)
        placement = Placement(device, dtype, quantization_config)
        given: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **given)
            network = transformers.AutoModelForCausalLM.from_pretrained(folder, **given, **placement.options)
        except Exception as error:  # of files, of torch, of the networks
            why = str(error)[:300]
            if "trust_remote_code" in str(error):
                why = "it needs code of its own, which is never run; take a model that transformers has itself"
            raise BackendError(f"{folder} does not load as a language model: {why}") from error
        if not tokenizer.chat_template:
            raise BackendError(
                f"{folder} has no chat template, so its prompts are unknown; take the instruct version of the model"
            )
        placement.put(network)
        return cls(name, network, tokenizer, context=context, thinks=thinks)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, which may hold special ones."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    encode_prompt = encode

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without the special ones except those of thoughts and calls."""
        shown = [token for token in tokens if token not in self._hidden]
        return str(self._tokenizer.decode(shown, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def generate(
        self,
        prompt: Sequence[int],
        *,
        tools: Sequence[ToolSpec],
        options: GenerateOptions,
        limit: int,
        take: Callable[[int], bool],
        check_stop: CheckStop,
        flag: StopFlag,
    ) -> None:
        """Generate tokens until one is the last; see `Weights`."""
        device = self.writer.get_input_embeddings().weight.device
        choice = Choice(self._sampling.with_options(options), device, seed=options.seed)
        given = torch.tensor([list(prompt)], device=device)
        try:
            with torch.inference_mode(), ExitStack() as undo:
                for layer in _layers(self.writer):
                    undo.callback(layer.register_forward_pre_hook(lambda *_: check_stop()).remove)
                self.writer.generate(
                    input_ids=given, attention_mask=torch.ones_like(given),
                    **text_options(choice, take, limit=limit, ends=self.ends),
                )  # fmt: skip
        except torch.OutOfMemoryError as error:
            raise BackendError("the device's memory is full; shorten the conversation") from error

    def close(self) -> None:
        """Free the weights."""
        self.writer = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _end_of_answer(self) -> frozenset[int]:
        """The special token that the template writes behind an answer: some checkpoints do not name it as their end."""
        first = self.encode(self.template.after_answer)[:1]
        return (
            frozenset(first) if self._special.issuperset(self._tokenizer.convert_ids_to_tokens(first)) else frozenset()
        )


def _ids(given: Any) -> frozenset[int]:
    return frozenset() if given is None else frozenset([given] if isinstance(given, int) else given)


def _context(config: Any, tokenizer: Any) -> int:
    text = config.get_text_config()
    known = [getattr(text, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None)]
    return min([int(one) for one in known if one and one > 0], default=MOST_CONTEXT)


def _layers(network: Any) -> list[Any]:
    """The layers of a network: what its lists of modules hold."""
    return [layer for module in network.modules() if isinstance(module, torch.nn.ModuleList) for layer in module]
