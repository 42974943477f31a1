"""The native tool names: mapping in both directions, and a date that does not depend on the machine."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.conversation import Conversation, ToolCall, ToolOutput, ToolSpec
from agentaudio.model.speech_lm import CallDelta
from agentaudio.model.step_audio_2.language.dialect import VOICE_CHANGED, Dialect, step_audio_2
from agentaudio.model.step_audio_2.language.system_prompts import system_prompt
from agentaudio.tools.context import RunContext
from agentaudio.tools.discovery import find_tools

BUILTIN = {
    name: tool.spec(RunContext(Conversation()))
    for name, tool in find_tools(
        ["audio_search", "web_search", "search_documents", "get_date_time", "calculate"]
    ).items()
}
DIALECT = step_audio_2()


def native_names(*names: str) -> dict[str, str]:
    """Native name by our name."""
    specs = [BUILTIN[name] for name in names]
    return dict(zip(names, (spec.name for spec in DIALECT.bind(specs).specs), strict=True))


def test_our_tools_get_native_names_and_the_others_keep_theirs() -> None:
    assert native_names(*BUILTIN) == {
        "audio_search": "timbre_rag",
        "web_search": "search",
        "search_documents": "search_documents",
        "get_date_time": "get_date_time",
        "calculate": "calculate",
    }
    assert native_names("search_documents") == {"search_documents": "search"}
    assert DIALECT.bind([BUILTIN["calculate"]]).specs == [BUILTIN["calculate"]]


def test_native_parameters_are_closed_and_described() -> None:
    for language in ("zh", "en"):
        for spec in step_audio_2(language).bind(list(BUILTIN.values())).specs[:3]:
            assert spec.description
            assert spec.parameters["additionalProperties"] is False
            assert spec.parameters["required"] == ["query"]
    assert DIALECT.bind([BUILTIN["get_date_time"]]).specs[0].parameters["properties"] == {}


def test_a_tool_with_more_required_arguments_than_the_native_one_keeps_its_schema() -> None:
    schema = {"type": "object", "properties": {"query": {}, "year": {}}, "required": ["query", "year"]}
    picky = ToolSpec("web_search", "Search one year.", schema)
    assert DIALECT.bind([picky]).specs == [picky]


def test_a_tool_that_brings_a_native_name_keeps_it() -> None:
    own = ToolSpec("search", "Search my mail.", {"type": "object", "properties": {"text": {}}, "required": ["text"]})
    translation = DIALECT.bind([BUILTIN["web_search"], own])
    assert [spec.name for spec in translation.specs] == ["web_search", "search"]
    assert translation.to_ours(ToolCall("1", "search", {"text": "x"})).name == "search"


@pytest.mark.parametrize(
    ("native", "ours"),
    [
        (ToolCall("1", "timbre_rag", {"query": "温柔的女声"}), ToolCall("1", "audio_search", {"query": "温柔的女声"})),
        (ToolCall("1", "timbre_rag", {"query": "默认女音色"}), ToolCall("1", "audio_search", {"query": "default"})),
        (ToolCall("1", "search", {"query": "茶"}), ToolCall("1", "web_search", {"query": "茶"})),
        (ToolCall("1", "get_date_time", {}), ToolCall("1", "get_date_time", {})),
        (ToolCall("1", "calculate", {"expression": "1+1"}), ToolCall("1", "calculate", {"expression": "1+1"})),
        (ToolCall("1", "unheard_of", {"a": [1]}), ToolCall("1", "unheard_of", {"a": [1]})),
    ],
    ids=lambda call: f"{call.name}",
)
def test_calls_are_translated_both_ways(native: ToolCall, ours: ToolCall) -> None:
    translation = DIALECT.bind(list(BUILTIN.values()))
    assert translation.to_ours(native) == ours
    assert translation.to_native(ours) == native
    assert translation.delta(CallDelta(native, "odd")) == CallDelta(ours, "odd")


@pytest.mark.parametrize("words", ["默认男音色", " 默认女音色 ", "默认音色"])
def test_every_spelling_of_the_default_voice_is_understood(words: str) -> None:
    call = DIALECT.bind([BUILTIN["audio_search"]]).to_ours(ToolCall("1", "timbre_rag", {"query": words}))
    assert call.arguments == {"query": "default"}


@given(st.text(), st.dictionaries(st.sampled_from(["query", "location", "x"]), st.text() | st.integers() | st.none()))
def test_translating_there_and_back_keeps_a_call(name: str, arguments: dict[str, object]) -> None:
    translation = DIALECT.bind(list(BUILTIN.values()))
    for ours in (ToolCall("1", name, arguments), ToolCall("1", "search_documents", arguments)):
        assert translation.to_ours(translation.to_native(ours)).arguments == ours.arguments


def test_history_reads_the_same_when_the_tools_are_gone() -> None:
    past = ToolCall("1", "search_documents", {"query": "x"})
    assert DIALECT.bind([], ["search_documents"]).to_native(past).name == "search"
    both = DIALECT.bind([], ["search_documents", "web_search"])
    assert both.to_native(past).name == "search_documents"


def test_results_have_the_format_of_the_training() -> None:
    translation = DIALECT.bind(list(BUILTIN.values()))
    assert translation.result(ToolOutput("1", "audio_search", "The voice is now Ruby.")) == (VOICE_CHANGED,)
    found, instruction = translation.result(ToolOutput("1", "web_search", "Tea is green."))
    assert found == "Tea is green." and instruction.startswith("\n\n\n") and "口语" in instruction
    assert translation.result(ToolOutput("1", "calculate", "2")) == ("2",)
    failed = ToolOutput("1", "audio_search", "no voice fits", is_error=True)
    assert translation.result(failed) == ("no voice fits",)


def test_without_a_dialect_nothing_changes() -> None:
    translation = Dialect().bind(list(BUILTIN.values()))
    assert translation.specs == list(BUILTIN.values())


def test_system_prompts_end_with_the_date() -> None:
    day = date(2025, 8, 28)
    assert system_prompt("zh", today=day).endswith("\n今天是2025年8月28日，星期四。")
    assert system_prompt("en", today=day).endswith("\nToday is Thursday, August 28, 2025.")
    full = system_prompt("en", instructions=" You sell tea. ", tools=True, think=True, today=day).split("\n")
    assert full[0] == "You sell tea." and len(full) == 4
