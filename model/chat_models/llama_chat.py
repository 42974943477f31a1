"""The entry point `llama-cpp`: language models in GGUF files as chat models."""

from __future__ import annotations

from pathlib import Path

from agentaudio.errors import MissingExtra, OptionError
from agentaudio.model.chat_models.local_chat import MAX_TOKENS, LocalChat, check_limits
from agentaudio.model.hub import downloaded

try:
    from agentaudio.model.chat_models.llama_weights import LlamaWeights
except ImportError as error:
    raise MissingExtra("a chat model of llama.cpp", "llama-cpp") from error

CONTEXT = 8192
"""Tokens for which memory is reserved: a model's own limit can take many gigabytes."""


def load(
    argument: str | None,
    *,
    max_tokens: int = MAX_TOKENS,
    context: int = CONTEXT,
    threads: int | None = None,
    gpu_layers: int = 0,
    thinks: bool = False,
) -> LocalChat:
    """The entry point `llama-cpp` of chat models.

    argument: a GGUF file, or OWNER/REPOSITORY/FILE.gguf of the hub, which is downloaded if the local hub cache lacks it
    max_tokens: of an answer where `GenerateOptions` has no limit
    context: tokens of prompt and answer; memory is reserved for them
    threads: None for half of the processor's cores; 1 is faster on cores that are busy with other work
    gpu_layers: layers on the GPU, where llama.cpp was built for one; -1 for all
    thinks: whether a reasoning model with such a switch in its template thinks before it answers

    Raises OptionError without an argument or for a limit below 1, BackendError when the file cannot be downloaded or
    read, or has no chat template.
    """
    if not argument:
        raise OptionError("chat model 'llama-cpp' needs a GGUF file: write llama-cpp:FILE.gguf")
    check_limits(max_tokens=max_tokens, context=context, threads=threads)
    path = Path(argument).expanduser()
    if not path.exists() and argument.count("/") >= 2 and not argument.startswith((".", "/", "~")):
        owner, repository, file = argument.split("/", 2)
        path = downloaded(f"{owner}/{repository}", (file,), model="llama-cpp") / file
    weights = LlamaWeights(
        f"llama-cpp:{path.name}", path, context=context, threads=threads, gpu_layers=gpu_layers, thinks=thinks
    )
    return LocalChat(weights, max_tokens=max_tokens)
