"""Requests that depend on the turns before: what is called, whatever the words around what changes."""

from __future__ import annotations

from typing import Any

import pytest
from support.dialogues import tool, turn

from agentaudio.conversation import Conversation, ToolCall, ToolOutput
from agentaudio.model.embedded.dialogue.reading import Reading
from agentaudio.model.embedded.dialogue.turns import PastTurn, past_turns
from agentaudio.model.embedded.dialogue.understanding import Understanding
from agentaudio.model.embedded.routing.router import Router
from agentaudio.text.sentence_embedder import SentenceEmbedder

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")


TEXT = {"type": "string"}
VOICES = tuple(f"answer in the voice of {name}" for name in ("Albert", "Grace", "Marcus", "Emma"))
TOOLS = [
    tool("search_documents", "Search the documents for facts to answer a question with.", query=TEXT),
    tool("audio_search", "Change the voice you speak in.", query=TEXT, phrases=VOICES),
    tool("get_date_time", "Tell the current date, weekday and time.", "timezone", timezone=TEXT),
    tool("calculate", "Work out an arithmetic expression exactly.", expression=TEXT),
    tool("opening_hours", "Tell when a museum is open today.", museum=TEXT),
    tool("get_weather", "Tell the weather in a city.", city={"type": "string", "description": "name of the city"}),
    tool("set_timer", "Start a timer.", minutes={"type": "integer"}, phrases=("set a timer for ten minutes",)),
    tool("book_table", "Book a table in the restaurant.", people={"type": "integer"}, hour=TEXT),
    tool("lamp", "Switch the lamp in a room on or off.", room=TEXT, state={"enum": ["on", "off"]}),
]
UNDERSTAND = Understanding(Router(SentenceEmbedder()))


def read(request: str, *past: PastTurn) -> Reading:
    return UNDERSTAND(request, past, TOOLS)


TIME = turn("what time is it in tokyo", "get_date_time", "It is 12:00 in Tokyo.", timezone="Asia/Tokyo")
WEATHER = turn("what is the weather in paris", "get_weather", "Sunny.", city="paris")
SUM = turn("what is 6 times 7", "calculate", "6*7 = 42", expression="6*7")
SPLIT = turn("split 96 between four", "calculate", "96/4 = 24", expression="96/4")
SHARE = turn("what is 15 percent of 80", "calculate", "15/100*80 = 12", expression="15/100*80")
TIMER = turn("set a timer for five minutes", "set_timer", "Set.", minutes=5)
TABLE = turn("book a table for two people at seven", "book_table", "Booked.", people=2, hour="seven")
HOURS = turn("when does the science museum open", "opening_hours", "At ten.", museum="science museum")
LAMP = turn("switch on the lamp in the kitchen", "lamp", "On.", room="kitchen", state="on")
MAN = turn("speak like an old man", "audio_search", "The voice is now Albert: old.", query="an old man")
LADY = turn("sound like a friendly lady from italy", "audio_search", "Changed.", query="a friendly lady from italy")
DEEP = turn("i want a deep male voice", "audio_search", "Changed.", query="a deep male voice")
TOWER = turn("tell me about the eiffel tower", "search_documents", "Tall.", query="the eiffel tower")
WALL = turn("how long is the great wall of china", "search_documents", "Long.", query="how long is the great wall")
BOTH = PastTurn(
    "turn off the lamp in the hall and set a timer for ten minutes",
    [ToolCall("1", "lamp", {"room": "hall", "state": "off"}), ToolCall("2", "set_timer", {"minutes": 10})],
    [ToolOutput("1", "lamp", "Off."), ToolOutput("2", "set_timer", "Set.")],
    "Off. Set.",
)


@pytest.mark.parametrize(
    ("before", "request_", "arguments"),
    [
        (TIME, "And in London?", {"timezone": "Europe/London"}),
        (TIME, "what about new york", {"timezone": "America/New_York"}),
        (TIME, "How about Berlin then?", {"timezone": "Europe/Berlin"}),
        (TIME, "My brother is in Lima, what about him?", {"timezone": "America/Lima"}),
        (TIME, "and here?", {}),
        (WEATHER, "and in Rome?", {"city": "rome"}),
        (WEATHER, "no, I meant Prague", {"city": "prague"}),
        (WEATHER, "My sister's in Cardiff, how is it there?", {"city": "cardiff"}),
        (TIMER, "make it ten minutes", {"minutes": 10}),
        (TIMER, "no, twenty", {"minutes": 20}),
        (TIMER, "thirty, not thirteen", {"minutes": 30}),
        (TIMER, "Oh wait, I need 25.", {"minutes": 25}),
        (TIMER, "and another one for fifteen", {"minutes": 15}),
        (TABLE, "sorry, there are four of us", {"people": 4, "hour": "seven"}),
        (TABLE, "not two, three", {"people": 3, "hour": "seven"}),
        (TABLE, "could we make it a quarter past six?", {"people": 2, "hour": "a quarter past six"}),
        (TABLE, "not at seven, at nine", {"people": 2, "hour": "nine"}),
        (TABLE, "eight would suit me better", {"people": 2, "hour": "eight"}),
        (TABLE, "make that four", {"people": 4, "hour": "seven"}),
        (HOURS, "and the national museum?", {"museum": "national museum"}),
        (HOURS, "and the railway one", {"museum": "railway museum"}),
        (HOURS, "not the science museum, the toy museum", {"museum": "toy museum"}),
        (LAMP, "no, the living room", {"room": "living room", "state": "on"}),
        (LAMP, "And turn the hallway one off.", {"room": "hallway", "state": "off"}),
        (LAMP, "Oops, I meant off.", {"room": "kitchen", "state": "off"}),
        (BOTH, "make it fifteen", {"minutes": 15}),
        (SUM, "plus 5", {"expression": "42+5"}),
        (SUM, "Now divide that by 2.", {"expression": "42/2"}),
        (SUM, "Take away another ten.", {"expression": "42-10"}),
        (SUM, "and another eight", {"expression": "42+8"}),
        (SUM, "double that", {"expression": "2*42"}),
        (SUM, "a third of that is?", {"expression": "42/3"}),
        (SUM, "no times nine", {"expression": "6*9"}),
        (SUM, "and the square root of that?", {"expression": "sqrt(42)"}),
        (SPLIT, "And between six?", {"expression": "96/6"}),
        (SHARE, "and 20 percent?", {"expression": "20/100*80"}),
        (MAN, "no, an old woman instead", {"query": "an old woman"}),
        (MAN, "And now Grace.", {"query": "Grace"}),
        (MAN, "go back to your normal voice", {"query": "default"}),
        (LADY, "I'd prefer a man.", {"query": "a friendly man from italy"}),
        (DEEP, "the same but calmer", {"query": "a calmer deep male voice"}),
        (DEEP, "less deep please", {"query": "a higher male voice"}),
        (TOWER, "When was it built?", {"query": "when was the eiffel tower built"}),
        (TOWER, "who designed it", {"query": "who designed the eiffel tower"}),
        (WALL, "What about the Nile?", {"query": "how long is the nile"}),
    ],
)
def test_a_request_goes_on_from_the_turn_before(before: PastTurn, request_: str, arguments: dict[str, Any]) -> None:
    (route,) = read(request_, before).routes
    assert (route.tool, route.missing) == (before.calls[-1].name, ())
    assert {key: str(value).replace(" the ", " ") for key, value in route.arguments.items()} == {
        key: str(value).replace(" the ", " ") for key, value in arguments.items()
    }


@pytest.mark.parametrize("before", [TIME, WEATHER, SUM, WALL, MAN, TIMER, TABLE, LAMP])
@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ("how far away is the moon", "search_documents"), ("what is 2 plus 2", "calculate"),
        ("set a timer for one hour", "set_timer"), ("answer in the voice of a robot", "audio_search"),
        ("what time is it", "get_date_time"), ("who invented the telephone", "search_documents"),
        ("thank you very much", None), ("good morning", None), ("never mind", None), ("okay", None),
        ("what can you do", None), ("i am tired today", None), ("hello?", None), ("no thanks", None),
    ],
)  # fmt: skip
def test_a_whole_request_stands_alone(before: PastTurn, request_: str, name: str | None) -> None:
    called = [route.tool for route in read(request_, before).routes if route.tool is not None]
    assert called == ([name] if name else [])


def test_changes_of_changes_and_of_older_calls() -> None:
    rome = turn("and in rome", "get_weather", "Rainy.", city="rome")
    assert read("and Oslo?", WEATHER, rome).routes[0].arguments == {"city": "oslo"}
    assert read("plus 2", SUM, turn("plus 5", "calculate", "42+5 = 47", expression="42+5")).routes[0].arguments == {
        "expression": "47+2"
    }
    assert read("times 2", SUM, turn("thanks", answer="You are welcome.")).routes[0].arguments == {"expression": "42*2"}


def test_an_earlier_topic_is_returned_to() -> None:
    assert "great wall" in str(read("Back to the wall, how old is it?", WALL, SUM).routes[0].arguments["query"])
    voice = turn("sound like a girl", "audio_search", "The voice is now Lily.", query="a girl")
    assert read("back to your normal voice please", voice, WALL).routes[0].arguments == {"query": "default"}


def test_what_the_agent_asked_for_is_filled_in_or_dropped() -> None:
    asked = turn("book a table for four", answer="I need to know which hour.")
    assert read("around eight", asked).routes[0].arguments == {"people": 4, "hour": "eight"}
    assert read("what is the weather in ghent", asked).routes[0].tool == "get_weather"
    assert read("hello?", asked).reply is not None
    table = turn("we want to book a table", answer="I need to know how many people and which hour.")
    partly = read("there'll be three of us", table).routes[0]
    assert (partly.arguments, partly.missing) == ({"people": 3}, ("hour",))
    dropped = turn("forget it", answer=str(read("forget it", asked).reply))
    assert not [route for route in read("at eight", asked, dropped).routes if route.tool and not route.missing]


@pytest.mark.parametrize(
    ("request_", "act"),
    [
        ("say that again", "repeat"), ("I'm afraid I missed the end of that.", "repeat"), ("pardon?", "repeat"),
        ("slower", "manner"), ("you are talking too quietly", "manner"), ("could you turn it up a bit", "manner"),
        ("that was a bit long, can you sum it up", "shorter"), ("Shorter, please.", "shorter"),
        ("what voices do you have", "voices"), ("whose voice is this", "whose"), ("what can you do", "ability"),
        ("What else are you able to do?", "ability"), ("do you speak Spanish", "language"), ("who are you", "identity"),
        ("thanks for telling me", "thanks"), ("see you tomorrow", "bye"), ("oh don't worry about it", "cancel"),
        ("wow, that's tall", "remark"), ("please do not change your voice", "forbid"),
    ],
)  # fmt: skip
def test_what_is_about_the_conversation_gets_a_reply(request_: str, act: str) -> None:
    reading = read(request_, WALL)
    assert (reading.act, reading.routes) == (act, ()) and reading.reply


def test_an_answer_is_said_again_shorter_or_in_another_manner() -> None:
    long = turn("tell me about bees", "search_documents", "Bees live in hives. They dance.", query="bees")
    assert read("say that again", long).reply == "Bees live in hives. They dance."
    assert read("shorter please", long).reply == "Bees live in hives."
    slower = str(read("slower please", long).reply)
    assert slower.startswith("I will speak more slowly.") and slower.endswith("They dance.")
    assert read("slower please", long, turn("slower", answer=slower)).reply == slower
    assert read("say that again").reply == "I have not said anything yet."


def test_the_voices_are_named() -> None:
    assert "4 voices, such as Albert" in str(read("which voices can you speak in?").reply)
    assert read("whose voice is this", MAN).reply == "The voice is now Albert."
    assert read("whose voice is this").reply == "This is my own voice."


def test_a_reaction_before_a_request_is_dropped_and_a_value_before_it_kept() -> None:
    assert read("That's odd. What time is it in Rome?").routes[0].arguments == {"timezone": "Europe/Rome"}
    assert read("My mum lives in Munich. What about there?", WEATHER).routes[0].arguments == {"city": "munich"}


def test_a_long_request_stands_alone() -> None:
    assert read("and " * 60 + "in london", WEATHER).act == "new"


def test_the_turns_of_a_conversation_are_read() -> None:
    conversation = Conversation()
    conversation.add("system", "Be brief.")
    conversation.add("user", "what is 6 times 7")
    conversation.add("assistant", ToolCall("1", "calculate", {"expression": "6*7"}))
    conversation.add("tool", ToolOutput("1", "calculate", "6*7 = 42"))
    conversation.add("assistant", "It is 42.")
    conversation.add("user", "plus 5")
    (past,) = past_turns(conversation)
    assert (past.request, past.answer, past.outputs[0].text) == ("what is 6 times 7", "It is 42.", "6*7 = 42")
    assert past.called("calculate") and not past.called("ring")


KITCHEN_OFF = ("lamp", {"room": "kitchen", "state": "off"})


@pytest.mark.parametrize(
    ("request_", "past", "call"),
    [
        ("five minutes more", [TIMER], ("set_timer", {"minutes": 10})),
        ("double it", [TIMER], ("set_timer", {"minutes": 10})),
        ("an hour later please", [TABLE], ("book_table", {"people": 2, "hour": "eight"})),
        ("make that half past", [TABLE], ("book_table", {"people": 2, "hour": "half past seven"})),
        ("two more people", [TABLE], ("book_table", {"people": 4, "hour": "seven"})),
        ("undo that", [LAMP], KITCHEN_OFF),
        ("put it back", [LAMP], KITCHEN_OFF),
        ("back to the previous voice", [MAN, DEEP], ("audio_search", {"query": "an old man"})),
        ("back to the previous voice", [MAN], ("audio_search", {"query": "default"})),
        ("i preferred the italian one", [LADY, DEEP], ("audio_search", {"query": "a friendly lady from italy"})),
        ("and now the weather", [TIME], ("get_weather", {"city": "tokyo"})),
        ("no i asked for the weather", [TIME], ("get_weather", {"city": "tokyo"})),
        ("and now the time", [WEATHER], ("get_date_time", {"timezone": "Europe/Paris"})),
        ("and if i add half of it", [SUM], ("calculate", {"expression": "42+21"})),
        ("ten more", [SUM], ("calculate", {"expression": "42+10"})),
        ("and if i spent another two", [SUM], ("calculate", {"expression": "42-2"})),
        ("give me a pirate", [], ("audio_search", {"query": "a pirate"})),
        ("turn on the lamp in the hall but not in the kitchen", [], ("lamp", {"room": "hall", "state": "on"})),
        ("let a grandmother answer", [], ("audio_search", {"query": "grandmother"})),
        ("now like a librarian", [MAN], ("audio_search", {"query": "a librarian"})),
    ],
)  # fmt: skip
def test_what_is_told_by_the_turns_before(
    request_: str, past: list[PastTurn], call: tuple[str, dict[str, Any]]
) -> None:
    reading = read(request_, *past)
    assert [(route.tool, route.arguments) for route in reading.routes] == [call]


def test_a_quantity_of_the_answer_is_converted() -> None:
    unit = {"enum": ["miles", "kilometers", "feet", "meters"]}
    convert = tool("convert", "Convert a length.", value={"type": "number"}, unit=unit, to=unit)
    far = turn("how far is the moon", "search_documents", "It is about 384,000 kilometers away.", query="moon")
    reading = UNDERSTAND("how far is that in miles", [far], [*TOOLS, convert])
    assert reading.routes[0].arguments == {"value": 384000, "unit": "kilometers", "to": "miles"}


def test_what_cannot_be_undone_is_said() -> None:
    assert read("undo that", TIMER).reply == "I cannot take that back."


def test_voices_of_a_kind_are_listed() -> None:
    phrases = (
        "answer in the voice of Ann",
        "speak like a calm woman",
        "answer in the voice of Bob",
        "speak like a man",
    )
    voices = tool("audio_search", "Change the voice you speak in.", query=TEXT, phrases=phrases)
    past = turn("what voices do you have", answer="I can speak in 2 voices, such as Ann and Bob.")
    reply = str(UNDERSTAND("any women?", [past], [voices]).reply)
    assert "Ann" in reply and "Bob" not in reply
