"""`TransformersChat`: any causal language model of transformers with a chat template, as a chat model."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.errors import BackendError, MissingExtra, OptionError
from agentaudio.model.hub import downloaded
from agentaudio.model.parts import ChatDelta
from agentaudio.model.speech_lm import CallDelta, Delta, End, GenerateOptions, TextDelta

try:
    import torch
    import transformers  # noqa: F401
except ImportError as error:
    raise MissingExtra("a chat model of transformers", "local") from error

from agentaudio.model.chat_models.transformers_network import Network
from agentaudio.model.generation.line import CheckStop, Line

OPTIONS = frozenset({"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop"})
MAX_TOKENS = 1024
"""Tokens of an answer where the options have no limit: several minutes of speech."""
FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")
"""Files to download; code is not among them."""


class TransformersChat:
    """A ChatModel (see agentaudio.model.parts) that runs a language model on this machine.

    Tools, calls and results are written by the checkpoint's chat template. Calls are found in the text; their JSON
    is repaired where that needs no guess, and arguments that do not fit the tool's schema become a problem for the
    model. What a reasoning model thinks before it answers is left out.

    Answers are generated one after the other; further ones wait. The whole conversation is read again for each.

    max_tokens: of an answer where the options have no limit
    """

    cites = False
    languages: tuple[str, ...] = ()
    options = OPTIONS

    def __init__(self, network: Network, *, max_tokens: int = MAX_TOKENS) -> None:
        self.name = network.name
        self.calls_tools = network.template.takes_tools
        self._network: Network | None = network
        self._line = Line(self.name)
        self._max_tokens = max_tokens

    async def chat(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[ChatDelta, None]:
        """Answer the conversation so far; see ChatModel.

        options: what is None is as in the checkpoint's generation_config.json

        Raises BackendError when the conversation does not fit into the context, or the model or its template fails;
        OptionError for an empty stop string.
        """
        network = self._network
        if network is None:
            raise BackendError(f"model {self.name!r} was closed; load it again")
        if not all(options.stop):
            raise OptionError(f"stop is {options.stop!r}; none of the strings may be empty")
        conversation, tools = conversation.copy(), tuple(tools)

        def work(emit: Callable[[Delta], None], check_stop: CheckStop) -> None:
            network.answer(conversation, tools, options, self._max_tokens, emit, check_stop)

        async with contextlib.aclosing(self._line.deltas(work)) as answer:
            async for delta in answer:
                assert isinstance(delta, TextDelta | CallDelta | End)
                yield delta

    def expected(self, tools: Sequence[ToolSpec]) -> Sequence[str]:
        """Nothing: a general model is asked anything."""
        return ()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Generate one token."""
        conversation = Conversation()
        conversation.add("user", TextPart("."))
        offered = tools if self.calls_tools else ()
        async for _ in self.chat(conversation, tools=offered, options=GenerateOptions(max_tokens=1)):
            pass

    async def aclose(self) -> None:
        """Stop all answers, which then raise BackendError, and free the weights. It may be called twice."""
        await self._line.aclose()
        self._network = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def load(
    argument: str | None,
    *,
    max_tokens: int = MAX_TOKENS,
    context: int | None = None,
    thinks: bool = False,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    quantization_config: Any = None,
) -> TransformersChat:
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
    for option, value in (("max_tokens", max_tokens), ("context", context)):
        if value is not None and value < 1:
            raise OptionError(f"{option} is {value}; give a number above 0")
    folder = Path(argument).expanduser()
    if not folder.is_dir() and argument.count("/") == 1 and not argument.startswith((".", "/", "~")):
        folder = downloaded(argument, FILES, model="transformers")
    network = Network.load(
        f"transformers:{argument}", folder, device=device, dtype=dtype, quantization_config=quantization_config,
        context=context, thinks=thinks,
    )  # fmt: skip
    return TransformersChat(network, max_tokens=max_tokens)
