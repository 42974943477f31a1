"""What people ask of tools in words that no tool describes, and how they go on from an answer."""

from __future__ import annotations

from typing import Any

import pytest
from support.dialogues import turn

from agentaudio.model.embedded.dialogue.comparing import compared
from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.time_zones import find_zone, zones_by_place

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")

from support.dialogue_calls import READ, TOOLS  # noqa: E402


def calls(request: str, *past: PastTurn) -> list[tuple[str, dict[str, Any]]]:
    return [(str(route.tool), route.arguments) for route in READ(plain(request), past, TOOLS).routes if route.tool]


@pytest.mark.parametrize(
    ("request_", "artist"),
    [
        ("Put some Miles Davis on, would you?", "miles davis"), ("stick Daft Punk on", "daft punk"),
        ("I fancy some Queen", "queen"), ("Some Vivaldi, please", "vivaldi"), ("crank up Bob Marley", "bob marley"),
        ("my daughter wants Taylor Swift", "taylor swift"), ("let's have Abba", "abba"),
    ],
)  # fmt: skip
def test_music_is_recognised_by_how_it_is_asked_for_whoever_plays(request_: str, artist: str) -> None:
    assert calls(request_) == [("play_music", {"artist": artist})]


@pytest.mark.parametrize(
    "request_", ["I love jazz", "I never learned to play the violin", "record the football match", "turn on the telly"]
)
def test_what_only_looks_like_a_wish_for_music_plays_nothing(request_: str) -> None:
    assert "play_music" not in [name for name, _ in calls(request_)]


@pytest.mark.parametrize(
    ("request_", "room", "state"),
    [
        ("kill the office lights", "office", "off"), ("light up the hallway please", "hallway", "on"),
        ("no more light in the shed, thanks", "shed", "off"), ("The one in the attic, on please", "attic", "on"),
        ("I left the cellar light on, turn it off would you", "cellar", "off"),
    ],
)  # fmt: skip
def test_a_light_is_switched_in_other_words_than_on_and_off(request_: str, room: str, state: str) -> None:
    assert calls(request_) == [("switch_light", {"room": room, "state": state})]


@pytest.mark.parametrize(
    ("request_", "minutes"),
    [
        ("an hour and a half on the timer please", 90), ("remind me in a quarter of an hour", 15),
        ("set the timer to an hour and fifteen minutes", 75), ("shout when seven minutes are up", 7),
    ],
)  # fmt: skip
def test_a_timer_takes_durations_however_they_are_said(request_: str, minutes: int) -> None:
    assert calls(request_) == [("set_timer", {"minutes": minutes})]


@pytest.mark.parametrize(
    ("request_", "city"),
    [
        ("is it raining up in Glasgow at the moment", "glasgow"), ("How's Lisbon looking, weatherwise?", "lisbon"),
        ("will I need wellies in Bristol this afternoon", "bristol"), ("Naples: hot or not?", "naples"),
    ],
)  # fmt: skip
def test_the_place_is_found_among_words_that_say_nothing_of_it(request_: str, city: str) -> None:
    assert calls(request_) == [("get_weather", {"city": city})]


def test_places_have_the_time_zone_of_their_country() -> None:
    assert find_zone("time in glasgow".split()) == "Europe/London"
    assert find_zone("is it late in tenerife".split()) == "Atlantic/Canary"
    assert not {"reading", "nice", "bath", "split", "mobile"} & set(zones_by_place())


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("weather in Paris and Rome", [("get_weather", {"city": "paris"}), ("get_weather", {"city": "rome"})]),
        (
            "turn on the kitchen light and turn off the hall light",
            [("switch_light", {"room": "kitchen", "state": "on"}), ("switch_light", {"room": "hall", "state": "off"})],
        ),
        (
            "when do the toy museum and the war museum open",
            [("opening_hours", {"museum": "toy museum"}), ("opening_hours", {"museum": "war museum"})],
        ),
        (
            "I need two things, a table for six at nine and the opening hours of the national museum",
            [("book_table", {"people": 6, "hour": "nine"}), ("opening_hours", {"museum": "national museum"})],
        ),
        (
            "hall and kitchen lights on please",
            [("switch_light", {"room": "hall", "state": "on"}), ("switch_light", {"room": "kitchen", "state": "on"})],
        ),
        ("compare the weather in Berlin and Madrid", [("get_weather", {"city": c}) for c in ("berlin", "madrid")]),
    ],
)
def test_values_and_deeds_joined_by_and_are_a_call_each(request_: str, wanted: list[Any]) -> None:
    assert calls(request_) == wanted


@pytest.mark.parametrize(
    "request_", ["play Simon and Garfunkel", "when is the museum of art and design open", "what is 12 and 30 together"]
)
def test_and_within_one_value_makes_no_second_call(request_: str) -> None:
    assert len(calls(request_)) <= 1


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ("could I have someone German?", {"german"}), ("a British gentleman, please", {"british", "gentleman"}),
        ("can a kid talk to me", {"kid"}), ("sound French", {"french"}), ("can I talk to Nigel", {"nigel"}),
        ("do your best old sailor", {"old", "sailor"}), ("I want to hear Frank", {"frank"}),
    ],
)  # fmt: skip
def test_a_request_that_only_describes_a_voice_changes_it(request_: str, words: set[str]) -> None:
    ((name, arguments),) = calls(request_)
    assert name == "audio_search"
    assert words <= set(str(arguments["query"]).split())


@pytest.mark.parametrize(
    ("request_", "topic"),
    [
        ("tell me about saturn in the voice of a little girl", "saturn"),
        ("tell me about the moon in the voice of a robot", "moon"),
        ("explain photosynthesis in a deep voice", "photosynthesis"),
    ],
)
def test_a_question_that_also_describes_a_voice_is_searched_for_too(request_: str, topic: str) -> None:
    voice, search = READ(plain(request_), [], TOOLS).routes
    assert (voice.tool, search.tool) == ("audio_search", "search_documents")
    assert topic in search.arguments["query"]


@pytest.mark.parametrize(
    "request_", ["my brother has a deep voice", "what a nice voice you have", "I like her voice", "do you speak German"]
)
def test_talk_about_voices_changes_none(request_: str) -> None:
    assert calls(request_) == []


FRENCH = turn("a French accent please", "audio_search", "The voice is now Claire.", query="french accent")
BRITISH = turn("have you got british male voices", answer="I can speak in 4 such voices, such as Nigel.")
TIMER = turn("set a timer for ten minutes", "set_timer", "Set.", minutes=10)
LAMP = turn("turn off the garage light", "switch_light", "Off.", room="garage", state="off")
MUSEUM = turn("is the railway museum open today", "opening_hours", "Until four.", museum="railway museum")
SPLIT = turn("split 240 euros between six people", "calculate", "240/6 = 40", expression="240/6")
MILES = turn("five miles in kilometers", "convert_length", "5 miles are 8.05 kilometers.", value=5, unit="miles")
WEATHER = turn("how is the weather in madrid", "get_weather", "Sunny and 24 degrees.", city="madrid")
QUOTIENT = turn("1000 divided by 8", "calculate", "1000/8 = 125", expression="1000/8")
TOKYO = turn("what time is it in tokyo", "get_date_time", "It is 12:00 in Tokyo.", timezone="Asia/Tokyo")
APPLES = turn("3 bags of 14 apples, how many", "calculate", "3*14 = 42", expression="3*14")
STRINGS = turn("how many strings has a violin", "search_documents", "Four.", query="how many strings has a violin")
BLOOD = turn("what colour is octopus blood", "search_documents", "Blue.", query="what colour is octopus blood")
TABLE = turn("a table for six at nine", "book_table", "Booked.", people=6, hour="nine")


@pytest.mark.parametrize(
    ("past", "request_", "wanted"),
    [
        (TIMER, "five minutes longer would be better", ("set_timer", {"minutes": 15})),
        (LAMP, "hm, garage back on again please", ("switch_light", {"room": "garage", "state": "on"})),
        (MUSEUM, "until what time can I stay there?", ("opening_hours", {"museum": "railway museum"})),
        (SPLIT, "and if there are eight of us?", ("calculate", {"expression": "240/8"})),
        (MILES, "times two", ("calculate", {"expression": "8.05*2"})),
        (TABLE, "seven people actually, sorry", ("book_table", {"people": 7, "hour": "nine"})),
        (FRENCH, "or Italian", ("audio_search", {"query": "an italian accent"})),
        (FRENCH, "your old voice please", ("audio_search", {"query": "default"})),
        (FRENCH, "okay back to how you were", ("audio_search", {"query": "default"})),
        (TOKYO, "and what's today's date here?", ("get_date_time", {})),
        (APPLES, "And if I eat five of them?", ("calculate", {"expression": "42-5"})),
        (QUOTIENT, "then by five", ("calculate", {"expression": "125/5"})),
        (STRINGS, "a guitar?", ("search_documents", {"query": "how many strings has a guitar"})),
        (BLOOD, "why is that", ("search_documents", {"query": "why colour is octopus blood"})),
        (WEATHER, "and what time do they have over there?", ("get_date_time", {"timezone": "Europe/Madrid"})),
        (BRITISH, "And a woman with the same accent?", ("audio_search", {"query": "a british woman"})),
    ],
)
def test_what_follows_a_call_goes_on_from_it(past: PastTurn, request_: str, wanted: tuple[str, Any]) -> None:
    assert calls(request_, past) == [wanted]


@pytest.mark.parametrize("request_", ["Good grief", "I am tired today", "is it free?"])
def test_a_remark_after_a_call_changes_nothing_of_it(request_: str) -> None:
    assert {name for name, _ in calls(request_, WEATHER)} <= {"search_documents"}


def test_a_request_that_no_tool_serves_is_refused_whatever_is_told_beside_it() -> None:
    reading = READ(plain("Would you open the window? It's stuffy in here."), (), TOOLS)
    assert reading.reply is None
    assert [route.kind for route in reading.routes] == ["unknown"]


def test_answers_are_compared_by_their_quantities() -> None:
    other = turn("and oslo", "get_weather", "Snowy and 1 degree below zero.", city="oslo")
    assert compared("which one is warmer", (WEATHER, other)) == "Madrid, with 24 degrees against 1 degree below zero."
    assert compared("and which is colder", (WEATHER, other)) == "Oslo, with 1 degree below zero against 24 degrees."
    assert compared("is that more than 100", (turn("9 times 12", "calculate", "9*12 = 108"),)) == (
        "Yes, 108 is more than 100."
    )
    assert compared("which one is warmer", (WEATHER,)) is None
    assert compared("which is the capital of france", (WEATHER, other)) is None
