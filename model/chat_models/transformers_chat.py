"""The entry point `transformers`: causal language models of transformers as chat models."""

from __future__ import annotations

from typing import Any

from agentaudio.errors import MissingExtra, OptionError
from agentaudio.model.chat_models.local_chat import MAX_TOKENS, LocalChat, check_limits
from agentaudio.model.hub import CHECKPOINT, located

try:
    import torch
    import transformers  # noqa: F401
except ImportError as error:
    raise MissingExtra("a chat model of transformers", "local") from error

from agentaudio.model.chat_models.transformers_network import Network


def load(
    argument: str | None,
    *,
    max_tokens: int = MAX_TOKENS,
    context: int | None = None,
    thinks: bool = False,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    quantization_config: Any = None,
) -> LocalChat:
    """The entry point `transformers` of chat models.

    argument: a checkpoint folder, or a hub id such as Qwen/Qwen3-1.7B. What the local hub cache lacks is downloaded.
    max_tokens: of an answer where `GenerateOptions` has no limit
    context: tokens of prompt and answer, where memory is short; None for the checkpoint's own limit
    thinks: whether a reasoning model with such a switch in its template thinks before it answers
    device: None for CUDA if available, else Metal, else the CPU; "auto" spreads the layers over all devices
    dtype: such as "float32"; None for the checkpoint's own
    quantization_config: of transformers, such as `BitsAndBytesConfig(load_in_4bit=True)`

    Raises OptionError without an argument or for a limit below 1, BackendError when the checkpoint cannot be
    downloaded or read, or has no chat template.
    """
    if not argument:
        raise OptionError(
            "chat model 'transformers' needs a checkpoint: write transformers:FOLDER or transformers:HUB_ID"
        )
    check_limits(max_tokens=max_tokens, context=context)
    folder = located(argument, CHECKPOINT, model="transformers")
    network = Network.load(
        f"transformers:{argument}", folder, device=device, dtype=dtype, quantization_config=quantization_config,
        context=context, thinks=thinks,
    )  # fmt: skip
    return LocalChat(network, max_tokens=max_tokens)
