"""Anything that a model does not support is refused with an error, when the agent is made or in the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, GenerateOptions, RunContext, events, tool
from agentaudio.conversation import Conversation, ToolOutput, ToolSpec
from agentaudio.errors import AudioError, OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, ReferenceVoice, TextDelta
from agentaudio.sound.audio import Audio
from agentaudio.tools.result import ToolResult
from agentaudio.voice_library.library import VoiceLibrary


@tool
def hours() -> str:
    return "nine to five"


def test_tools_need_a_model_that_calls_tools() -> None:
    with pytest.raises(OptionError, match="model 'scripted' cannot call tools"):
        Agent(scripted("hi", calls_tools=False), tools=[hours])


@pytest.mark.parametrize(("voices", "why"), [("fixed", "speaks only in its own voice"), ("none", "makes no sound")])
def test_a_voice_needs_a_model_that_speaks_in_any_voice(voices: str, why: str, library: VoiceLibrary) -> None:
    agent = Agent(scripted("hi", voices=voices), voices=library)
    for wrong in (
        lambda: Agent(scripted("hi", voices=voices), voices=library, voice="walter"),
        lambda: agent.session(voice="walter"),
        lambda: agent.run_sync("hi", voice=library.get("walter")),
    ):
        with pytest.raises(OptionError, match=f"model 'scripted' {why}, so voice 'walter' cannot be used"):
            wrong()


@pytest.mark.parametrize(
    ("options", "able", "words"),
    [
        (
            {"temperature": 0.5},
            {"options": frozenset({"seed", "stop"})},
            "not take temperature; it takes: speak, s",
        ),
        ({"stop": (".",), "seed": 1}, {"options": frozenset[str]()}, "does not take seed, stop; it takes: speak$"),
        ({"language": "fr"}, {"languages": ("en", "zh")}, "does not speak 'fr'; it speaks: en, zh"),
        ({"language": "en"}, {"options": frozenset[str]()}, "does not take language"),
    ],
)
def test_unsupported_options_are_refused(options: dict[str, Any], able: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Agent(scripted("hi", **able), options=GenerateOptions(**options))
    with pytest.raises(OptionError, match=words):
        Agent(scripted("hi", **able)).run_sync("hi", options=GenerateOptions(**options))


@pytest.mark.parametrize(
    ("language", "known", "supported"),
    [
        ("en-GB", ("en",), True),
        ("pt-BR", ("zh", "pt-BR"), True),
        ("ZH-hant-tw", ("zh-Hant",), True),
        ("pt", ("pt-BR",), False),
        ("pt-PT", ("pt-BR",), False),
        ("eng", ("en",), False),
    ],
)
def test_a_language_is_supported_by_its_own_tag_or_a_more_general_one(
    language: str, known: tuple[str, ...], supported: bool
) -> None:
    model, options = scripted("hi", languages=known), GenerateOptions(language=language)
    if supported:
        assert Agent(model, options=options).run_sync("hi").text == "hi"
    else:
        with pytest.raises(OptionError, match=f"does not speak '{language}'"):
            Agent(model, options=options)


def test_supported_options_reach_the_model() -> None:
    options = GenerateOptions(language="en-GB", seed=0, speak=False)
    assert Agent(scripted("hi", languages=("en",)), options=options).run_sync("hi").audio is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1}, {"temperature": float("nan")}, {"temperature": "hot"}, {"top_p": 5}, {"max_tokens": 0},
        {"max_tokens": "9"}, {"repetition_penalty": 0}, {"seed": True}, {"stop": "abc"},
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(OptionError, match=f"{name} is "):
        GenerateOptions(**wrong)
    assert GenerateOptions(temperature=0, top_p=1.0, max_tokens=1, seed=0, stop=("a",)).stop == ("a",)


@pytest.mark.parametrize("options", [{"temperature": 0.5}, "speak", GenerateOptions])
def test_options_of_another_kind_are_refused_in_words(options: Any) -> None:
    with pytest.raises(OptionError, match=r"options are .*; give GenerateOptions\(\.\.\.\)"):
        Agent(scripted("hi"), options=options)
    with pytest.raises(OptionError, match=r"options are .*; give GenerateOptions\(\.\.\.\)"):
        Agent(scripted("hi")).run_sync("hi", options=options)


def test_a_model_that_does_not_hear_takes_text_only() -> None:
    session = Agent(scripted("hi", hears=False)).session()
    with pytest.raises(OptionError, match="model 'scripted' cannot hear; give it text"):
        session.run_sync(tone())
    assert len(session.conversation) == 0
    assert session.run_sync("hello").text == "hi"


def test_sound_that_is_longer_than_the_model_takes_is_refused(tmp_path: Path) -> None:
    agent = Agent(scripted("hi", max_audio_s=1.0))
    assert agent.run_sync(tone(duration_s=1.0)).text == "hi"
    with pytest.raises(AudioError, match="the input lasts 3 s, and model 'scripted' takes at most 1 s"):
        agent.run_sync(tone(duration_s=3.0))
    tone(duration_s=3.0).save(path := tmp_path / "long.wav")
    with pytest.raises(AudioError, match=r"long.wav .*limit is 1 s \(max_audio_s of model 'scripted'\)"):
        agent.run_sync(path)


def test_a_silent_file_is_named(tmp_path: Path) -> None:
    Audio.silence(1.0, 16_000).save(path := tmp_path / "silent.wav")
    with pytest.raises(AudioError, match=r"silent.wav is silent \(peak 0e\+00\)"):
        Agent(scripted("hi")).run_sync(path)


def test_a_tool_needs_the_documents_or_voices_that_it_reads() -> None:
    with pytest.raises(OptionError, match="tool 'search_documents' needs documents; .*documents=\"demo\""):
        Agent(scripted("hi"), tools=["search_documents"], voices="demo")
    with pytest.raises(OptionError, match="tool 'audio_search' needs voices"):
        Agent(scripted("hi"), tools=["audio_search"], documents="demo")
    assert Agent(scripted("hi"), tools=["audio_search", "search_documents"], documents="demo", voices="demo").tools


def test_an_agent_has_no_documents_or_voices_by_default() -> None:
    seen: list[RunContext] = []

    @tool
    def look(context: RunContext) -> str:
        seen.append(context)
        return ""

    Agent(scripted(calls(("look", {})), "ok"), tools=[look]).run_sync("go")
    Agent(scripted(calls(("look", {})), "ok"), tools=[look], documents="demo", voices="demo").run_sync("go")
    assert [(context.documents is None, context.voices is None) for context in seen] == [(True, True), (False, False)]


async def test_a_fixed_voice_does_not_change(library: VoiceLibrary) -> None:
    read: list[ToolOutput] = []

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        read.extend(conversation.last_outputs)
        assert voice is None
        return [TextDelta("No.")]

    model = scripted(calls(("audio_search", {"query": "a robot"})), answer, voices="fixed")
    session = Agent(model, tools=["audio_search"], voices=library).session()
    seen = [event async for event in session.stream("be a robot")]
    assert session.voice is None and not any(isinstance(event, events.VoiceChanged) for event in seen)
    (finished,) = (event.run for event in seen if isinstance(event, events.ToolFinished))
    assert (finished.status, read[0].is_error) == ("failed", True) and "cannot change its voice" in read[0].text


def test_a_denied_call_is_an_error_to_the_model() -> None:
    read: list[ToolOutput] = []

    @tool(approval=True)
    def erase() -> str:
        return "gone"

    def answer(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        read.extend(conversation.last_outputs)
        return [TextDelta("No.")]

    Agent(scripted(calls(("erase", {})), answer), tools=[erase]).run_sync("go")
    assert [(output.is_error, "needs an approval" in output.text) for output in read] == [(True, True)]


def test_tools_get_a_copy_of_the_conversation() -> None:
    @tool
    def meddle(context: RunContext) -> str:
        context.conversation.messages.clear()
        return "ok"

    session = Agent(scripted(calls(("meddle", {})), "Done."), tools=[meddle]).session()
    session.run_sync("go")
    assert [message.role for message in session.conversation] == ["user", "assistant", "tool", "assistant"]


def test_models_get_a_copy_of_the_conversation() -> None:
    def meddle(conversation: Conversation, specs: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        conversation.messages.clear()
        return [TextDelta("Hi.")]

    session = Agent(scripted(meddle)).session()
    session.run_sync("go")
    assert [message.text for message in session.conversation] == ["go", "Hi."]


def test_closing_an_agent_releases_its_tools_and_its_model() -> None:
    closed: list[str] = []

    class Closing(type(scripted("x"))):  # type: ignore[misc]
        async def aclose(self) -> None:
            closed.append("model")

    async def release() -> None:
        closed.append("tool")

    holding = replace(tool(name="hold")(lambda: "x"), release=release)

    async def use() -> None:
        async with Agent(Closing(["hi"]), tools=[holding, hours]) as agent:
            await agent.run("hi")

    asyncio.run(use())
    assert closed == ["tool", "model"]
    with Agent(Closing(["hi"]), tools=[holding, hours]) as agent:
        agent.run_sync("hi")
    assert closed == ["tool", "model"] * 2


def test_a_tool_that_cannot_be_released_does_not_keep_the_rest_open() -> None:
    closed: list[str] = []

    class Closing(type(scripted("x"))):  # type: ignore[misc]
        async def aclose(self) -> None:
            closed.append("model")

    async def fail() -> None:
        raise OSError("the line is dead")

    async def release() -> None:
        closed.append("tool")

    broken = replace(tool(name="a")(lambda: "x"), release=fail)
    working = replace(tool(name="b")(lambda: "x"), release=release)
    agent = Agent(Closing(["hi"]), tools=[broken, working])
    with pytest.raises(OSError, match="the line is dead"):
        asyncio.run(agent.aclose())
    assert closed == ["tool", "model"]


def test_the_voice_of_a_denied_call_is_not_used(library: VoiceLibrary) -> None:
    @tool(approval=True)
    def become() -> ToolResult:
        return ToolResult("Now Walter.", voice=library.get("walter"))

    agent = Agent(scripted(calls(("become", {})), "Yes."), tools=[become], voices=library)
    assert agent.run_sync("go").voice is None
    allowed = Agent(scripted(calls(("become", {})), "Yes."), tools=[become], approve=lambda *_: True)
    assert allowed.run_sync("go").voice == library.get("walter")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": None}, "None is not a speech model"),
        ({"model": Scripted}, "Scripted'> is not a speech model"),
        ({"voice": 5}, "a voice is an id, a name or a Voice, not int"),
        ({"tools": "calculate"}, "give a list, such as tools=.'calculate'."),
    ],
)
def test_arguments_of_another_type_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Agent(**({"model": scripted("hi")} | arguments))
