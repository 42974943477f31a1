"""`LlamaChat`: language models in GGUF files as chat models, in this process by llama.cpp."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.errors import AgentAudioError, BackendError, MissingExtra, OptionError
from agentaudio.model.generation.answer_text import AnswerText
from agentaudio.model.generation.line import CheckStop, Line, Stopped
from agentaudio.model.generation.thoughts import opened_by
from agentaudio.model.hub import downloaded
from agentaudio.model.parts import ChatDelta
from agentaudio.model.speech_lm import CallDelta, Delta, End, GenerateOptions, TextDelta

try:
    from agentaudio.model.chat_models.llama_weights import LlamaWeights, StopFlag
except ImportError as error:
    raise MissingExtra("a chat model of llama.cpp", "llama-cpp") from error

OPTIONS = frozenset({"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop"})
MAX_TOKENS = 1024
"""Tokens of an answer where the options have no limit: several minutes of speech."""
CONTEXT = 8192
"""Tokens for which memory is reserved: a model's own limit can take many gigabytes."""


class LlamaChat:
    """A ChatModel (see agentaudio.model.parts) that runs a GGUF file in this process.

    Tools, calls and results are written by the file's chat template. Where that writes calls between <tool_call> tags,
    the JSON of each call follows the tools' schemas, by a grammar; in other forms calls are found in the text and
    checked. What a reasoning model thinks before it answers is left out.

    Answers are generated one after the other; further ones wait. What a prompt has in common with the last one is not
    computed again.

    max_tokens: of an answer where the options have no limit
    """

    cites = False
    languages: tuple[str, ...] = ()
    options = OPTIONS

    def __init__(self, weights: LlamaWeights, *, max_tokens: int = MAX_TOKENS) -> None:
        self.name = weights.name
        self.calls_tools = weights.template.takes_tools
        self._weights: LlamaWeights | None = weights
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

        Raises BackendError when the conversation does not fit into the context, or the model or its template fails;
        OptionError for an empty stop string.
        """
        weights = self._weights
        if weights is None:
            raise BackendError(f"model {self.name!r} was closed; load it again")
        if not all(options.stop):
            raise OptionError(f"stop is {options.stop!r}; none of the strings may be empty")
        conversation, tools, stop = conversation.copy(), tuple(tools), StopFlag()

        def work(emit: Callable[[Delta], None], check_stop: CheckStop) -> None:
            try:
                _answer(weights, conversation, tools, options, self._max_tokens, emit, check_stop, stop)
            except (AgentAudioError, Stopped):
                raise
            except Exception as error:
                check_stop()  # a stopped computation fails, too
                raise BackendError(f"{self.name} failed: {error!r}") from error

        async with contextlib.aclosing(self._line.deltas(work, stop.set)) as answer:
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
        if self._weights is not None:
            self._weights.close()
            self._weights = None


def _answer(
    weights: LlamaWeights,
    conversation: Conversation,
    tools: Sequence[ToolSpec],
    options: GenerateOptions,
    max_tokens: int,
    emit: Callable[[Delta], None],
    check_stop: CheckStop,
    stop: StopFlag,
) -> None:
    prompt = weights.template.prompt(conversation, tools)
    ids = weights.encode_prompt(prompt)
    limit = min(options.max_tokens or max_tokens, weights.context - len(ids))
    if limit < 1:
        raise BackendError(
            f"the conversation takes {len(ids)} tokens, and the context of {weights.name!r} has {weights.context}; "
            "begin a new session, or load it with a larger context"
        )
    text = AnswerText(
        weights.decode, weights.ends, limit, tools=tools, stop=options.stop, opened=opened_by(prompt), emit=emit
    )
    with contextlib.closing(weights.tokens(ids, options, stop, tools)) as tokens:
        for token in tokens:
            check_stop()
            if text.take(token):
                break
    usage = {"input_tokens": len(ids), "output_tokens": len(text.tokens)}
    emit(End(text.reason or "length", usage))  # type: ignore[arg-type]


def load(
    argument: str | None,
    *,
    max_tokens: int = MAX_TOKENS,
    context: int = CONTEXT,
    threads: int | None = None,
    gpu_layers: int = 0,
    thinks: bool = False,
) -> LlamaChat:
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
    for option, value in (("max_tokens", max_tokens), ("context", context), ("threads", threads)):
        if value is not None and value < 1:
            raise OptionError(f"{option} is {value}; give a number above 0")
    path = Path(argument).expanduser()
    if not path.exists() and argument.count("/") >= 2 and not argument.startswith((".", "/", "~")):
        owner, repository, file = argument.split("/", 2)
        path = downloaded(f"{owner}/{repository}", (file,), model="llama-cpp") / file
    weights = LlamaWeights(
        f"llama-cpp:{path.name}", path, context=context, threads=threads, gpu_layers=gpu_layers, thinks=thinks
    )
    return LlamaChat(weights, max_tokens=max_tokens)
