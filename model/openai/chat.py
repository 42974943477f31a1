"""`OpenAIChat`: any server with Chat Completions, as the chat model of a cascade."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated

from pydantic import SecretStr

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.model.openai.completion import OPTIONS, Completions
from agentaudio.model.openai.dialect import DIALECTS, Dialect
from agentaudio.model.openai.messages import chat_messages
from agentaudio.model.openai.progress import PROGRESS_TIMEOUT_S
from agentaudio.model.openai.service import Service
from agentaudio.model.options import FromEnv
from agentaudio.model.parts import ChatDelta
from agentaudio.model.speech_lm import AudioDelta, CallDelta, End, GenerateOptions, TextDelta

OPENAI = "https://api.openai.com/v1"


class OpenAIChat:
    """A ChatModel (see agentaudio.model.parts) behind Chat Completions: OpenAI, vLLM, Ollama, llama.cpp and others.

    completions: the model on its server
    calls_tools: False for a model that cannot call tools
    """

    cites = False
    languages: tuple[str, ...] = ()
    options = OPTIONS

    def __init__(self, completions: Completions, *, name: str, calls_tools: bool = True) -> None:
        self.name, self.calls_tools = name, calls_tools
        self._completions = completions

    async def chat(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[ChatDelta, None]:
        """Stream the answer of the server; see ChatModel."""
        answer = self._completions.answer(chat_messages(conversation), tools=tools, options=options)
        async with contextlib.aclosing(answer) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta | CallDelta | End):
                    yield delta
                elif not isinstance(delta, AudioDelta):
                    raise AssertionError(f"a chat answer has no {type(delta).__name__}")

    def expected(self, tools: Sequence[ToolSpec]) -> Sequence[str]:
        """Nothing: a general model is asked anything."""
        return ()

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Does nothing: a request would cost."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._completions.aclose()


def load(
    argument: str | None,
    *,
    base_url: Annotated[str, FromEnv("OPENAI_BASE_URL")] = OPENAI,
    api_key: Annotated[SecretStr | None, FromEnv("OPENAI_API_KEY")] = None,
    calls_tools: bool = True,
    progress_timeout_s: float = PROGRESS_TIMEOUT_S,
) -> OpenAIChat:
    """The entry point `openai` of chat models. argument: the model's name on the server.

    base_url: of the server, up to /v1
    api_key: local servers need none
    calls_tools: False for a model that cannot call tools
    progress_timeout_s: longest wait for words or calls

    Raises OptionError without a model's name.
    """
    name, completions = connect("chat model", argument, base_url, api_key, progress_timeout_s)
    return OpenAIChat(completions, name=name, calls_tools=calls_tools)


def connect(
    noun: str,
    model: str | None,
    base_url: str,
    api_key: SecretStr | None,
    progress_timeout_s: float,
    dialect: Dialect = DIALECTS["openai"],
) -> tuple[str, Completions]:
    """The name of a model and its server. Raises OptionError without a model's name, or for a bad address."""
    if not model:
        raise OptionError(f"{noun} 'openai' needs the model's name on the server; write openai:NAME")
    name = f"openai:{model}"
    service = Service(name, base_url, api_key.get_secret_value() if api_key else None)
    return name, Completions(service, model, name=name, progress_timeout_s=progress_timeout_s, dialect=dialect)
