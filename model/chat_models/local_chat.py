"""`LocalChat`: a language model that runs in this process, as a chat model."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence, Set
from typing import Protocol

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.errors import AgentAudioError, BackendError, OptionError
from agentaudio.model.chat_models.template import ChatTemplate
from agentaudio.model.generation.answer_text import AnswerText
from agentaudio.model.generation.line import CheckStop, Line, Stopped
from agentaudio.model.generation.stop_flag import StopFlag
from agentaudio.model.generation.thoughts import opened_by
from agentaudio.model.parts import ChatDelta
from agentaudio.model.speech_lm import CallDelta, Delta, End, GenerateOptions, TextDelta

OPTIONS = frozenset({"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop"})
MAX_TOKENS = 1024
"""Tokens of an answer where the options have no limit: several minutes of speech."""


class Weights(Protocol):
    """A loaded language model, which generates one answer at a time.

    name: of the model, for messages
    template: its chat template
    context: tokens of prompt and answer
    ends: tokens that end an answer
    """

    @property
    def name(self) -> str: ...

    @property
    def template(self) -> ChatTemplate: ...

    @property
    def context(self) -> int: ...

    @property
    def ends(self) -> Set[int]: ...

    def encode_prompt(self, prompt: str) -> list[int]:
        """The tokens of a prompt."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without the special ones except those of thoughts and calls."""

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
        """Generate tokens in the calling thread.

        limit: of tokens
        take: given each token; whether the answer ends with it
        check_stop: raises when the answer is not wanted any more
        flag: is set then, for work that cannot call `check_stop`

        Raises BackendError when the memory of the device is full, and any other exception when it fails.
        """

    def close(self) -> None:
        """Free the memory."""


class LocalChat:
    """A ChatModel (see agentaudio.model.parts) that runs a language model in a thread of this process.

    Tools, calls and results are written by the model's chat template. Calls are found in the text; their JSON is
    repaired where that needs no guess, and arguments that do not fit the tool's schema become a problem for the
    model. What a reasoning model thinks before it answers is left out.

    Answers are generated one after the other; further ones wait.

    max_tokens: of an answer where the options have no limit
    """

    cites = False
    languages: tuple[str, ...] = ()
    options = OPTIONS

    def __init__(self, weights: Weights, *, max_tokens: int = MAX_TOKENS) -> None:
        self.name = weights.name
        self.calls_tools = weights.template.takes_tools
        self._weights: Weights | None = weights
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

        options: what is None is as the checkpoint, or else the library, has it

        Raises BackendError when the conversation does not fit into the context, or the model or its template fails;
        OptionError for an empty stop string.
        """
        weights = self._weights
        if weights is None:
            raise BackendError(f"model {self.name!r} was closed; load it again")
        if not all(options.stop):
            raise OptionError(f"stop is {options.stop!r}; none of the strings may be empty")
        conversation, tools, flag = conversation.copy(), tuple(tools), StopFlag()

        def work(emit: Callable[[Delta], None], check_stop: CheckStop) -> None:
            try:
                self._answer(weights, conversation, tools, options, emit, check_stop, flag)
            except (AgentAudioError, Stopped):
                raise
            except Exception as error:  # of the library, of the network
                check_stop()  # a stopped computation fails, too
                raise BackendError(f"{self.name} failed: {error!r}") from error

        async with contextlib.aclosing(self._line.deltas(work, flag.set)) as answer:
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
        weights, self._weights = self._weights, None
        if weights is not None:
            weights.close()

    def _answer(
        self,
        weights: Weights,
        conversation: Conversation,
        tools: Sequence[ToolSpec],
        options: GenerateOptions,
        emit: Callable[[Delta], None],
        check_stop: CheckStop,
        flag: StopFlag,
    ) -> None:
        prompt = weights.template.prompt(conversation, tools)
        tokens = weights.encode_prompt(prompt)
        limit = min(options.max_tokens or self._max_tokens, weights.context - len(tokens))
        if limit < 1:
            raise BackendError(
                f"the conversation takes {len(tokens)} tokens, and the context of {self.name!r} has "
                f"{weights.context}; begin a new session, or load it with a larger context"
            )
        text = AnswerText(
            weights.decode, weights.ends, limit, tools=tools, stop=options.stop, opened=opened_by(prompt), emit=emit
        )

        def take(token: int) -> bool:
            check_stop()
            return text.take(token)

        weights.generate(tokens, tools=tools, options=options, limit=limit, take=take, check_stop=check_stop, flag=flag)
        usage = {"input_tokens": len(tokens), "output_tokens": len(text.tokens)}
        emit(End(text.reason or "length", usage))  # type: ignore[arg-type]


def check_limits(**limits: int | None) -> None:
    """Raise OptionError for a limit below 1; None means no limit."""
    for option, value in limits.items():
        if value is not None and value < 1:
            raise OptionError(f"{option} is {value}; give a number above 0")
