"""No model and no input keeps a turn busy forever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import fields
from typing import Any

import pytest
from support.models import scripted
from support.sounds import tone

from agentaudio import Agent, GenerateOptions, Limits, Tool, events, tool
from agentaudio.conversation import Citation, Conversation, SpeechPart, SpeechTokens, ToolCall
from agentaudio.deltas import checked
from agentaudio.errors import BackendError, LimitError, OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    Delta,
    Heard,
    TextDelta,
    TokensDelta,
    UnspokenDelta,
)
from agentaudio.sound.audio import Audio


class Generates(Scripted):
    """A model whose generations are those of a function."""

    def __init__(self, function: Any) -> None:
        super().__init__(["x"])
        self._function = function

    async def generate(self, conversation: Conversation, **given: Any) -> AsyncGenerator[Delta, None]:
        async for delta in self._function(conversation):
            yield delta


@tool
async def look(n: object = None) -> str:
    return "seen"


def endless_words(*_: object) -> Iterator[Delta]:
    while True:
        yield TextDelta("word ")


@pytest.mark.parametrize(("characters", "words"), [(50, 10), (51, 11)])
def test_an_answer_without_end_is_cut_at_the_limit_of_characters(characters: int, words: int) -> None:
    reply = Agent(scripted(endless_words), limits=Limits(characters=characters)).run_sync("go")
    assert (reply.text, reply.stop) == (("word " * words).strip(), "length")


@pytest.mark.parametrize(("piece_s", "pieces"), [(1.0, 3), (2.0, 2)])
def test_sound_without_end_is_cut_at_the_limit_of_seconds(
    piece_s: float, pieces: int, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def endless_sound(*_: object) -> Iterator[Delta]:
        while True:
            asked.append(piece_s)
            yield AudioDelta(Audio.silence(piece_s, 16_000))

    reply = Agent(scripted(endless_sound), limits=Limits(sound_s=3)).run_sync("go")
    assert reply.audio is not None and (reply.audio.duration, reply.stop) == (3.0, "length")
    assert len(asked) == pieces, "nothing beyond the limit is asked for"
    assert "Limits.sound_s (3)" in caplog.text


def test_speech_tokens_without_end_are_cut_at_the_limit_of_seconds() -> None:
    def endless_tokens(*_: object) -> Iterator[Delta]:
        while True:
            yield TokensDelta(SpeechTokens((1,) * 50, "c", 25.0))
            yield TextDelta("word ")

    session = Agent(scripted(endless_tokens), limits=Limits(sound_s=3)).session()
    assert session.run_sync("go").stop == "length"
    (tokens,) = [part.tokens for part in session.conversation.messages[-1].parts if isinstance(part, SpeechPart)]
    assert tokens is not None and len(tokens.ids) == 75


def test_calls_beyond_the_limit_are_explained_to_the_model() -> None:
    closed: list[bool] = []

    def many(*_: object) -> Iterator[Delta]:
        try:
            for number in range(5_000):
                yield CallDelta(ToolCall(f"c{number}", "look", {"n": number}))
        finally:
            closed.append(True)

    agent = Agent(scripted(many, "Done."), tools=[look], limits=Limits(calls_per_step=3))
    reply = agent.run_sync("go")
    assert [run.status for run in reply.tool_calls] == ["done", "done", "done", "failed"]
    assert "Only 3 calls of one step are run (Limits.calls_per_step)" in reply.tool_calls[3].result.text
    assert reply.text == "Done." and closed


@pytest.mark.parametrize(("depth", "status"), [(4, "done"), (5, "failed"), (5_000, "failed")])
def test_arguments_nested_too_deeply_are_refused(depth: int, status: str) -> None:
    nested: Any = []
    for _ in range(depth - 2):
        nested = [nested]
    step = [CallDelta(ToolCall("c", "look", {"n": nested}))]
    reply = Agent(scripted(step, "Done."), tools=[look], limits=Limits(argument_depth=4)).run_sync("go")
    assert reply.tool_calls[0].status == status
    assert (status == "done") == ("Limits.argument_depth" not in reply.tool_calls[0].result.text)


@pytest.mark.parametrize(
    "arguments",
    [
        {"n": "x" * 1_001},
        {"x" * 1_001: 1},
        {"n": b"x" * 1_001},
        {"n": [[]] * 1_001},
        {"n": [0] * 1_001},
        {"n": {str(number): None for number in range(1_001)}},
        {"n": ["x" * 100] * 11},
        {"n": 10**1_400},
        {"n": (("x" * 501,), "x" * 501)},
        {str(number): {} for number in range(501)},
    ],
)
def test_arguments_that_are_too_long_are_refused_and_dropped(arguments: dict[str, Any]) -> None:
    step = [CallDelta(ToolCall("c", "look", arguments))]
    reply = Agent(scripted(step, "Done."), tools=[look], limits=Limits(argument_chars=1_000)).run_sync("go")
    (run,) = reply.tool_calls
    assert run.status == "failed" and "more than 1000 characters (Limits.argument_chars)" in run.result.text
    assert run.call.arguments == {}


def test_arguments_that_refer_to_one_list_again_and_again_are_counted_in_time() -> None:
    doubled: list[Any] = []
    for _ in range(30):
        doubled = [doubled, doubled]
    step = [CallDelta(ToolCall("c", "look", {"n": doubled}))]
    assert Agent(scripted(step, "Done."), tools=[look]).run_sync("go").tool_calls[0].status == "failed"


@pytest.mark.parametrize(
    ("delta", "stop"),
    [
        (AudioDelta(Audio.silence(9.0, 16_000)), "length"),
        (AudioDelta(Audio.silence(9.0, 48_000)), "length"),
        (TokensDelta(SpeechTokens((1,) * 225, "c", 25.0)), "length"),
        (TextDelta("x" * 900), "length"),
        (TextDelta("x" * 98), "answered"),
        (Heard("x" * 900), "answered"),
        (CitationDelta(Citation("t", "s", "x" * 900)), "length"),
        (CitationDelta(Citation("x" * 900, "s", "q")), "length"),
        (CitationDelta(Citation("t", "x" * 900, "q")), "length"),
        (UnspokenDelta(("x" * 900,)), "length"),
    ],
)
def test_one_delta_that_is_beyond_a_limit_is_cut(delta: Delta, stop: str) -> None:
    session = Agent(scripted([delta, TextDelta("!")]), limits=Limits(characters=100, sound_s=3)).session()
    reply = session.run_sync("go")
    assert reply.stop == stop and len(reply.text) <= 100 and len(reply.heard or "") <= 100
    assert reply.audio is None or reply.audio.duration == 3.0
    for message in session.conversation:
        for part in message.parts:
            assert not isinstance(part, SpeechPart) or part.tokens is None or len(part.tokens.ids) == 75


@pytest.mark.parametrize(
    ("call_id", "kept"), [("", "call"), ("x" * 10_000, "call"), ("x" * 201, "call"), ("x" * 200, "x" * 200)]
)
def test_a_call_gets_an_id_and_a_name_of_a_bounded_length(call_id: str, kept: str) -> None:
    step = [CallDelta(ToolCall(call_id, "n" * 10_000, {})), CallDelta(ToolCall(call_id, "look", {}), "p" * 90_000)]
    first, second = Agent(scripted(step, "Done."), tools=[look]).run_sync("go").tool_calls
    assert (first.call.id, second.call.id) == (kept, f"{kept}-2")
    assert first.status == "failed" and len(first.call.name) == 200 and len(first.result.text) < 1_000
    assert second.status == "failed" and len(second.result.text) < 9_000


async def test_a_turn_that_takes_too_long_fails_and_keeps_what_was_done() -> None:
    async def slow(conversation: Conversation) -> AsyncGenerator[Delta, None]:
        if conversation.last_outputs:
            await asyncio.sleep(60)
        yield CallDelta(ToolCall("c", "look", {}))

    session = Agent(Generates(slow), tools=[look], limits=Limits(turn_s=0.3)).session()
    seen = []
    with pytest.raises(LimitError, match=r"longer than 0.3 s \(Limits.turn_s\)"):
        async for event in session.stream("go"):
            seen.append(event)
    assert isinstance(seen[-1], events.TurnFailed) and not session.conversation.open_calls
    assert [output.text for output in session.conversation.last_outputs] == ["seen"]


@pytest.mark.parametrize("delta", [TextDelta(""), AudioDelta(tone(duration_s=0.0))])
async def test_a_model_that_never_awaits_is_stopped_in_time(delta: Delta) -> None:
    async def busy(conversation: Conversation) -> AsyncGenerator[Delta, None]:
        while True:
            yield delta

    begun = time.perf_counter()
    with pytest.raises(LimitError):
        await Agent(Generates(busy), limits=Limits(turn_s=0.2)).run("go")
    assert time.perf_counter() - begun < 10  # it would never end


async def test_other_sessions_go_on_beside_a_model_that_never_awaits() -> None:
    async def busy(conversation: Conversation) -> AsyncGenerator[Delta, None]:
        while True:
            yield TextDelta("")

    running = asyncio.ensure_future(Agent(Generates(busy)).run("go"))
    await asyncio.sleep(0)
    assert (await asyncio.wait_for(Agent(scripted("Hi.")).run("hi"), 10)).text == "Hi."
    running.cancel()
    await asyncio.wait([running], timeout=10)
    assert running.done()


async def rounds_of_the_loop_during(deltas: AsyncGenerator[Delta, None]) -> int:
    """How often the event loop runs other tasks while the deltas are checked."""
    rounds = 0

    async def count() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    counting = asyncio.ensure_future(count())
    async with asyncio.timeout(10):
        async for _ in checked(Scripted(["x"]), deltas, GenerateOptions(), limits=Limits(), used_ids=set()):
            pass
    counting.cancel()
    return rounds


async def test_a_model_that_never_awaits_lets_the_loop_run_now_and_then_but_not_at_each_delta() -> None:
    emitted = 0

    async def busy() -> AsyncGenerator[Delta, None]:
        nonlocal emitted
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end:
            emitted += 1
            yield TextDelta("")

    async def quick() -> AsyncGenerator[Delta, None]:
        for _ in range(1000):
            yield TextDelta("")

    assert 3 <= await rounds_of_the_loop_during(busy()) < emitted / 2
    assert await rounds_of_the_loop_during(quick()) < 500


async def test_the_loop_runs_while_long_sound_is_resampled() -> None:
    async def sound(duration_s: float) -> AsyncGenerator[Delta, None]:
        yield AudioDelta(tone(duration_s=duration_s, sample_rate=44_100))

    for _ in range(10):  # on a busy machine the loop may get no processor for as long as the sound takes
        if await rounds_of_the_loop_during(sound(20.0)) > await rounds_of_the_loop_during(sound(1.0)) + 3:
            return
    pytest.fail("the loop stood still")


@pytest.mark.parametrize(
    "raised", [SystemExit(3), GeneratorExit(), BaseExceptionGroup("x", [SystemExit()]), asyncio.CancelledError()]
)
async def test_whatever_a_model_raises_fails_the_turn(raised: BaseException) -> None:
    async def breaks(conversation: Conversation) -> AsyncGenerator[Delta, None]:
        yield TextDelta("Well")
        raise raised

    session = Agent(Generates(breaks)).session()
    with pytest.raises(BackendError, match="model 'scripted' failed"):
        await session.run("go")
    assert [message.text for message in session.conversation] == ["go", "Well"]


class Odd(BaseException):
    pass


@pytest.mark.parametrize("raised", [SystemExit(3), Odd("odd"), GeneratorExit(), BaseExceptionGroup("x", [Odd()])])
async def test_whatever_a_tool_raises_is_a_message_to_the_model(raised: BaseException) -> None:
    @tool
    async def broken() -> str:
        raise raised

    @tool
    def broken_too() -> str:
        raise raised

    steps = [CallDelta(ToolCall("a", "broken", {})), CallDelta(ToolCall("b", "broken_too", {}))]
    reply = await Agent(scripted(steps, "Sorry."), tools=[broken, broken_too]).run("go")
    assert [run.status for run in reply.tool_calls] == ["failed", "failed"] and reply.text == "Sorry."


@pytest.mark.parametrize(
    "raised",
    [ValueError("no"), SystemExit(3), Odd("odd"), GeneratorExit(), KeyboardInterrupt(), asyncio.CancelledError()],
)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_whatever_the_approval_raises_is_a_refusal(raised: BaseException, asynchronous: bool) -> None:
    @tool(approval=True)
    async def pay() -> str:
        return "paid"

    def approve(one: Tool, call: ToolCall) -> bool:
        raise raised

    async def approve_later(one: Tool, call: ToolCall) -> bool:
        raise raised

    if asynchronous and isinstance(raised, KeyboardInterrupt):
        return  # Ctrl-C in the loop's own thread ends the program
    asked = approve_later if asynchronous else approve
    reply = await Agent(scripted([CallDelta(ToolCall("a", "pay", {}))], "No."), tools=[pay], approve=asked).run("go")
    assert [run.status for run in reply.tool_calls] == ["denied"] and reply.text == "No."


@pytest.mark.parametrize("name", [one.name for one in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_is_above_zero(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"Limits.{name} is {value!r}"):
        Limits(**{name: value})


async def test_a_turn_that_fails_before_its_calls_ran_leaves_neither_calls_nor_outputs() -> None:
    def many(*_: object) -> Iterator[Delta]:
        yield from (CitationDelta(Citation("t", f"{number}.md", "q")) for number in range(40))
        yield CallDelta(ToolCall("c", "look", {}))

    session = Agent(scripted(many), tools=[look], limits=Limits(turn_s=0.5)).session()
    happening = session.stream("go")
    await anext(happening)
    await asyncio.sleep(0.8)  # the reader stalls, so the end of the step waits for room until the turn is too old
    with pytest.raises(LimitError):
        async for _ in happening:
            pass
    assert len(session.conversation) == 0
