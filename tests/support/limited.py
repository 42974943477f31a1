"""`Limited`: a model with a small context, which counts what it reads and refuses what does not fit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    Message,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import (
    CallDelta,
    Capabilities,
    Delta,
    End,
    GenerateOptions,
    ReferenceVoice,
    TextDelta,
    TokensDelta,
)
from agentaudio.sound.audio import Audio

Answer = Callable[[Conversation], Iterable[Delta]]


class Limited:
    """A SpeechLM whose words are tokens; a second of the user's sound takes 12, and a speech token is one.

    answer: makes the deltas of an answer from what the model sees
    summary: what it answers to a question for a summary; an exception is raised instead

    read: what each generation saw
    ahead: what was read ahead
    heard: sounds that were transcribed
    gate: transcribing and summarising wait until it is set
    """

    name = "limited"
    capabilities = Capabilities(hears=True, voices="none", calls_tools=True, options=frozenset({"max_tokens"}))

    def __init__(
        self, answer: Answer, *, context: int = 1000, summary: str | Exception = "They spoke of bells."
    ) -> None:
        self._answer, self.context_tokens, self._summary = answer, context, summary
        self.read: list[Conversation] = []
        self.ahead: list[Conversation] = []
        self.summarised: list[Conversation] = []
        self.heard: list[Audio] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def count_tokens(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> int:
        return 10 * len(tools) + sum(map(self._size, conversation))

    async def read_ahead(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> None:
        self.ahead.append(conversation.copy())

    async def transcribe(self, audio: Audio) -> str:
        await self.gate.wait()
        self.heard.append(audio)
        return f"sound {len(self.heard)}"

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        size = self.count_tokens(conversation, tools=tools)
        if size >= self.context_tokens:
            raise BackendError(f"the conversation takes {size} tokens, and the limit is {self.context_tokens}")
        strict(conversation)
        if "ummarise" in conversation.messages[-1].text:
            await self.gate.wait()
            self.summarised.append(conversation.copy())
            if isinstance(self._summary, Exception):
                raise self._summary
            yield TextDelta(self._summary)
            return
        self.read.append(conversation.copy())
        await asyncio.sleep(0)
        made = 0
        for delta in self._answer(conversation):
            if isinstance(delta, TokensDelta):
                made += len(delta.tokens.ids)
            elif isinstance(delta, TextDelta):
                made += len(delta.text.split())
            yield delta
        yield End(usage={"input_tokens": size, "output_tokens": made + 5})

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        pass

    async def aclose(self) -> None:
        pass

    def _size(self, message: Message) -> int:
        return 2 + sum(map(part_size, message.parts))


def part_size(part: object) -> int:
    match part:
        case TextPart(text=text):
            return len(text.split())
        case AudioPart(audio=audio):
            return int(12 * audio.duration)
        case SpeechPart(text=text, tokens=tokens):
            return len(text.split()) + (len(tokens.ids) if tokens is not None else 0)
        case ToolCall():
            return 3
        case ToolOutput(text=text):
            return len(text.split())
    raise AssertionError(part)


def strict(conversation: Conversation) -> None:
    """Fail where a strict server refuses a conversation: see the messages."""
    open_calls: set[str] = set()
    before = "system"
    for message in conversation:
        assert message.parts, "a message is empty"
        if message.role == "system":
            continue
        outputs = {output.call_id for output in message.tool_outputs}
        assert (message.role == "tool") == bool(outputs), "tool results stand in tool messages alone"
        assert outputs <= open_calls, "a result without its call"
        open_calls -= outputs
        if message.role != "tool":
            assert not open_calls, "a call without its result"
        if message.role == "assistant":
            assert before != "system", "an answer before its question"
            open_calls = {call.id for call in message.tool_calls}
        before = message.role


def said(words: str, tokens: int = 0) -> list[Delta]:
    """An answer with speech tokens."""
    speech = [TokensDelta(SpeechTokens((1,) * tokens, "test", 25.0))] if tokens else []
    return [TextDelta(words), *speech]


def called(name: str, call_id: str) -> list[Delta]:
    return [CallDelta(ToolCall(call_id, name, {}))]
