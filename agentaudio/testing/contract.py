"""`ModelContract`: the behaviour that an agent needs of every speech model, as tests for pytest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from typing import Any

import numpy as np

from agentaudio.agent import Agent
from agentaudio.conversation import AudioPart, Conversation, TextPart
from agentaudio.errors import AgentAudioError, BackendError, ConsentError, OptionError, ToolError
from agentaudio.model.speech_lm import AudioDelta, Delta, End, GenerateOptions, Heard, TextDelta
from agentaudio.sound.audio import Audio
from agentaudio.testing.stage import Answer, Stage
from agentaudio.tools.external import external_tool
from agentaudio.tools.tool import Tool, tool

TIMEOUT_S = 60.0
"""Longest time of one scene."""

STOPS_WITHIN_S = 3.0
"""A generation that was closed has stopped all its work after this time, on a busy machine too."""

Scene = Callable[[Stage], Awaitable[None]]


class ModelContract:
    """Subclass it in a test module, name the class `Test...`, and implement `stage`.

    Each test adapts to the model's capabilities: what a model declares it lacks must be refused clearly.
    Tests run in an event loop of their own and need no pytest plugin.
    """

    def stage(self) -> AbstractAsyncContextManager[Stage]:
        """The model under test, for one test. An async context manager that closes the model at its end."""
        raise NotImplementedError("implement stage(), which gives the model under test")

    def test_a_text_turn_is_answered(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("The sky is blue."))
            reply = await Agent(stage.model).run("what colour is the sky")
            assert (reply.text, reply.stop, reply.tool_calls) == ("The sky is blue.", "answered", ())
            if stage.model.capabilities.voices == "none":
                assert reply.audio is None
            else:
                assert reply.audio is not None and reply.audio.duration > 0
                assert reply.audio.sample_rate == stage.model.capabilities.sample_rate_hz
                assert reply.usage["output_sound_s"] > 0
            assert reply.usage["output_characters"] >= len("The sky is blue.")

        self._play(scene)

    def test_a_spoken_turn_is_answered_or_refused(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("Hello to you."))
            if not stage.model.capabilities.hears:
                assert isinstance(await _error(Agent(stage.model).run(speech())), OptionError)
                return
            reply = await Agent(stage.model).run(speech())
            assert reply.text == "Hello to you." and reply.stop == "answered"

        self._play(scene)

    def test_speech_is_left_out_when_it_is_not_wanted(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("Only words."))
            reply = await Agent(stage.model, options=GenerateOptions(speak=False)).run("hello")
            assert reply.text == "Only words." and reply.audio is None

        self._play(scene)

    def test_a_tool_is_called_and_its_result_answered(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer(calls=[("ring", {"times": 2})]), Answer("It rang."))
            ring, rung = bell()
            if not stage.model.capabilities.calls_tools:
                assert isinstance(await _error(_built(stage, ring)), OptionError)
                return
            reply = await Agent(stage.model, tools=[ring]).run("ring twice")
            assert rung == [2] and reply.text == "It rang." and reply.stop == "answered"

        self._play(scene)

    def test_two_calls_of_one_step_and_words_before_a_call(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("One moment.", calls=[("ring", {"times": 1}), ("ring", {"times": 3})]), Answer("Done."))
            ring, rung = bell()
            reply = await Agent(stage.model, tools=[ring]).run("ring once, then thrice")
            assert sorted(rung) == [1, 3] and len({run.call.id for run in reply.tool_calls}) == 2
            assert reply.text == "One moment. Done."

        self._play(scene, needs_tools=True)

    def test_a_tool_that_fails_is_told_to_the_model(self) -> None:
        async def scene(stage: Stage) -> None:
            @tool(name="ring")
            def ring(times: int) -> str:
                """Ring the bell."""
                raise ToolError("the rope is torn")

            stage.next(Answer(calls=[("ring", {"times": 1})]), Answer("It is broken."))
            reply = await Agent(stage.model, tools=[ring]).run("ring")
            assert reply.text == "It is broken." and "rope" in reply.tool_calls[0].output.text

        self._play(scene, needs_tools=True)

    def test_calls_that_the_caller_runs_end_the_turn_and_are_answered_in_the_next(self) -> None:
        async def scene(stage: Stage) -> None:
            schema = {"type": "object", "properties": {"times": {"type": "integer"}}}
            stage.next(Answer(calls=[("ring", {"times": 2})]), Answer("I heard it."))
            session = Agent(stage.model, tools=[external_tool("ring", "Ring the bell.", schema)]).session()
            reply = await session.run("ring")
            assert reply.stop == "tool_calls" and [call.name for call in reply.open_calls] == ["ring"]
            reply = await session.run({reply.open_calls[0].id: "It rang."})
            assert reply.text == "I heard it."

        self._play(scene, needs_tools=True)

    def test_deltas_come_in_order_and_the_conversation_is_left_as_it_was(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("First second third fourth."))
            conversation = Conversation()
            conversation.add("user", TextPart("count"))
            before = list(conversation.messages)
            deltas = [delta async for delta in stage.model.generate(conversation)]
            assert isinstance(deltas[-1], End) and sum(isinstance(delta, End) for delta in deltas) == 1
            words = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
            assert words.strip() == "First second third fourth."
            sounds = [place for place, delta in enumerate(deltas) if isinstance(delta, AudioDelta)]
            if sounds:  # words come before their sound
                assert any(isinstance(delta, TextDelta) for delta in deltas[: sounds[0]])
            assert conversation.messages == before

        self._play(scene)

    def test_closing_an_answer_in_the_middle_stops_all_work(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("One two three. " * 20, stalls=True))
            conversation = Conversation()
            conversation.add("user", TextPart("count"))
            deltas = stage.model.generate(conversation, options=GenerateOptions(speak=False))
            async with contextlib.aclosing(deltas):
                await anext(deltas)
            await _idle(stage)

        self._play(scene)

    def test_an_interrupted_turn_is_followed_by_a_good_one(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("One two three. " * 20, stalls=True), Answer("Fine."))
            session = Agent(stage.model, options=GenerateOptions(speak=False)).session()
            async for event in session.stream("count"):
                if event.type == "text.delta":
                    await session.interrupt()
            await _idle(stage)
            assert (await session.run("are you there")).text == "Fine."

        self._play(scene)

    def test_a_failure_is_typed_and_the_session_goes_on(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("I was going to", fails=True), Answer("Better now."))
            session = Agent(stage.model).session()
            error = await _error(session.run("hello"))
            assert isinstance(error, BackendError) and str(error).strip() and "\n" not in str(error)
            assert (await session.run("hello again")).text == "Better now."

        self._play(scene)

    def test_history_with_sound_is_understood(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("First."), Answer("Second."), Answer("Third."))
            session = Agent(stage.model).session()
            for said, answer in ((speech(), "First."), ("and then", "Second."), (speech(), "Third.")):
                assert (await session.run(said)).text == answer

        self._play(scene, needs_ears=True)

    def test_several_sounds_of_one_message_are_taken(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("Both."))
            conversation = Conversation()
            conversation.add("user", AudioPart(speech()), TextPart("and"), AudioPart(speech()))
            deltas = [delta async for delta in stage.model.generate(conversation)]
            assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)).strip() == "Both."
            assert all(isinstance(delta.text, str) for delta in deltas if isinstance(delta, Heard))

        self._play(scene, needs_ears=True)

    def test_another_voice_is_used_or_refused(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("In another voice."), Answer("In my own."))
            session = Agent(stage.model, voices="demo").session()
            if stage.model.capabilities.voices != "any":
                assert isinstance(await _error(session.run("hello", voice="gina")), OptionError)
                return
            reply = await session.run("hello", voice="gina")
            assert reply.voice is not None and reply.voice.id == "gina" and reply.audio is not None
            assert reply.imitation == stage.model.capabilities.imitates
            assert (await session.run("hello")).voice is None

        self._play(scene)

    def test_a_voice_without_permission_is_refused(self) -> None:
        class Refused:
            """A reference voice whose card forbids its use."""

            id, transcript, clip = "secret", "", speech()

            @property
            def permit(self) -> Refused:
                return self

            def refusal(self) -> str | None:
                return "its consent was withdrawn"

            def state_path(self, model: str, version: str, suffix: str) -> None:
                return None

        async def scene(stage: Stage) -> None:
            if stage.model.capabilities.voices != "any" or stage.model.capabilities.imitates is None:
                return
            stage.next(Answer("Never said."))
            conversation = Conversation()
            conversation.add("user", TextPart("hello"))
            error = await _error(_drained(stage, conversation, voice=Refused()))
            assert isinstance(error, ConsentError)

        self._play(scene)

    def test_all_of_unicode_passes_through(self) -> None:
        async def scene(stage: Stage) -> None:
            text = "Grüße, 你好, नमस्ते, e\u0301, 🙂 and “quotes”."
            stage.next(Answer(text))
            reply = await Agent(stage.model, options=GenerateOptions(speak=False)).run(text)
            assert reply.text == text

        self._play(scene)

    def test_a_length_limit_is_reported(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("This answer is", cut=True))
            reply = await Agent(stage.model).run("tell me everything")
            assert reply.text == "This answer is" and reply.stop == "length"

        self._play(scene)

    def test_usage_is_counted_in_numbers(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.next(Answer("Counted."))
            usage = (await Agent(stage.model).run("hello")).usage
            assert all(isinstance(count, int | float) and count >= 0 for count in usage.values())

        self._play(scene)

    def test_options_that_it_does_not_support_are_refused(self) -> None:
        async def scene(stage: Stage) -> None:
            values: dict[str, Any] = {
                "language": "en", "temperature": 0.5, "top_p": 0.5, "repetition_penalty": 1.1,
                "max_tokens": 50, "seed": 1, "stop": ("x",), "must_call": True,
            }  # fmt: skip
            for field in fields(GenerateOptions):
                if field.name == "speak" or field.name in stage.model.capabilities.options:
                    continue
                options = GenerateOptions(**{field.name: values[field.name]})
                assert isinstance(await _error(_built(stage, options=options)), OptionError)

        self._play(scene)

    def test_several_answers_at_once_do_not_mix(self) -> None:
        async def scene(stage: Stage) -> None:
            expected = {f"Answer number {number}." for number in "1234"}
            stage.next(*(Answer(answer) for answer in sorted(expected)))
            agent = Agent(stage.model)
            replies = await asyncio.gather(*(agent.run("hello") for _ in expected))
            assert {reply.text for reply in replies} == expected

        self._play(scene)

    def test_a_model_is_closed_twice_without_harm(self) -> None:
        async def scene(stage: Stage) -> None:
            await stage.model.aclose()
            await stage.model.aclose()

        self._play(scene)

    def _play(self, scene: Scene, *, needs_tools: bool = False, needs_ears: bool = False) -> None:
        async def run() -> None:
            async with self.stage() as stage, asyncio.timeout(TIMEOUT_S):
                able = stage.model.capabilities
                if (able.calls_tools or not needs_tools) and (able.hears or not needs_ears):
                    await scene(stage)

        asyncio.run(run())


def speech(duration_s: float = 1.0) -> Audio:
    """A sound that swells four times a second, as speech does; 16 kHz."""
    time_s = np.arange(round(duration_s * 16_000)) / 16_000
    return Audio(0.3 * np.sin(2 * np.pi * 150 * time_s) * np.abs(np.sin(4 * np.pi * time_s)), 16_000)


def bell() -> tuple[Tool, list[int]]:
    """A tool `ring`, and the list of how often it was rung."""
    rung: list[int] = []

    @tool
    def ring(times: int) -> str:
        """Ring the bell."""
        rung.append(times)
        return f"It rang {times} times."

    return ring, rung


async def _built(stage: Stage, *tools: Tool, **settings: Any) -> None:
    Agent(stage.model, tools=list(tools), **settings)


async def _drained(stage: Stage, conversation: Conversation, **settings: Any) -> list[Delta]:
    return [delta async for delta in stage.model.generate(conversation, **settings)]


async def _error(work: Awaitable[object]) -> AgentAudioError | None:
    try:
        await work
    except AgentAudioError as error:
        return error
    return None


async def _idle(stage: Stage) -> None:
    begun = time.monotonic()
    while stage.busy():
        assert time.monotonic() - begun < STOPS_WITHIN_S, "work goes on although the answer was closed"
        await asyncio.sleep(0.01)
