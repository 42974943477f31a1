"""From a typed function to a tool: schema, arguments, results."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from support.sounds import tone

from agentaudio import RunContext, Tool, ToolResult, tool
from agentaudio.conversation import Citation, Conversation, Passage
from agentaudio.errors import OptionError, ToolArgumentError, ToolError, VoiceNotFound
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.tools.arguments import OpenArguments
from agentaudio.tools.builtin.audio_search import audio_search
from agentaudio.tools.builtin.search_documents import search_documents
from agentaudio.tools.result import MAX_TEXT_CHARS
from agentaudio.voice_library.voice import Voice

CONTEXT = RunContext(Conversation())


def call(made: Tool, **arguments: Any) -> ToolResult:
    return asyncio.run(made.call(CONTEXT, arguments))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str
    country: str = "CN"


def test_annotations_and_docstring_become_the_schema() -> None:
    @tool
    def paint(place: Place, colour: Colour, size: Literal["s", "l"] = "s", coats: int | None = None) -> str:
        """Paint a place.

        Args:
            place: what to paint
            coats: how often
        """
        return f"{place.city} {colour.value} {size} {coats}"

    schema = paint.parameters
    assert paint.description == "Paint a place."
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["place", "colour"]
    assert schema["properties"]["place"]["description"] == "what to paint"
    assert schema["properties"]["coats"]["description"] == "how often"
    assert schema["properties"]["size"]["enum"] == ["s", "l"]
    assert "title" not in json.dumps(schema)
    assert call(paint, place={"city": "Xi'an"}, colour="red", coats="2").text == "Xi'an red s 2"


@pytest.mark.parametrize(
    "docstring",
    [
        "Say it.\n\nArgs:\n    word: the word",
        "Say it.\n\nParameters\n----------\nword\n    the word",
        "Say it.\n\nParameters\n----------\nword : str\n    the word",
        "Say it.\n\n:param word: the word",
    ],
)
def test_google_numpy_and_sphinx_docstrings_are_read(docstring: str) -> None:
    def say(word: str) -> str:
        return word

    say.__doc__ = docstring
    made = tool(say)
    assert made.description == "Say it."
    assert made.parameters["properties"]["word"]["description"] == "the word"


def test_a_description_in_annotated_is_kept() -> None:
    @tool
    def ask(word: Annotated[str, Field(description="one word", max_length=3)]) -> str:
        return word

    assert ask.parameters["properties"]["word"] == {"description": "one word", "maxLength": 3, "type": "string"}
    with pytest.raises(ToolArgumentError, match="word: String should have at most 3"):
        call(ask, word="long word")


def test_a_parameter_called_title_stays_in_the_schema() -> None:
    @tool
    def find(title: str) -> str:
        return title

    assert list(find.parameters["properties"]) == ["title"]


def test_a_tool_is_still_the_function_it_was() -> None:
    @tool
    def double(x: int) -> int:
        return 2 * x

    assert double(4) == 8


def test_async_tools_get_the_run_context() -> None:
    @tool(name="who-spoke", timeout_s=3)
    async def who(context: RunContext, n: int = 1) -> str:
        return f"{len(context.conversation)} {n}"

    assert (who.name, who.timeout_s, list(who.parameters["properties"])) == ("who-spoke", 3, ["n"])
    assert call(who).text == "0 1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (None, "Done."),
        (7, "7"),
        ({"a": [1, Colour.RED]}, '{"a": [1, "red"]}'),
        (Place(city="Bath"), '{"city": "Bath", "country": "CN"}'),
        (b"bytes", "bytes"),
        (tone(), "A sound of 1.0 seconds."),
    ],
)
def test_what_a_tool_returns_becomes_text_for_the_model(value: Any, text: str) -> None:
    assert ToolResult.of(value).text == text


def test_values_without_a_json_form_are_refused() -> None:
    circular: list[Any] = []
    circular.append(circular)
    for value in (circular, object()):
        with pytest.raises(ToolError, match="has no JSON form"):
            ToolResult.of(value)
    with pytest.raises(ToolError, match="2 bytes that are not UTF-8 text"):
        ToolResult.of(b"\xff\xfe")
    with pytest.raises(ToolError, match="returned a count; collect its items in a list"):
        ToolResult.of(itertools.count())


def test_passages_and_citations_are_quoted_and_can_be_cited() -> None:
    passage = Passage("Built by the Ming.", "Wall", "wall.md")
    assert ToolResult.of(passage).passages == (passage,)
    both = ToolResult.of([passage, Citation("Tea", "tea.txt", "Green tea is steamed.")])
    assert [p.title for p in both.passages] == ["Wall", "Tea"] and "> Green tea is steamed." in both.text


def test_returns_gives_the_meaning_of_a_plain_value(voices: VoiceSearch) -> None:
    context = RunContext(Conversation(), voices=voices)
    assert ToolResult.of("7", returns="data").text == '"7"'
    assert ToolResult.of([7], returns="text").text == "[7]"
    sound = ToolResult.of(tone().to_bytes("flac"), returns="audio").audio
    assert sound is not None and sound.duration == 1.0
    voice = ToolResult.of("walter", returns="voice", context=context).voice
    assert isinstance(voice, Voice) and voice.id == "walter"
    with pytest.raises(ToolError, match="returned int, not a voice"):
        ToolResult.of(7, returns="voice", context=context)
    with pytest.raises(VoiceNotFound, match="did you mean 'walter'"):
        ToolResult.of("waltr", returns="voice", context=context)


def test_long_results_are_truncated_with_a_note() -> None:
    text = ToolResult("x" * (MAX_TEXT_CHARS + 5)).shortened().text
    assert text.endswith("[shortened: 5 more characters]") and len(text) < MAX_TEXT_CHARS + 50


def test_functions_that_cannot_be_tools_are_refused_at_once() -> None:
    def untyped(x):  # type: ignore[no-untyped-def]
        return x

    with pytest.raises(OptionError, match="'x' has no type"):
        tool(untyped)

    def variadic(*words: str) -> str:
        return ""

    with pytest.raises(OptionError, match="cannot be passed by name"):
        tool(variadic)
    with pytest.raises(OptionError, match="is not a tool name"):
        tool(name="two words")(test_values_without_a_json_form_are_refused)
    with pytest.raises(OptionError, match="timeout_s is 0"):
        tool(timeout_s=0)(test_values_without_a_json_form_are_refused)
    with pytest.raises(OptionError, match="retries is 11"):
        tool(retries=11, idempotent=True)(test_values_without_a_json_form_are_refused)
    with pytest.raises(OptionError, match="has retries; add idempotent=True"):
        tool(retries=1)(test_values_without_a_json_form_are_refused)

    def endless() -> Iterator[str]:
        yield "word"

    async def endless_too() -> AsyncIterator[str]:
        yield "word"

    for yields in (endless, endless_too):
        with pytest.raises(OptionError, match="yields; collect"):
            tool(yields)


def test_a_parameter_may_have_any_valid_name() -> None:
    @tool
    def awkward(
        copy: int, json: str = "x", _hidden: int = 2, model_name: str = "m", schema: int = Field(1, ge=0)
    ) -> str:
        return f"{copy} {json} {_hidden} {model_name} {schema}"

    assert list(awkward.parameters["properties"]) == ["copy", "json", "_hidden", "model_name", "schema"]
    assert awkward.parameters["required"] == ["copy"]
    assert call(awkward, copy=1, _hidden=3).text == "1 x 3 m 1"


def test_numbers_are_accepted_for_string_parameters() -> None:
    @tool
    def zip_code(code: str) -> str:
        return code

    assert call(zip_code, code=94110).text == "94110"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "place: Field required; n: Field required"),
        ({"place": {"city": 1}, "n": "many"}, "n: Input should be a valid integer.*, not 'many'"),
        ({"place": {"cty": "x"}, "n": 1}, "place.city: Field required"),
        ({"place": {"city": "x"}, "m": 1, "n": 1}, r"m: Extra inputs are not permitted \(it takes place, n\)"),
        ({"plce": {"city": "x"}, "n": 1}, r"plce: Extra inputs are not permitted \(did you mean 'place'\?\)"),
        ({"n": "x" * 10_000, "place": {"city": "x"}}, "x…$"),
        (dict.fromkeys(map(str, range(20)), 1), "and 16 more"),
    ],
)
def test_wrong_arguments_are_explained_so_that_a_model_can_correct_them(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolArgumentError, match=words) as refused:
        call(_visit, **arguments)
    assert len(str(refused.value)) < 1_000


def test_deeply_nested_arguments_are_refused() -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]

    @tool
    def take(anything: dict[str, int]) -> str:
        return ""

    with pytest.raises(ToolArgumentError, match="anything: Input should be a valid dictionary"):
        call(take, anything=deep)


def test_a_tool_declares_what_it_needs_from_the_agent() -> None:
    @tool(needs={"documents", "voices"})
    def compare() -> str:
        return ""

    assert compare.needs == {"documents", "voices"} and _visit.needs == frozenset()
    assert search_documents.needs == {"documents"} and audio_search.needs == {"voices"}
    with pytest.raises(OptionError, match="'compare' needs 'voice'; did you mean 'voices'"):
        tool(name="compare", needs={"voice"})(lambda: "")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="needs is the string 'voices'"):
        tool(needs="voices")(lambda: "")  # type: ignore[arg-type]


def test_a_filler_is_part_of_the_description() -> None:
    @tool(filler="Let me look.")
    def look() -> str:
        """Look it up."""
        return ""

    assert look.spec(CONTEXT).description == 'Look it up.\n\nSay this as you call it: "Let me look."'


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["place", "n", "other"]), json_values, max_size=3))
def test_any_arguments_are_accepted_or_refused_with_a_tool_error(arguments: dict[str, Any]) -> None:
    try:
        assert isinstance(call(_visit, **arguments).text, str)
    except ToolArgumentError as error:
        assert "visit cannot take these arguments" in str(error)


@tool(name="visit")
async def _visit(place: Place, n: int) -> str:
    return f"{place} {n}"


@pytest.mark.parametrize("schema", ["typed", "open"])
def test_a_function_that_changes_its_arguments_does_not_change_the_call(schema: str) -> None:
    arguments: dict[str, Any] = {"rows": [{"cells": [1, [2]]}]}
    circular: list[Any] = []
    circular.append(circular)
    arguments["rows"].append(circular)

    def fill(rows: list[Any]) -> str:
        rows[0]["cells"][1].append("changed")
        rows[1].append("changed")
        return f"{len(rows)}"

    made = tool(fill)
    if schema == "open":
        made = replace(made, arguments=OpenArguments({"type": "object", "properties": {"rows": {}}}))
    assert asyncio.run(made.call(CONTEXT, arguments)).text == "2"
    assert arguments["rows"][0] == {"cells": [1, [2]]} and len(circular) == 1


@pytest.mark.parametrize(
    "phrases",
    [
        lambda context: 1 / 0,
        lambda context: sys.exit(3),
        lambda context: [5],
        lambda context: ["fine", b"bytes"],
        lambda context: None,
        lambda context: map(int, ["one"]),
    ],
)
def test_phrases_that_fail_leave_the_tool_without_phrases(phrases: Any, caplog: pytest.LogCaptureFixture) -> None:
    @tool(phrases=phrases)
    def look() -> str:
        return "seen"

    assert look.spec(CONTEXT).phrases == ()
    assert "the phrases of tool look cannot be read" in caplog.text


def test_phrases_may_refuse_on_purpose() -> None:
    def refuse(context: RunContext) -> list[str]:
        raise ToolError("no phrases today")

    with pytest.raises(ToolError, match="no phrases today"):
        tool(name="look", phrases=refuse)(lambda: "seen").spec(CONTEXT)


def test_the_name_of_an_unknown_argument_is_shown_on_one_line() -> None:
    @tool
    def search(query: str) -> str:
        """Search."""
        return query

    with pytest.raises(ToolArgumentError, match=r"arguments: a b\\x1b\[2J\\u202e: Extra"):
        search.arguments.check("search", {"query": "a", "a\nb\x1b[2J\u202e": 1})
