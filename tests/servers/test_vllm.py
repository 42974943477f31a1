"""A real vLLM as the mind of a cascade: the contract of models, its errors, and its own count of aborted requests.

`make test-vllm` installs vLLM for CPUs (3.5 GB) and runs this; elsewhere AGENTAUDIO_VLLM_PYTHON names the interpreter
of an environment that has it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.parts import Beeps, Ears
from support.vllm_server import ENVIRONMENT, NAME, PYTHON, door, running_requests, vllm_server

from agentaudio import Agent, GenerateOptions, tool
from agentaudio.conversation import Conversation
from agentaudio.errors import BackendError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.registry import load_chat_model
from agentaudio.model.step_audio_2.served.load import load as load_step_audio_2
from agentaudio.testing import Answer, ModelContract, Stage

pytestmark = pytest.mark.skipif(not PYTHON, reason="needs vLLM: make test-vllm")


@pytest.fixture(scope="module", autouse=True)
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with vllm_server(PYTHON, tmp_path_factory.mktemp("vllm"), ENVIRONMENT) as address:
        TestVllm.address = address
        yield address


def written(answer: Answer) -> str:
    """An answer in the form that vLLM's parser `hermes` reads."""
    calls = (json.dumps({"name": name, "arguments": arguments}) for name, arguments in answer.calls)
    return " ".join([answer.say, *(f"<tool_call>{call}</tool_call>" for call in calls)]).strip()


class Directed:
    """A Stage whose answers vLLM is made to give."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._answers: list[Answer] = []
        self.model: Cascade

    def next(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def wanted(self, request: dict[str, Any]) -> tuple[str, int | None, bool]:
        answer = self._answers.pop(0)
        text = written(answer)
        if answer.cut:
            return text + " and so on", len(text.encode()), False
        if answer.fails or answer.stalls:
            return text + " and so on" * 300, None, answer.fails
        return text, None, False

    def busy(self) -> bool:
        return running_requests(self._address) > 0


class TestVllm(ModelContract):
    address: str

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        directed = Directed(self.address)
        async with door(self.address, directed.wanted) as before:
            mind = load_chat_model(f"openai:{NAME}", base_url=before.url)
            directed.model = Cascade(Ears(), mind, Beeps())
            yield directed
            await directed.model.aclose()


@pytest.fixture
def agent(vllm: str) -> Callable[..., Agent]:
    def made(name: str = NAME, **settings: object) -> Agent:
        mind = load_chat_model(f"openai:{name}", base_url=f"{vllm}/v1", **settings)
        return Agent(Cascade(None, mind, None))

    return made


async def test_a_model_that_is_not_there_is_named(agent: Callable[..., Agent]) -> None:
    async with agent("another") as asked:
        with pytest.raises(BackendError, match="another"):
            await asked.run("hello")


async def test_step_audio_2_says_in_one_line_that_the_server_has_another_model(vllm: str) -> None:
    model = load_step_audio_2(None, base_url=f"{vllm}/v1")
    conversation = Conversation()
    conversation.add("user", "hello")
    with pytest.raises(BackendError, match=r"not that of Step-Audio 2.*pip install 'agentaudio\[vllm\]'") as problem:
        async for _ in model.generate(conversation):
            pass
    assert "\n" not in str(problem.value)
    await model.aclose()


async def test_a_conversation_beyond_the_context_says_so(agent: Callable[..., Agent]) -> None:
    async with agent() as asked:
        with pytest.raises(BackendError, match="4096|context"):
            await asked.run("long " * 2_000)


async def test_random_words_end_at_the_limit_and_are_counted(agent: Callable[..., Agent]) -> None:
    async with agent() as asked:
        reply = await asked.run("hello", options=GenerateOptions(max_tokens=20))
    assert reply.stop == "length" and reply.usage["output_tokens"] == 20 and reply.usage["input_tokens"] > 5


async def test_a_tool_that_is_offered_is_described_to_the_model(vllm: str) -> None:
    """vLLM validates the schemas of tools itself."""

    @tool
    def trip(stops: list[str], nights: dict[str, int] | None = None) -> str:
        """Plan a trip."""
        return "Planned."

    directed = Directed(vllm)
    directed.next(Answer(calls=[("trip", {"stops": ["Ulm", "Köln"], "nights": {"Ulm": 2}})]), Answer("All set."))
    async with door(vllm, directed.wanted) as before:
        model = Cascade(None, load_chat_model(f"openai:{NAME}", base_url=before.url), None)
        async with Agent(model, tools=[trip]) as asked:
            reply = await asked.run("plan a trip")
    assert reply.text == "All set." and reply.tool_calls[0].call.arguments["stops"] == ["Ulm", "Köln"]
