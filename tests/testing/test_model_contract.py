"""The contract of speech models, kept by every backend whose answers can be set."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.dashscope_server import refused
from support.openai_server import DONE, ChatServer, Reply, chat_server, delta
from support.parts import Beeps, Ears
from support.sounds import tone

from agentaudio import Agent, load_model, tool
from agentaudio.conversation import Conversation, ToolCall, ToolSpec
from agentaudio.errors import BackendError, ToolError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.parts import ChatDelta
from agentaudio.model.registry import load_chat_model
from agentaudio.model.routed import Routed
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, GenerateOptions, SpeechLM, TextDelta
from agentaudio.testing import Answer, ModelContract, Stage
from agentaudio.tools.external import external_tool
from agentaudio.tools.tool import Tool

PCM = tone(duration_s=0.3, sample_rate=24_000).to_pcm16()


class Queue:
    """The next answers, and how many generations are open."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.open = 0

    def take(self) -> Answer:
        return self.answers.pop(0)


class Directed:
    """A Stage. make: the model, given where its answers come from"""

    def __init__(self, model: SpeechLM, queue: Queue, busy: Callable[[], bool]) -> None:
        self.model, self._queue, self._busy = model, queue, busy

    def next(self, *answers: Answer) -> None:
        self._queue.answers = list(answers)

    def busy(self) -> bool:
        return self._busy()


class TestScripted(ModelContract):
    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        queue = Queue()

        class Failing(Scripted):
            async def generate(self, conversation: Conversation, **settings: Any) -> AsyncGenerator[Delta, None]:
                answer = queue.take()
                queue.open += 1
                try:
                    for word in answer.say.split(" "):
                        if word:
                            yield TextDelta(word + " ")
                            yield AudioDelta(tone(duration_s=0.05))
                    if answer.stalls:
                        await asyncio.sleep(60)
                    if answer.fails:
                        raise BackendError("the script says so")
                    for number, (name, arguments) in enumerate(answer.calls):
                        yield CallDelta(ToolCall(f"{id(answer)}-{number}", name, arguments))
                    yield End("length" if answer.cut else "stop")
                finally:
                    queue.open -= 1

        yield Directed(Failing(["unused"]), queue, lambda: queue.open > 0)


class Wrapped:
    """A Stage whose model is wrapped in another one."""

    def __init__(self, inner: Stage, model: SpeechLM) -> None:
        self.model, self.next, self.busy = model, inner.next, inner.busy


class TestRoutedOverAModelThatCalls(TestScripted):
    """Calls of the model pass through."""

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        async with super().stage() as inner:
            yield Wrapped(inner, Routed(inner.model, always=True))


class TestRoutedOverAModelWithoutCalls(TestScripted):
    """The user asks for the calls, and the script of the model holds only its answers."""

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        async with super().stage() as inner:
            inner.model.capabilities = replace(inner.model.capabilities, calls_tools=False)
            yield Wrapped(inner, Routed(inner.model))

    def test_a_tool_is_called_and_its_result_answered(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("It rang."))
            search, sought = searches()
            reply = await Agent(stage.model, tools=[search]).run("Search my documents for bells.")
            assert sought == ["bells"] and reply.text == "It rang." and reply.stop == "answered"

        self._play(scene)

    def test_two_calls_of_one_step_and_words_before_a_call(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("Done."))
            search, sought = searches()
            agent = Agent(stage.model, tools=["audio_search", search], voices="demo")
            reply = await agent.run("Speak in the voice of an old man, and search my documents for bells.")
            assert len({run.call.id for run in reply.tool_calls}) == 2 and sought == ["bells"]
            assert reply.text == "Done." and reply.voice is not None

        self._play(scene)

    def test_a_tool_that_fails_is_told_to_the_model(self) -> None:
        async def scene(stage: Stage) -> None:
            @tool
            def web_search(query: str) -> str:
                """Search the web."""
                raise ToolError("the rope is torn")

            stage.next(Answer("It is broken."))
            reply = await Agent(stage.model, tools=[web_search]).run("Search the web for bells.")
            assert reply.text == "It is broken." and "rope" in reply.tool_calls[0].output.text

        self._play(scene)

    def test_calls_that_the_caller_runs_end_the_turn_and_are_answered_in_the_next(self) -> None:
        async def scene(stage: Stage) -> None:
            schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
            stage.next(Answer("I found it."))
            session = Agent(stage.model, tools=[external_tool("web_search", "Search the web.", schema)]).session()
            reply = await session.run("Search the web for bells.")
            assert reply.stop == "tool_calls" and [call.name for call in reply.open_calls] == ["web_search"]
            reply = await session.run({reply.open_calls[0].id: "A page about bells."})
            assert reply.text == "I found it."

        self._play(scene)


def searches() -> tuple[Tool, list[str]]:
    """A tool `search_documents`, and the list of its queries."""
    sought: list[str] = []

    @tool
    def search_documents(query: str) -> str:
        """Search the documents."""
        sought.append(query)
        return f"{query} ring."

    return search_documents, sought


class TestCascade(ModelContract):
    """Any parts; the chat model follows the script."""

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        queue, beeps = Queue(), Beeps()
        beeps.voices = "clones"

        class Mind:
            name, calls_tools, cites = "mind", True, False
            languages: tuple[str, ...] = ()
            options = frozenset[str]()

            async def chat(
                self,
                conversation: Conversation,
                *,
                tools: Sequence[ToolSpec] = (),
                options: GenerateOptions = GenerateOptions(),
            ) -> AsyncGenerator[ChatDelta, None]:
                answer = queue.take()
                queue.open += 1
                try:
                    for word in answer.say.split(" "):
                        await asyncio.sleep(0)
                        yield TextDelta(word + " ")
                    if answer.stalls:
                        await asyncio.sleep(60)
                    if answer.fails:
                        raise BackendError("the script says so")
                    for number, (name, arguments) in enumerate(answer.calls):
                        yield CallDelta(ToolCall(f"{id(answer)}-{number}", name, arguments))
                    yield End("length" if answer.cut else "stop")
                finally:
                    queue.open -= 1

            def expected(self, tools: Sequence[ToolSpec]) -> Sequence[str]:
                return ()

            async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
                pass

            async def aclose(self) -> None:
                pass

        model = Cascade(Ears(), Mind(), beeps)
        yield Directed(model, queue, lambda: queue.open + beeps.open > 0)
        await model.aclose()


class Completions(ModelContract):
    """A Chat Completions server that follows the script."""

    spoken = False

    def model(self, server: ChatServer) -> SpeechLM:
        raise NotImplementedError

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        queue = Queue()
        async with chat_server() as server:
            server.script = lambda request: self.reply(queue.take(), request.json)
            model = self.model(server)
            server.clients.append(model)
            yield Directed(model, queue, lambda: server.answering > 0)

    def reply(self, answer: Answer, request: dict[str, Any]) -> Reply:
        wants_sound = request.get("modalities") == ["text", "audio"]
        pieces = [delta(role="assistant", content=None)]
        for word in (piece for piece in answer.say.split(" ") if piece):
            if wants_sound:
                pieces.append(delta(audio={"transcript": word + " ", "data": base64.b64encode(PCM).decode()}))
            else:
                pieces.append(delta(content=word + " "))
        calls = [
            {"index": number, "id": f"call_{id(answer)}_{number}", "type": "function",
             "function": {"name": name, "arguments": json.dumps(arguments)}}
            for number, (name, arguments) in enumerate(answer.calls)
        ]  # fmt: skip
        if calls:
            pieces.append(delta(tool_calls=calls))
        if answer.fails:
            return Reply(pieces, cut=True)
        if answer.stalls:
            return Reply(pieces, stall=True)
        finish = "length" if answer.cut else "tool_calls" if calls else "stop"
        return Reply([*pieces, delta(finish), DONE])


class TestOpenAIAudio(Completions):
    def model(self, server: ChatServer) -> SpeechLM:
        return load_model("openai:gpt-audio", base_url=server.url, api_key="sk-1")


class TestDashScope(Completions):
    """Qwen-Omni behind a server that refuses what DashScope refuses."""

    def model(self, server: ChatServer) -> SpeechLM:
        return load_model("openai:qwen3-omni-flash", base_url=server.url, api_key="sk-1", dialect="dashscope")

    def reply(self, answer: Answer, request: dict[str, Any]) -> Reply:
        return refused(request) or super().reply(answer, request)


class TestOpenAIChat(Completions):
    """The chat model of a cascade with other ears and another mouth."""

    def model(self, server: ChatServer) -> SpeechLM:
        mind = load_chat_model("openai:small", base_url=server.url, api_key="sk-1")
        return Cascade(Ears(), mind, Beeps())


def test_the_contract_finds_a_model_that_breaks_it() -> None:
    class Forgetful(TestScripted):
        @asynccontextmanager
        async def stage(self) -> AsyncIterator[Stage]:
            async with super().stage() as good:
                inner = good.model.generate

                async def generate(conversation: Conversation, **settings: Any) -> AsyncGenerator[Delta, None]:
                    conversation.messages.clear()
                    async with contextlib.aclosing(inner(conversation, **settings)) as deltas:
                        async for one in deltas:
                            yield one

                good.model.generate = generate  # type: ignore[method-assign]
                yield good

    with pytest.raises(AssertionError):
        Forgetful().test_deltas_come_in_order_and_the_conversation_is_left_as_it_was()
    with pytest.raises(NotImplementedError, match="stage"):
        ModelContract().test_a_text_turn_is_answered()


def test_a_test_that_fails_shows_what_the_model_said(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        """
from contextlib import asynccontextmanager
from agentaudio.model.scripted import Scripted
from agentaudio.testing import ModelContract

class Mine:
    model = Scripted(["The sky is green."])
    def next(self, *answers): pass
    def busy(self): return False

class TestMine(ModelContract):
    @asynccontextmanager
    async def stage(self):
        yield Mine()
""",
        "utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "a_text_turn", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "'The sky is green.' != 'The sky is blue.'" in done.stdout
