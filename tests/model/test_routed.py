"""Calls for a voice or a search are made for models that do not make them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.models import calls
from support.parts import Ears
from support.sounds import tone

from agentaudio import Agent, load_model, tool
from agentaudio.conversation import AudioPart, Conversation, TextPart, ToolCall, ToolOutput, ToolSpec
from agentaudio.errors import BackendError, ModelNotFound, OptionError
from agentaudio.model.asked.read import MAX_CHARS, read_wishes
from agentaudio.model.asked.wish import Search, Wishes
from agentaudio.model.results_as_text import results_as_text
from agentaudio.model.routed import Routed
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Delta, End, GenerateOptions, Heard, TextDelta

UTTERANCES = Path(__file__).parents[2] / "benchmarks" / "routed_calls"
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = [ToolSpec(name, name, QUERY) for name in ("audio_search", "search_documents", "web_search")]
OLD_MAN = "Please speak in the voice of an old man."
DOCUMENTS = "Search my documents for honey bees."


class Model(Scripted):
    """A scripted model that keeps what it was given, and whether its generations were closed."""

    def __init__(self, *steps: Any, **able: Any) -> None:
        super().__init__(steps, loop=True)
        self.capabilities = replace(Scripted.capabilities, **{"calls_tools": False, **able})
        self.conversations: list[Conversation] = []
        self.tools: list[Sequence[ToolSpec]] = []
        self.open = 0
        self.closed = False

    async def generate(self, conversation: Conversation, **settings: Any) -> AsyncGenerator[Delta, None]:
        self.conversations.append(conversation)
        self.tools.append(settings.get("tools", ()))
        self.open += 1
        try:
            async for delta in super().generate(conversation, **settings):
                yield delta
        finally:
            self.open -= 1

    async def aclose(self) -> None:
        self.closed = True


def said(*parts: TextPart | AudioPart | str) -> Conversation:
    conversation = Conversation()
    conversation.add("user", *parts)
    return conversation


async def deltas_of(model: Routed, conversation: Conversation, tools: Sequence[ToolSpec] = TOOLS) -> list[Delta]:
    return [delta async for delta in model.generate(conversation, tools=tools, options=GenerateOptions(speak=False))]


def made(deltas: Sequence[Delta]) -> list[tuple[str, dict[str, Any]]]:
    return [(delta.call.name, dict(delta.call.arguments)) for delta in deltas if isinstance(delta, CallDelta)]


@tool
def search_documents(query: str) -> str:
    """Search the documents."""
    return f"The passage about {query}: bees dance."


@tool
def web_search(query: str) -> str:
    """Search the web."""
    return f"The page about {query}."


async def test_a_written_request_is_called_before_the_model_is_asked() -> None:
    model = Model("never said")
    deltas = await deltas_of(Routed(model), said(OLD_MAN))
    assert made(deltas) == [("audio_search", {"query": "old man"})]
    assert deltas[-1] == End("tool_calls") and model.conversations == []


async def test_a_transcribed_request_is_called_before_the_model_is_asked() -> None:
    model = Model("never said")
    deltas = await deltas_of(Routed(model), said(AudioPart(tone(), DOCUMENTS)))
    assert made(deltas) == [("search_documents", {"query": "honey bees"})] and model.conversations == []


async def test_a_request_that_the_model_hears_ends_its_generation() -> None:
    model = Model([Heard("search my", final=False), Heard(OLD_MAN, 0.8), TextDelta("I cannot do that.")])
    deltas = await deltas_of(Routed(model), said(AudioPart(tone())))
    assert [type(delta) for delta in deltas] == [Heard, Heard, CallDelta, End]
    assert made(deltas) == [("audio_search", {"query": "old man"})] and model.open == 0


async def test_words_beside_a_sound_count_as_well() -> None:
    model = Model([Heard("an old man"), TextDelta("Well.")])
    deltas = await deltas_of(Routed(model), said("Speak in the voice of", AudioPart(tone())))
    assert made(deltas) == [("audio_search", {"query": "old man"})]


async def test_a_recogniser_hears_before_a_model_that_does_not_say_what_it_heard() -> None:
    ears, model = Ears(DOCUMENTS), Model("never said")
    routed = Routed(model, recogniser=ears)
    deltas = await deltas_of(routed, said(AudioPart(tone())))
    assert deltas[0] == Heard(DOCUMENTS, 0.9) and made(deltas) == [("search_documents", {"query": "honey bees"})]
    assert model.conversations == [] and len(ears.sounds) == 1


async def test_words_are_reported_once_when_the_recogniser_and_the_model_hear() -> None:
    model = Model([Heard("something else"), TextDelta("Hello.")])
    deltas = await deltas_of(Routed(model, recogniser=Ears("Hello there.")), said(AudioPart(tone())))
    assert [delta.text for delta in deltas if isinstance(delta, Heard)] == ["Hello there."]
    (given,) = model.conversations[0].messages[0].parts
    assert isinstance(given, AudioPart) and given.transcript == "Hello there."


async def test_a_model_without_ears_gets_the_transcript_as_text() -> None:
    model = Model("Hello.", hears=False)
    routed = Routed(model, recogniser=Ears("Good morning."))
    assert routed.capabilities.hears
    reply = await Agent(routed).run(tone())
    assert reply.text == "Hello." and reply.heard == "Good morning."
    assert model.conversations[0].messages[0].parts == (TextPart("Good morning."),)


async def test_a_model_without_calls_answers_from_results_as_text() -> None:
    model = Model("Bees dance.")
    reply = await Agent(Routed(model), tools=[search_documents]).run(DOCUMENTS)
    assert reply.text == "Bees dance." and [run.call.name for run in reply.tool_calls] == ["search_documents"]
    (given,) = model.conversations
    assert model.tools == [()] and [message.role for message in given] == ["user"]
    assert DOCUMENTS in given.messages[0].text and "about honey bees: bees dance." in given.messages[0].text
    assert not given.messages[0].tool_outputs


async def test_results_of_earlier_turns_stay_text_for_a_model_without_calls() -> None:
    model = Model("Bees dance.")
    session = Agent(Routed(model), tools=[search_documents]).session()
    await session.run(DOCUMENTS)
    await session.run("Thank you.")
    assert [message.role for message in model.conversations[-1]] == ["user", "assistant", "user"]
    assert model.conversations[-1].messages[-1].text == "Thank you."
    assert "bees dance" in model.conversations[-1].messages[0].text
    assert "Answer the user's request" not in model.conversations[-1].messages[0].text


def test_words_before_a_call_keep_their_place_before_its_result() -> None:
    conversation = said("look it up")
    conversation.add("assistant", "One moment.", ToolCall("1", "web_search", {"query": "it"}))
    conversation.add("tool", ToolOutput("1", "web_search", "no network", is_error=True))
    roles = [message.role for message in results_as_text(conversation)]
    assert roles == ["user", "assistant", "user"]
    assert "Error of the tool web_search:\nno network" in results_as_text(conversation).messages[-1].text
    assert conversation.messages[-1].role == "tool"


async def test_the_voice_changes_and_the_search_is_answered_in_one_turn() -> None:
    model = Model("Bees dance.")
    agent = Agent(Routed(model), tools=["audio_search", search_documents], voices="demo")
    reply = await agent.run("Search my documents for honey bees and tell me in the voice of an old man.")
    assert [run.call.name for run in reply.tool_calls] == ["audio_search", "search_documents"]
    assert reply.voice is not None and reply.voice.id != "default" and reply.text == "Bees dance."


async def test_each_kind_is_called_once_in_a_turn() -> None:
    model = Model("Done.")
    agent = Agent(Routed(model), tools=[search_documents, web_search])
    reply = await agent.run("Search my documents for bees. Search the web for bees. Look up bees.")
    assert [run.call.name for run in reply.tool_calls] == ["search_documents"] and len(model.conversations) == 1


async def test_the_next_turn_may_call_again() -> None:
    session = Agent(Routed(Model("Done.")), tools=[search_documents]).session()
    for _ in range(2):
        assert len((await session.run(DOCUMENTS)).tool_calls) == 1


@pytest.mark.parametrize(
    ("words", "offered", "called"),
    [
        ("Search the web for trains.", ("search_documents", "web_search"), ["web_search"]),
        ("Search for trains.", ("search_documents", "web_search"), ["search_documents"]),
        ("Search for trains.", ("web_search",), ["web_search"]),
        ("Search the web for trains.", ("search_documents",), []),
        ("Search my documents for trains.", ("web_search",), []),
        (OLD_MAN, ("search_documents",), []),
        (OLD_MAN, (), []),
    ],
)
async def test_only_the_offered_tool_for_the_place_is_called(
    words: str, offered: tuple[str, ...], called: list[str]
) -> None:
    model = Model("Well.")
    deltas = await deltas_of(Routed(model), said(words), [spec for spec in TOOLS if spec.name in offered])
    assert [name for name, _ in made(deltas)] == called and bool(model.conversations) == (not called)


async def test_the_argument_is_that_of_the_tool() -> None:
    other = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}
    wide = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a", "b"]}
    for parameters, expected in ((other, [("web_search", {"topic": "trains"})]), (wide, [])):
        deltas = await deltas_of(
            Routed(Model("Well.")), said("Search the web for trains."), [ToolSpec("web_search", "", parameters)]
        )
        assert made(deltas) == expected


async def test_a_voice_of_the_library_is_called_by_its_name() -> None:
    named = replace(TOOLS[0], phrases=("answer in the voice of Angus", "speak like a calm man"))
    assert made(await deltas_of(Routed(Model("Well.")), said("use angus from now on"), [named])) == [
        ("audio_search", {"query": "angus"})
    ]
    assert made(await deltas_of(Routed(Model("Well.")), said("use celsius from now on"), [named])) == []


async def test_a_model_that_calls_is_left_as_it_is() -> None:
    model = Model(calls(("web_search", {"query": "its own"})), "Done.", calls_tools=True)
    routed = Routed(model, recogniser=Ears(OLD_MAN))
    assert routed.capabilities == model.capabilities
    conversation = said(OLD_MAN)
    assert made(await deltas_of(routed, conversation)) == [("web_search", {"query": "its own"})]
    assert model.conversations == [conversation] and model.tools == [TOOLS]


async def test_calls_are_also_made_for_a_model_that_calls_when_that_is_asked_for() -> None:
    model = Model(lambda *given: [TextDelta("From the results.")], calls_tools=True)
    reply = await Agent(Routed(model, always=True), tools=[search_documents]).run(DOCUMENTS)
    assert len(reply.tool_calls) == 1 and reply.text == "From the results."
    assert model.conversations[0].last_outputs and model.tools[0][0].name == "search_documents"


async def test_a_call_of_the_model_passes_and_no_other_is_made() -> None:
    own = CallDelta(ToolCall("own", "search_documents", {"query": "as it likes"}))
    model = Model([own, Heard(DOCUMENTS), End("tool_calls")], calls_tools=True)
    deltas = await deltas_of(Routed(model, always=True), said(AudioPart(tone())))
    assert deltas == [own, Heard(DOCUMENTS), End("tool_calls")]


async def test_no_call_is_made_in_the_step_without_tools() -> None:
    model = Model("As well as I can.")
    reply = await Agent(Routed(model), tools=[search_documents], max_steps=1).run(DOCUMENTS)
    assert reply.text == "As well as I can." and reply.tool_calls == ()


async def test_tools_that_nobody_calls_are_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    routed, tools = Routed(Model("Well.")), [*TOOLS, ToolSpec("ring", "", {})]
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            await deltas_of(routed, said("hello"), tools)
    assert [record.message for record in caplog.records] == [
        "model 'scripted' calls no tools, so these are never called: ring"
    ]


async def test_closing_ends_the_model_and_the_recogniser_although_one_fails() -> None:
    class Stuck(Model):
        async def aclose(self) -> None:
            raise BackendError("the model does not close")

    ears = Ears()
    with pytest.raises(BackendError, match="does not close"):
        await Routed(Stuck("x"), recogniser=ears).aclose()
    assert ears.closed


def test_it_is_loaded_by_name_with_the_options_of_the_model(tmp_path: Path) -> None:
    script = tmp_path / "replies.json"
    script.write_text(json.dumps(["Loaded."]))
    routed = load_model(f"routed:scripted:{script}", loop=False, always="yes")
    assert isinstance(routed, Routed) and routed.name == "scripted"
    assert Agent(routed).run_sync("hello").text == "Loaded."
    assert (
        Agent(load_model("routed:scripted", always=True), tools=["audio_search"], voices="demo")
        .run_sync(OLD_MAN)
        .tool_calls
    )
    with pytest.raises(OptionError, match="routed:NAME"):
        load_model("routed")
    with pytest.raises(ModelNotFound, match="no speech model 'scriptd'"):
        load_model("routed:scriptd")
    with pytest.raises(OptionError, match="there is no option 'lop'"):
        load_model("routed:scripted", lop=True)


def utterances() -> list[dict[str, Any]]:
    sets = (UTTERANCES / f"{name}.jsonl" for name in ("dev", "test", "late", "final", "last"))
    return [json.loads(line) for path in sets for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_utterances_are_requests_and_as_many_look_alikes_in_both_languages() -> None:
    held = utterances()
    assert len({one["text"] for one in held}) == len(held) > 400
    for language in ("en", "zh"):
        ours = [one for one in held if one["language"] == language]
        assert 0.4 < sum(not one["calls"] for one in ours) / len(ours) < 0.65


def test_look_alikes_ask_for_nothing_and_requests_are_rarely_missed() -> None:
    missed = []
    for one in utterances():
        wishes = read_wishes(one["text"], ("Gina", "Angus"))
        wanted = {call["tool"] for call in one["calls"]}
        voice, search = "audio_search" in wanted, bool(wanted - {"audio_search"})
        assert not (wishes.voice and not voice) and not (wishes.search and not search), one["text"]
        missed += [one["text"]] * (bool(wishes.voice) != voice or bool(wishes.search) != search)
    assert len(missed) <= 3, missed


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("SEARCH THE WEB FOR TRAINS", Wishes(search=Search("trains", "web"))),
        ("I’d like you to talk like a pirate", Wishes("pirate")),
        ("請用老太太的聲音說話", Wishes("老太太的聲音")),
        ("Speak like Ada Lovelace.", Wishes("ada lovelace")),
        ("could Claire tell me that", Wishes("claire")),
        ("i want to become a doctor", Wishes()),
        ("speak like crazy", Wishes()),
        ("", Wishes()),
        ("?!。", Wishes()),
        (f"{OLD_MAN} {'And so on. ' * MAX_CHARS}", Wishes()),
    ],
)
def test_wishes_are_read_in_any_writing(text: str, wishes: Wishes) -> None:
    assert read_wishes(text, ("Claire",)) == wishes
