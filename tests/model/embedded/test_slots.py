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
STOPWATCH = spec("stopwatch", "Start a timer.", minutes={"type": "integer"}, seconds={"type": "integer"})
HEATING = spec("heat", "Set the heating for a while.", temperature={"type": "number"}, minutes={"type": "integer"})
DICE = spec("roll_dice", "Roll some dice.", count={"type": "integer"}, sides={"type": "integer"})
DIE = spec("roll_die", "Roll some dice.", count={"type": "integer"}, sides={"type": "integer", "enum": [4, 6, 20]})
PAGES = spec("print_pages", "Print some pages.", from_page={"type": "integer"}, to_page={"type": "integer"})
ROOM = spec("book_room", "Book the meeting room.", start_time=TEXT, end_time=TEXT)
TRAIN = spec("find_train", "Find a train between two towns.", origin=TEXT, destination=TEXT)
FAR = spec("distance", "How far one city is from another.", city_a=TEXT, city_b=TEXT)
MEET = spec("convert_time", "Convert a clock time.", time=TEXT, from_timezone=TEXT, to_timezone=TEXT)
WORD = spec("translate", "Translate a word.", text=TEXT, source_language=TEXT, target_language=TEXT)
ASK = spec("ask_wiki", "Look something up.", question=TEXT, search=TEXT)
PLAY = spec("play", "Play a song.", ("play {song}",), song=TEXT, timezone=TEXT, times={"type": "integer"})
EVERY = [STOPWATCH, HEATING, DICE, DIE, PAGES, ROOM, TRAIN, FAR, MEET, WORD, ASK, PLAY]
EVERY += [TIMER, TABLE, CONVERT, LIGHT, MUSEUM, WEATHER, CALL, VOICE, SEARCH, CLOCK, SUMS, BELL]


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


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("roll four dice", DICE, {"count": 4}),
        ("roll a 12-sided die", DICE, {"sides": 12}),
        ("roll five dice with eight sides each", DICE, {"count": 5, "sides": 8}),
        ("roll 6 dice", DIE, {"count": 6}),
        ("roll 2 dice with 20 sides", DIE, {"count": 2, "sides": 20}),
        ("play 99 red balloons", PLAY, {"song": "99 red balloons"}),
        ("play london calling", PLAY, {"song": "london calling"}),
        ("print the pages to 9 from 3", PAGES, {"from_page": 3, "to_page": 9}),
        ("print to page 12 from page 4", PAGES, {"from_page": 4, "to_page": 12}),
        ("sides twelve and count three", DICE, {"count": 3, "sides": 12}),
        ("heat to 19 for 45 minutes", HEATING, {"temperature": 19, "minutes": 45}),
        ("heat to 18 degrees for two hours", HEATING, {"temperature": 18, "minutes": 120}),
        ("five minutes and thirty seconds", STOPWATCH, {"minutes": 5, "seconds": 30}),
        ("an hour and twenty seconds", STOPWATCH, {"minutes": 60, "seconds": 20}),
        ("book it from 8:15 to 9:45", ROOM, {"start_time": "8:15", "end_time": "9:45"}),
        ("book it until noon from ten o'clock", ROOM, {"start_time": "ten o'clock", "end_time": "noon"}),
        ("a train from vienna to graz", TRAIN, {"origin": "vienna", "destination": "graz"}),
        ("a train to graz from vienna", TRAIN, {"origin": "vienna", "destination": "graz"}),
        ("a train to linz please", TRAIN, {"destination": "linz"}),
        ("how far is leeds from york", FAR, {"city_a": "leeds", "city_b": "york"}),
        ("the distance between cairo and lagos", FAR, {"city_a": "cairo", "city_b": "lagos"}),
        (
            "convert 7:05 from Lisbon to Seoul",
            MEET,
            {"time": "7:05", "from_timezone": "Europe/Lisbon", "to_timezone": "Asia/Seoul"},
        ),
        (
            "what time is it in denver when it is 6 pm in cairo",
            MEET,
            {"time": "6 pm", "from_timezone": "Africa/Cairo", "to_timezone": "America/Denver"},
        ),
        (
            "translate bread from dutch into polish",
            WORD,
            {"text": "bread", "source_language": "dutch", "target_language": "polish"},
        ),
        ("translate bread into polish", WORD, {"text": "bread", "target_language": "polish"}),
        ("look up the height of mount kenya", ASK, {"question": "the height of mount kenya"}),
    ],
)
def test_what_is_said_once_is_the_value_of_one_parameter(text: str, tool: ToolSpec, arguments: dict[str, Any]) -> None:
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
