"""`Completions`: answers of a Chat Completions server, as deltas, with its failings mended."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.generation.thoughts import without_thoughts
from agentaudio.model.openai.answer import ChatAnswer
from agentaudio.model.openai.dialect import DIALECTS, Dialect
from agentaudio.model.openai.messages import tool_list
from agentaudio.model.openai.progress import PROGRESS_TIMEOUT_S, progressing
from agentaudio.model.openai.service import Service
from agentaudio.model.speech_lm import Delta, GenerateOptions
from agentaudio.model.written_calls import without_written_calls

log = logging.getLogger(__name__)

OPTIONS = frozenset({"temperature", "top_p", "max_tokens", "seed", "stop"})
"""The GenerateOptions that Chat Completions has."""


class Completions:
    """Asks one model of one server.

    progress_timeout_s: longest time without words, sound or a piece of a call
    dialect: of the server

    A server that answers nothing at all when it streams, although tools were offered, is asked once
    more without streaming: some drop tool calls from streams. If that answer has calls, later requests
    with tools are not streamed.
    """

    def __init__(
        self,
        service: Service,
        model: str,
        *,
        name: str,
        progress_timeout_s: float = PROGRESS_TIMEOUT_S,
        dialect: Dialect = DIALECTS["openai"],
    ) -> None:
        self._service, self._model, self._name = service, model, name
        self._progress_timeout_s = progress_timeout_s
        self._dialect = dialect
        self._drops_calls = False

    async def answer(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
        extra: Mapping[str, Any] = {},
    ) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one answer, `End` last. extra: further fields of the request.

        Thoughts that the server leaves in the text are taken out. Calls that the model writes into its text become
        calls, where tools were offered.
        Raises BackendError when the server fails.
        """
        async with (
            contextlib.aclosing(self._asked(messages, tools, options, extra)) as asked,
            contextlib.aclosing(without_thoughts(asked)) as said,
            contextlib.aclosing(without_written_calls(said, tools)) as found,
        ):
            async for delta in found if tools else said:
                yield delta

    async def _asked(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[ToolSpec],
        options: GenerateOptions,
        extra: Mapping[str, Any],
    ) -> AsyncGenerator[Delta, None]:
        body = {"model": self._model, "messages": list(messages)}
        body |= sampling_fields(options, self._service.is_openai) | dict(extra)
        if tools:
            body["tools"] = tool_list(tools)
        if not (tools and self._drops_calls):
            answer = ChatAnswer(self._name, one_base64=self._dialect.one_base64)
            chunks = self._service.events(
                "chat/completions", body | {"stream": True, "stream_options": {"include_usage": True}}
            )

            def read(chunk: Mapping[str, Any]) -> tuple[list[Delta], bool]:
                found = answer.push(chunk)
                return found, bool(found) or has_call(chunk)

            progress = progressing(chunks, read, name=self._name, timeout_s=self._progress_timeout_s)
            async with contextlib.aclosing(chunks), contextlib.aclosing(progress) as deltas:
                async for delta in deltas:
                    yield delta
            rest = answer.finish()
            if answer.has_words or answer.has_calls or not tools or self._dialect.streams_only:
                for delta in rest:
                    yield delta
                return
            log.warning("%s streamed an empty answer; it is asked once more without streaming", self._name)
        answer = ChatAnswer(self._name)
        found = answer.push(await self._service.post("chat/completions", body))
        self._drops_calls = self._drops_calls or answer.has_calls
        for delta in [*found, *answer.finish()]:
            yield delta

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()


def has_call(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk of a stream has a piece of a call."""
    choices = chunk.get("choices")
    return any(
        isinstance(choice, dict) and isinstance(choice.get("delta"), dict) and bool(choice["delta"].get("tool_calls"))
        for choice in (choices if isinstance(choices, list) else ())
    )


def sampling_fields(options: GenerateOptions, is_openai: bool) -> dict[str, Any]:
    # OpenAI's newer models refuse max_tokens; other servers know only that.
    limit = "max_completion_tokens" if is_openai else "max_tokens"
    fields = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        limit: options.max_tokens,
        "seed": options.seed,
        "stop": list(options.stop) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
