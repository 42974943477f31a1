"""One turn through the loop: replies, events and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, Audio, RunContext, Tool, ToolResult, events, tool
from agentaudio.conversation import Conversation, Passage, SpeechPart, ToolCall, ToolOutput, ToolSpec
from agentaudio.errors import (
    AgentAudioError,
    AudioError,
    BackendError,
    ConsentError,
    ModelNotFound,
    OptionError,
    ToolNotFound,
    VoiceNotFound,
)
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Delta, ReferenceVoice, TextDelta
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.voice_library.library import VoiceLibrary


@tool
def opening_hours(museum: str) -> str:
    """When a museum is open today."""
    return f"{museum} is open from nine to five."


def test_a_spoken_question_is_answered_with_the_result_of_a_tool(tmp_path: Path) -> None:
    path = tone().save(tmp_path / "question.wav")
    heard: list[ToolOutput] = []

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        heard.extend(conversation.last_outputs)
        return [TextDelta("Until five.")]

    model = scripted({"heard": "when is it open", **calls(("opening_hours", {"museum": "The Louvre"}))}, answer)
    reply = Agent(model, tools=[opening_hours]).run_sync(path)
    assert (reply.heard, reply.text, reply.stop) == ("when is it open", "Until five.", "answered")
    assert [output.text for output in heard] == ["The Louvre is open from nine to five."]
    (run,) = reply.tool_calls
    assert (run.call.name, run.status, run.result.text) == ("opening_hours", "done", heard[0].text)


def test_the_retrieved_voice_reaches_the_next_generation(library: VoiceLibrary) -> None:
    spoken_in = []

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        spoken_in.append(voice)
        return [TextDelta("As you wish.")]

    agent = Agent(
        scripted(
            calls(("audio_search", {"query": "a calm old man"})),
            answer,
            calls(("audio_search", {"query": "default"})),
            answer,
        ),
        tools=["audio_search"],
        voices=library,
    )
    session = agent.session()
    first, second = session.run_sync("talk like an old man"), session.run_sync("back to your own voice")
    assert first.voice is not None and first.voice.id == "walter"
    assert second.voice is None
    assert spoken_in == [library.get("walter"), None]


async def test_a_revoked_voice_is_not_used_in_the_next_turn(library: VoiceLibrary) -> None:
    spoken_in: list[ReferenceVoice | None] = []

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        spoken_in.append(voice)
        return [TextDelta("Yes.")]

    walter = library.get("walter")
    session = Agent(scripted(answer, answer), voice=walter).session()
    await session.run("one")
    library.revoke("walter")
    changes = [event async for event in session.stream("two") if isinstance(event, events.VoiceChanged)]
    assert spoken_in == [walter, None]
    assert [event.voice for event in changes] == [None]


def test_a_voice_without_consent_is_neither_found_nor_used(library: VoiceLibrary) -> None:
    agent = Agent(
        scripted(calls(("audio_search", {"query": "a whispering woman"})), "No."),
        tools=["audio_search"],
        voices=library,
    )
    reply = agent.run_sync("whisper")
    assert reply.voice is None or reply.voice.id != "secret"
    with pytest.raises(ConsentError, match="it has no consent"):
        Agent(scripted("hi"), voices=library, voice="secret")


def test_passages_that_the_answer_used_are_cited(documents: DocumentIndex) -> None:
    agent = Agent(
        scripted(calls(("search_documents", {"query": "how long is the great wall"})), "Very long."),
        tools=["search_documents"],
        documents=documents,
    )
    reply = agent.run_sync("how long is it")
    assert reply.citations[0].source == "wall.md"
    assert "21,000 kilometers" in reply.citations[0].quote


def test_events_come_in_the_order_things_happen(library: VoiceLibrary) -> None:
    agent = Agent(
        scripted({"heard": "x", **calls(("audio_search", {"query": "robot"}))}, "Beep"),
        tools=["audio_search"],
        voices=library,
    )

    async def listen() -> list[str]:
        return [event.type async for event in agent.stream("x")]

    assert asyncio.run(listen()) == [
        "turn.started", "step.started", "heard", "step.finished", "tool.started", "tool.finished", "voice.changed",
        "step.started", "text.delta", "audio.delta", "step.finished", "turn.finished",
    ]  # fmt: skip


def test_tools_of_one_step_run_at_the_same_time() -> None:
    meeting = asyncio.Barrier(3)

    @tool(timeout_s=5)
    async def meet(name: str) -> str:
        await meeting.wait()
        return name

    model = scripted(calls(*(("meet", {"name": name}) for name in "abc")), "done")
    reply = Agent(model, tools=[meet]).run_sync("go")
    assert [run.result.text for run in reply.tool_calls] != []
    assert {run.status for run in reply.tool_calls} == {"done"}


def test_an_invalid_call_is_explained_to_the_model_and_the_turn_goes_on() -> None:
    @tool
    def broken(x: int) -> str:
        raise RuntimeError("out of order")

    model = scripted(
        calls(("opening_hour", {"museum": "x"}), ("opening_hours", {"museem": "x"}), ("broken", {"x": 1})),
        "Sorry.",
    )
    reply = Agent(model, tools=[opening_hours, broken]).run_sync("go")
    results = {run.call.name: run.result.text for run in reply.tool_calls}
    assert "did you mean 'opening_hours'" in results["opening_hour"]
    assert "museum: Field required" in results["opening_hours"] and "museem: Extra inputs" in results["opening_hours"]
    assert results["broken"] == "broken failed unexpectedly (RuntimeError); say that it did not work."
    assert reply.text == "Sorry."


def test_a_malformed_call_is_reported_to_the_model() -> None:
    seen: list[ToolOutput] = []

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        seen.extend(conversation.last_outputs)
        return [TextDelta("Again.")]

    garbled = [CallDelta(ToolCall("c1", "opening_hours", {}), problem="the arguments are not JSON: {museum")]
    Agent(scripted(garbled, answer), tools=[opening_hours]).run_sync("go")
    assert seen[0].is_error and "not JSON" in seen[0].text


def test_the_last_step_gets_no_tools_so_that_it_must_answer() -> None:
    offered = []

    def greedy(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        offered.append(len(specs))
        if not specs:
            return [TextDelta("Enough.")]
        return [CallDelta(ToolCall(f"c{len(offered)}", "opening_hours", {"museum": "x"}))]

    reply = Agent(scripted(*[greedy] * 3), tools=[opening_hours], max_steps=3).run_sync("go")
    assert offered == [1, 1, 0]
    assert (reply.text, reply.stop, len(reply.tool_calls)) == ("Enough.", "max_steps", 2)


def test_a_failing_model_leaves_no_trace_in_the_conversation() -> None:
    def fail(*_: object) -> list[Delta]:
        raise ZeroDivisionError("oops")

    session = Agent(scripted("Hello.", fail)).session()
    session.run_sync("hi")
    before = session.conversation.copy()

    async def listen() -> list[str]:
        seen: list[str] = []
        with pytest.raises(BackendError, match="'scripted' failed: ZeroDivisionError"):
            async for event in session.stream("again"):
                seen.append(event.type)
        return seen

    assert asyncio.run(listen()) == ["turn.started", "step.started", "turn.failed"]
    assert session.conversation == before


def test_turns_of_a_session_share_the_conversation() -> None:
    session = Agent(scripted("One.", "Two."), instructions="Be brief.").session()
    session.run_sync("a")
    session.run_sync("b")
    assert [(m.role, m.text) for m in session.conversation] == [
        ("system", "Be brief."), ("user", "a"), ("assistant", "One."), ("user", "b"), ("assistant", "Two."),
    ]  # fmt: skip


def test_speak_false_gives_text_without_sound() -> None:
    from agentaudio import GenerateOptions

    reply = Agent(scripted("Hush."), options=GenerateOptions(speak=False)).run_sync("hi")
    assert (reply.text, reply.audio) == ("Hush.", None)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (Path("missing.wav"), "no such file: missing.wav"),
        ("   ", "the input is empty"),
        (Audio.silence(1, 16_000), "is silent"),
        (Audio.silence(0, 16_000), "holds no sound"),
        (b"nonsense", "not a sound file"),
        (tone(duration_s=3700, sample_rate=1000), "at most 3600 s"),
    ],
)
def test_unusable_input_is_refused_with_one_line(user: object, words: str) -> None:
    session = Agent(scripted("hi")).session()
    with pytest.raises(AudioError, match=words):
        session.run_sync(user)  # type: ignore[arg-type]
    assert len(session.conversation) == 0


def test_unknown_names_are_refused_with_the_nearest_known_name(library: VoiceLibrary) -> None:
    with pytest.raises(ModelNotFound, match="did you mean 'embedded'"):
        Agent("embeded")
    with pytest.raises(ToolNotFound, match="did you mean 'search_documents'"):
        Agent("scripted", tools=["search_document"])
    with pytest.raises(VoiceNotFound, match="did you mean 'walter'"):
        Agent("scripted", voices=library, voice="waltr")
    with pytest.raises(OptionError, match="two tools are named 'opening_hours'"):
        Agent("scripted", tools=[opening_hours, tool(name="opening_hours")(lambda: "x")])


def test_run_sync_inside_an_event_loop_names_the_async_call() -> None:
    async def wrong() -> None:
        Agent(scripted("hi")).run_sync("x")

    with pytest.raises(OptionError, match="await agent.run"):
        asyncio.run(wrong())


def test_one_model_serves_many_conversations_at_once() -> None:
    agent = Agent(scripted(calls(("opening_hours", {"museum": "x"})), "Five."), tools=[opening_hours])

    async def crowd() -> list[str]:
        return [reply.text for reply in await asyncio.gather(*(agent.run(f"user {i}") for i in range(50)))]

    assert asyncio.run(crowd()) == ["Five."] * 50


def test_a_tool_reads_the_conversation_and_may_return_anything() -> None:
    @tool
    async def echo(context: RunContext) -> ToolResult:
        said = context.conversation.last_user
        assert said is not None
        return ToolResult(said.text, passages=(Passage("p", "t", "s"),), audio=tone())

    reply = Agent(scripted(calls(("echo", {})), "ok"), tools=[echo]).run_sync("remember me")
    assert reply.tool_calls[0].result.text == "remember me"
    assert reply.to_dict()["tool_calls"][0]["result"]["audio"]["duration_s"] == 1.0


step = st.one_of(
    st.text("ab ", min_size=1, max_size=10).filter(str.strip),
    st.builds(
        lambda names, say: {"say": say, "calls": [{"name": n, "arguments": {}} for n in names]},
        st.lists(st.sampled_from(["good", "bad", "unknown", "slow"]), min_size=1, max_size=4),
        st.sampled_from(["", "One moment."]),
    ),
)


@given(st.lists(step, min_size=1, max_size=6), st.integers(1, 4))
@settings(max_examples=share(80))
def test_the_order_of_events_holds_for_any_model_output(steps: list[object], max_steps: int) -> None:
    @tool
    async def good() -> str:
        await asyncio.sleep(0)
        return "fine"

    @tool
    async def bad() -> str:
        raise ValueError("no")

    @tool(timeout_s=0.001)
    async def slow() -> str:
        await asyncio.sleep(1)
        return "late"

    session = Agent(Scripted(steps, loop=True), tools=[good, bad, slow], max_steps=max_steps).session()  # type: ignore[arg-type]
    seen: list[events.Event] = []

    async def listen() -> None:
        async for event in session.stream("go"):
            seen.append(event)

    asyncio.run(listen())
    assert seen[0].type == "turn.started" and seen[-1].type == "turn.finished"
    assert [e.at_s for e in seen] == sorted(e.at_s for e in seen)
    started = [e.call.id for e in seen if isinstance(e, events.ToolStarted)]
    finished = [e.run.call.id for e in seen if isinstance(e, events.ToolFinished)]
    assert sorted(started) == sorted(finished) and len(set(started)) == len(started)
    position = {id(e): i for i, e in enumerate(seen)}
    for end in (e for e in seen if isinstance(e, events.ToolFinished)):
        begin = next(e for e in seen if isinstance(e, events.ToolStarted) and e.call.id == end.run.call.id)
        assert position[id(begin)] < position[id(end)]
    reply = seen[-1].reply
    said = "".join(e.text for e in seen if isinstance(e, events.TextSpoken))
    assert "".join(reply.text.split()) == "".join(said.split())
    assert not session.conversation.open_calls
    assert all(isinstance(e.to_dict(), dict) for e in seen)


def test_every_error_class_is_in_the_tree() -> None:
    import agentaudio.errors as tree

    classes = [one for one in vars(tree).values() if isinstance(one, type) and one.__module__ == tree.__name__]
    assert all(issubclass(one, AgentAudioError) for one in classes)


def test_the_speech_of_each_step_is_kept_with_its_sound() -> None:
    session = Agent(
        scripted({"say": "One moment.", **calls(("opening_hours", {"museum": "x"}))}, "Five."), tools=[opening_hours]
    ).session()
    reply = session.run_sync("go")
    assert reply.text == "One moment. Five."
    spoken = [part for m in session.conversation for part in m.parts if isinstance(part, SpeechPart)]
    assert [part.text for part in spoken] == ["One moment.", "Five."]
    assert reply.audio is not None
    assert reply.audio.duration == pytest.approx(sum(part.audio.duration for part in spoken if part.audio))


def test_an_agent_asks_before_a_tool_that_needs_approval() -> None:
    @tool(approval=True)
    def erase(what: str) -> str:
        return f"{what} is gone"

    asked: list[object] = []

    def approve(one: Tool, call: ToolCall) -> bool:
        asked.append((one.name, call.arguments["what"]))
        return bool(call.arguments["what"] == "the draft")

    model = scripted(calls(("erase", {"what": "the draft"}), ("erase", {"what": "all"})), "Well.")
    reply = Agent(model, tools=[erase], approve=approve).run_sync("erase it")
    assert [run.status for run in reply.tool_calls] == ["done", "denied"]
    assert asked == [("erase", "the draft"), ("erase", "all")]


def test_the_result_of_a_booking_that_ended_after_a_barge_in_is_read_in_the_next_turn() -> None:
    read: list[ToolOutput] = []

    async def barge_in() -> None:
        booked = asyncio.Event()

        @tool(cancellable=False)
        async def book() -> str:
            await booked.wait()
            return "booked, number 7"

        def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
            read.extend(output for message in conversation for output in message.tool_outputs)
            return [TextDelta("Yes.")]

        session = Agent(scripted(calls(("book", {})), answer, answer), tools=[book]).session()
        async for event in session.stream("book a table"):
            if isinstance(event, events.ToolStarted):
                await asyncio.sleep(0.01)
                break
        await session.interrupt()
        await session.run("and what now")
        booked.set()
        await asyncio.sleep(0.01)
        await session.run("did it work")

    asyncio.run(barge_in())
    before, after = read
    assert "still running" in before.text and before.is_error
    assert after.text == "booked, number 7" and not after.is_error


@pytest.mark.parametrize("blocking", [True, False])
def test_progress_of_a_tool_becomes_events(blocking: bool) -> None:
    def work(context: RunContext) -> str:
        for step in (1, 2):
            context.progress(f"step {step}", step / 2)
        return "done"

    async def work_too(context: RunContext) -> str:
        return work(context)

    agent = Agent(scripted(calls(("work", {})), "Done."), tools=[tool(name="work")(work if blocking else work_too)])

    async def listen() -> list[events.Event]:
        return [event async for event in agent.stream("go") if event.type.startswith("tool.")]

    seen = asyncio.run(listen())
    assert [event.type for event in seen] == ["tool.started", "tool.progress", "tool.progress", "tool.finished"]
    reported = [(event.message, event.share) for event in seen if isinstance(event, events.ToolProgress)]
    assert reported == [("step 1", 0.5), ("step 2", 1.0)]
