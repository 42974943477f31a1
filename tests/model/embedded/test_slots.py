from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.expectations import expected_sentences
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.text.template import read_phrase


def spec(name: str, description: str, phrases: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ToolSpec(name, description, schema, tuple(map(read_phrase, phrases)))


UNIT = {"type": "string", "enum": ["miles", "kilometers", "feet", "meters"]}
TIMER = spec("set_timer", "Start a timer.", ("set a timer for ten minutes",), minutes={"type": "integer"})
TABLE = spec("book_table", "Book a table tonight.", people={"type": "integer"}, hour={"type": "string"})
CONVERT = spec("convert_length", "Convert a length.", value={"type": "number"}, unit=UNIT, to=UNIT)
LIGHT = spec(
    "switch_light",
    "Switch the light or the lamp in a room on or off.",
    room={"type": "string"},
    state={"type": "string", "enum": ["on", "off"]},
)
MUSEUM = spec("opening_hours", "When a museum is open today.", museum={"type": "string"})
WEATHER = spec("get_weather", "Tell the weather in a city: rain, sun, snow.", city={"type": "string"})
TEXT = {"type": "string"}
CALL = spec("call", "Call somebody.", ("call {contact} on line {line}",), contact=TEXT, line=TEXT)
VOICE = spec("audio_search", "Change the voice you speak in.", query={"type": "string"})
SEARCH = spec("search_documents", "Search the documents for facts.", query={"type": "string"})
CLOCK = spec("get_date_time", "Tell the date and time.", timezone={"anyOf": [{"type": "string"}, {"type": "null"}]})
SUMS = spec("calculate", "Work out arithmetic.", expression={"type": "string"})
BELL = spec("bell", "Ring the bell.", loud={"type": "boolean"})
EVERY = [TIMER, TABLE, CONVERT, LIGHT, MUSEUM, WEATHER, CALL, VOICE, SEARCH, CLOCK, SUMS, BELL]


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("set a timer for twenty five minutes", TIMER, {"minutes": 25}),
        ("start a timer for half an hour please", TIMER, {"minutes": 30}),
        ("wake me in an hour and a half", TIMER, {"minutes": 90}),
        ("a timer of two hours", TIMER, {"minutes": 120}),
        ("book a table for two at seven", TABLE, {"people": 2, "hour": "seven"}),
        ("a table for four at half past eight please", TABLE, {"people": 4, "hour": "half past eight"}),
        ("reserve for six people at eight o'clock", TABLE, {"people": 6, "hour": "eight o'clock"}),
        ("convert ten miles to kilometers", CONVERT, {"value": 10, "unit": "miles", "to": "kilometers"}),
        ("how many feet are five meters", CONVERT, {"value": 5, "unit": "meters", "to": "feet"}),
        ("two and a half miles in meters", CONVERT, {"value": 2.5, "unit": "miles", "to": "meters"}),
        ("turn on the light in the kitchen", LIGHT, {"room": "kitchen", "state": "on"}),
        ("lights off in the living room", LIGHT, {"room": "living room", "state": "off"}),
        ("when is the national museum open today", MUSEUM, {"museum": "national museum"}),
        ("is the museum of modern art open", MUSEUM, {"museum": "museum of modern art"}),
        ("is the sun shining in sydney", WEATHER, {"city": "sydney"}),
        ("please call aunt mary on line two", CALL, {"contact": "aunt mary", "line": "two"}),
        ("please answer in the voice of a calm old man", VOICE, {"query": "a calm old man"}),
        ("go back to your own voice", VOICE, {"query": "default"}),
        ("please tell me about the great wall", SEARCH, {"query": "the great wall"}),
        ("what time is it in new york", CLOCK, {"timezone": "America/New_York"}),
        ("what time is it", CLOCK, {}),
        ("what is seventeen times twenty three", SUMS, {"expression": "17*23"}),
        ("ring it loud", BELL, {"loud": True}),
        ("ring it not loud", BELL, {"loud": False}),
    ],
)
def test_requests_fill_in_the_schema(text: str, tool: ToolSpec, arguments: dict[str, Any]) -> None:
    assert fill(text, tool).arguments == arguments


def test_values_that_were_not_said_are_missing() -> None:
    assert fill("convert ten miles", CONVERT).missing == ("to",)
    assert fill("set a timer", TIMER).missing == ("minutes",)


def test_a_slot_phrase_that_fits_is_exact() -> None:
    assert fill("call peter on line two", CALL).exact
    assert not fill("peter", CALL).exact


@settings(deadline=None)
@given(st.text(), st.sampled_from(EVERY))
def test_any_text_gives_slots(text: str, tool: ToolSpec) -> None:
    slots = fill(text, tool)
    assert set(slots.arguments) <= set(tool.parameters["properties"])


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": 3}, {"properties": {"a": True}}])
def test_unusual_schemas_do_not_fail(schema: dict[str, Any]) -> None:
    fill("say anything at all", ToolSpec("odd", "Odd.", schema))


def test_expected_sentences_are_plain_words_and_the_same_every_time() -> None:
    sentences = expected_sentences(EVERY)
    assert sentences == expected_sentences(EVERY)
    assert len(sentences) == len(set(sentences)) <= 4000
    assert all(word.replace("'", "").isalpha() for sentence in sentences for word in sentence.split())
    assert "set a timer for twenty minutes" in sentences
    assert "hello" in sentences
