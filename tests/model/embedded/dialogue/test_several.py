"""Requests of several sentences, of which some ask and the others only tell."""

from __future__ import annotations

from typing import Any

import pytest
from support.dialogues import tool, turn

from agentaudio.model.embedded.dialogue.parts import is_statement, request_parts, topic_said
from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.several import RequestReader
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.possible import may_serve
from agentaudio.model.embedded.routing.router import Router
from agentaudio.text.sentence_embedder import SentenceEmbedder

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")


TEXT = {"type": "string"}
UNIT = {"enum": ["miles", "kilometers", "feet", "meters"]}
VOICES = tuple(f"answer in the voice of {name}" for name in ("Albert", "Grace", "Marcus", "Emma"))
TOOLS = [
    tool("play_music", "Play music, songs or an album by an artist.", artist=TEXT),
    tool("search_documents", "Search the documents for facts to answer a question with.", query=TEXT),
    tool("audio_search", "Change the voice you speak in.", query=TEXT, phrases=VOICES),
    tool("get_date_time", "Tell the current date, weekday and time.", "timezone", timezone=TEXT),
    tool("calculate", "Work out an arithmetic expression exactly.", expression=TEXT),
    tool("opening_hours", "Tell when a museum is open today.", museum=TEXT),
    tool("get_weather", "Tell the weather in a city.", city={"type": "string", "description": "name of the city"}),
    tool("convert_length", "Convert a length from one unit to another.", value={"type": "number"}, unit=UNIT, to=UNIT),
    tool("set_timer", "Start a timer.", minutes={"type": "integer"}, phrases=("set a timer for ten minutes",)),
    tool("book_table", "Book a table in the restaurant.", people={"type": "integer"}, hour=TEXT),
    tool("lamp", "Switch the lamp in a room on or off.", room=TEXT, state={"enum": ["on", "off"]}),
]


WEATHER = turn("what is the weather in paris", "get_weather", "Sunny.", city="paris")
SUM = turn("what is 6 times 7", "calculate", "6*7 = 42", expression="6*7")
TIMER = turn("set a timer for five minutes", "set_timer", "Set.", minutes=5)
TABLE = turn("book a table for two people at seven", "book_table", "Booked.", people=2, hour="seven")
HOURS = turn("when does the science museum open", "opening_hours", "At ten.", museum="science museum")
READ = RequestReader(Router(SentenceEmbedder()))


def called(request: str, *past: PastTurn) -> tuple[str | None, dict[str, Any]] | str | None:
    """The call that a request makes, or what is missing for it, or the act of a reply."""
    reading = READ(plain(request), past, TOOLS)
    if not reading.routes or reading.routes[0].tool is None:
        return reading.act
    route = reading.routes[0]
    return (route.tool, route.arguments)


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        ("I crossed the bridge once. How long is it?", ["I crossed the bridge once.", "How long is it?"]),
        ("The piano, who came up with that?", ["The piano", "who came up with that?"]),
        ("Oh, don't bother, the phone's ringing.", ["don't bother", "the phone's ringing."]),
        ("Good. By the way, is it raining in Bath?", ["Good.", "is it raining in Bath?"]),
        ("for four, at seven", ["for four, at seven"]),
        ("Nice to meet you.", ["Nice to meet you."]),
    ],
)
def test_a_request_falls_into_what_is_told_and_what_is_asked(request_: str, parts: list[str]) -> None:
    assert request_parts(request_) == parts


@pytest.mark.parametrize(
    "told", ["the phone's ringing", "my wife did it", "I've been up since five", "a bus went past"]
)
def test_a_statement_is_told(told: str) -> None:
    assert is_statement(told)


@pytest.mark.parametrize("asked", ["what is that", "play some jazz", "I want the blue one", "we are four", "in London"])
def test_a_wish_is_no_statement(asked: str) -> None:
    assert not is_statement(asked)


@pytest.mark.parametrize(
    ("told", "topic"),
    [
        ("I crossed the Golden Gate Bridge once, years ago.", "golden gate bridge"),
        ("I've always loved elephants.", "elephants"),
        ("My class is doing a project on octopuses.", "octopuses"),
    ],
)
def test_the_topic_of_a_statement_is_found(told: str, topic: str) -> None:
    assert topic_said(told) == topic


@pytest.mark.parametrize(
    ("request_", "past", "call"),
    [
        ("Could you play some Queen, please? I feel like dancing.", (), ("play_music", {"artist": "queen"})),
        ("Could you play some music? It's so quiet in here.", (), ("play_music", {})),
        ("We're off to Lisbon on Friday. Will it be warm?", (), ("get_weather", {"city": "lisbon"})),
        ("And my brother, he's going to Oslo, what about there?", (WEATHER,), ("get_weather", {"city": "oslo"})),
        ("Anyway, how warm is it in Brighton?", (), ("get_weather", {"city": "brighton"})),
        ("And what time have they got in Chicago?", (WEATHER,), ("get_date_time", {"timezone": "America/Chicago"})),
        ("The babysitter is late. Can we do eight?", (TABLE,), ("book_table", {"people": 2, "hour": "eight"})),
        ("Oh, they're huge. Make it ten.", (TIMER,), ("set_timer", {"minutes": 10})),
    ],
)  # fmt: skip
def test_what_is_told_beside_a_request_does_not_change_it(
    request_: str, past: tuple[PastTurn, ...], call: tuple[str, dict[str, Any]]
) -> None:
    assert called(request_, *past) == call


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ("I crossed the Golden Gate Bridge once, years ago. How long is it, actually?", "golden gate bridge"),
        ("The piano, who came up with that?", "piano"),
        ("I've always loved elephants. How long do they live?", "elephants"),
    ],
)
def test_a_pronoun_stands_for_what_was_just_told(request_: str, words: str) -> None:
    found = called(request_)
    assert isinstance(found, tuple) and found[0] == "search_documents" and words in found[1]["query"]


def test_dropping_a_question_with_a_reason_answers_no_question() -> None:
    asked = PastTurn("switch on the lamp", [], [], "I need to know which room.")
    assert called("Oh, don't bother, my wife's done it.", asked) == "cancel"


@pytest.mark.parametrize(
    ("request_", "past", "expression"),
    [
        ("Four tickets at 23 euros each, how much would that be?", (), "4*23"),
        ("We were seven at dinner and the bill was 154. What's that each?", (), "154/7"),
        ("I've got 96 photos and 8 per page, how many pages?", (), "96/8"),
        ("And then there's the parking, which is 15, so with that on top?", (SUM,), "42+15"),
        ("If I pay with 50, what do I get back?", (SUM,), "50-42"),
        ("Knock off ten percent.", (SUM,), "42*0.9"),
        ("And for five nights?", (SUM,), "42*5"),
        ("And split among three of us?", (SUM,), "42/3"),
    ],
)
def test_a_story_with_numbers_is_reckoned(request_: str, past: tuple[PastTurn, ...], expression: str) -> None:
    assert called(request_, *past) == ("calculate", {"expression": expression})


@pytest.mark.parametrize("asked", ["How many people lived there in 1850 and 1900?", "a table for two at seven"])
def test_numbers_alone_make_no_story(asked: str) -> None:
    found = called(asked)
    assert not isinstance(found, tuple) or found[0] != "calculate"


@pytest.mark.parametrize(
    ("text", "tool", "served"),
    [
        ("open spotify", "opening_hours", False),
        ("is the museum open", "opening_hours", True),
        ("when did the bridge open", "opening_hours", False),
        ("who built the bridge", "set_timer", False),
        ("who is in the beatles", "play_music", False),
        ("what is a hundred divided by eight", "calculate", True),
        ("wake me tomorrow at six", "set_timer", False),
        ("wake me in six minutes", "set_timer", True),
        ("who lives in london", "get_weather", False),
    ],
)
def test_a_request_is_for_no_tool_that_its_verb_excludes(text: str, tool: str, served: bool) -> None:
    found = next(one for one in TOOLS if one.name == tool)
    assert may_serve(text, found, TOOLS) is served


def test_what_a_request_lacks_is_taken_from_the_call_before() -> None:
    wall = turn("how many meters are twelve feet", "convert_length", "3.66.", value=12, unit="feet", to="meters")
    call = ("convert_length", {"value": 15, "unit": "feet", "to": "meters"})
    assert called("And if the wall is fifteen feet?", wall) == call


def test_the_last_of_two_requests_counts_after_wait() -> None:
    assert called("How much is 18 times 12? Wait, 19 times 12.") == ("calculate", {"expression": "19*12"})


def test_asking_back_for_a_part_of_an_answer_repeats_it() -> None:
    assert called("Sorry, from when till when?", HOURS) == "repeat"


def test_being_able_to_do_something_is_told_by_its_tool() -> None:
    reading = READ("Are you able to do sums?", [], TOOLS)
    assert reading.reply is not None and "arithmetic" in reading.reply


def test_a_negated_topic_is_not_searched_for() -> None:
    bridge = turn(
        "when did the brooklyn bridge open", "search_documents", "1883.", query="when did the brooklyn bridge open"
    )
    found = called("No, not Brooklyn, the Golden Gate.", bridge)
    assert isinstance(found, tuple) and "golden gate" in found[1]["query"] and "brooklyn" not in found[1]["query"]


def test_a_liking_for_a_place_asks_for_nothing_there() -> None:
    assert called("I like London.") in ("new", "remark")


def test_a_correction_that_is_turned_around_is_one() -> None:
    museum = called("No, the city museum is what I meant.", HOURS)
    assert museum == ("opening_hours", {"museum": "city museum"})
    moved = turn("how deep is the pacific", "search_documents", "Deep.", query="how deep is the pacific")
    found = called("No, that's not the one I was after, it was the Atlantic.", moved)
    assert isinstance(found, tuple) and "atlantic" in found[1]["query"]
