"""What a turn refers to, and what of it is asked for: topics first, rooms just named, prices, telegrams, remarks."""

from __future__ import annotations

from typing import Any

import pytest
from support.dialogues import turn

from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.turns import PastTurn

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")

from support.dialogue_calls import calls  # noqa: E402

HALL = turn("the hall light on", "switch_light", "It is on.", room="hall", state="on")
ATTIC = turn("the attic light on", "switch_light", "It is on.", room="attic", state="on")
MUSIC = turn("play Bach", "play_music", "Now playing Bach.", artist="bach")
TIMER = turn("a timer for four minutes", "set_timer", "It will ring in 4 minutes.", minutes=4)
LESS = turn("what is 300 minus 85", "calculate", "300-85 = 215", expression="300-85")
SIX = turn("what is 2 times 3", "calculate", "2*3 = 6", expression="2*3")
OSLO = turn("weather in Oslo", "get_weather", "It is windy.", city="oslo")
VOICE = turn("an old man", "audio_search", "The voice is now Frank.", query="an old man")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("And what about the Nile, how long's that?", "And how long is the Nile?"),
        ("The violin, where does it come from?", "where does the violin come from?"),
        ("What about the Golden Gate Bridge, when did that one open?", "when did the Golden Gate Bridge open?"),
        ("And octopuses, how many hearts do they have?", "And how many hearts do octopuses have?"),
        ("Jane, how old is it?", "Jane, how old is it?"),
        ("Great, how long is it?", "Great, how long is it?"),
        ("28 tickets at three pounds fifty each", "28 tickets at 3.50 pounds each"),
        ("eleven stamps at one pound thirty-five", "eleven stamps at 1.35 pound"),
        ("four adults at twelve fifty, how much is that?", "four adults at 12.50, how much is that?"),
        ("a table for three at seven thirty", "a table for three at seven thirty"),
        ("ten dollars thirty days from now", "ten dollars thirty days from now"),
    ],
)
def test_a_topic_takes_its_place_and_a_price_is_one_number(said: str, meant: str) -> None:
    assert plain(said) == meant


@pytest.mark.parametrize(
    ("request_", "past", "wanted"),
    [
        ("I'm done in the attic, switch that one off.", [ATTIC, HALL],
         [("switch_light", {"room": "attic", "state": "off"})]),
        ("I meant the study. Turn that one off.", [HALL], [("switch_light", {"room": "study", "state": "off"})]),
        ("Both off again.", [ATTIC, HALL], [("switch_light", {"room": "attic", "state": "off"}),
                                            ("switch_light", {"room": "hall", "state": "off"})]),
        ("And the attic light back on, I can't see.", [ATTIC, MUSIC],
         [("switch_light", {"room": "attic", "state": "on"})]),
        ("My son's flying to Oslo and I'd like to know if it's snowing there.", [],
         [("get_weather", {"city": "oslo"})]),
        ("And what time is it for him?", [OSLO], [("get_date_time", {"timezone": "Europe/Oslo"})]),
        ("What are 28 tickets at three pounds fifty?", [], [("calculate", {"expression": "28*3.5"})]),
        ("Four adults at twelve fifty and two kids at six, how much is that?", [],
         [("calculate", {"expression": "4*12.5+2*6"})]),
        ("There are two of us, so times two.", [LESS], [("calculate", {"expression": "215*2"})]),
        ("No, hang on, I meant minus 95.", [LESS], [("calculate", {"expression": "300-95"})]),
        ("Add those two together.", [LESS, SIX], [("calculate", {"expression": "215+6"})]),
        ("Timer. Three minutes. Soft-boiled.", [], [("set_timer", {"minutes": 3})]),
        ("Light. Cellar. Off.", [], [("switch_light", {"room": "cellar", "state": "off"})]),
        ("Same again, please.", [TIMER], [("set_timer", {"minutes": 4})]),
        ("And the same for the rice.", [TIMER], [("set_timer", {"minutes": 4})]),
        ("Another one of those.", [TIMER], [("set_timer", {"minutes": 4})]),
    ],
)  # fmt: skip
def test_a_turn_is_read_with_what_it_refers_to(
    request_: str, past: list[PastTurn], wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    assert calls(request_, *past) == wanted


@pytest.mark.parametrize(
    ("request_", "past"),
    [
        ("Right, kids, coats on!", []),
        ("My wife booked a table here last year, and when we came down they'd never heard of us.", []),
        ("You really do sound just like my grandpa.", [VOICE]),
        ("I can hear music from next door.", []),
        ("How many litres are in a gallon?", []),
        ("What is 30 centimeters in inches?", []),
        ("Same again.", []),
        ("Soft-boiled.", []),
    ],
)
def test_remarks_and_what_no_tool_can_convert_call_nothing(request_: str, past: list[PastTurn]) -> None:
    assert calls(request_, *past) == []


@pytest.mark.parametrize(
    ("request_", "past", "wanted"),
    [
        ("Is it any warmer in Cork?", [OSLO], [("get_weather", {"city": "cork"})]),
        ("Set a timer for an hour and ten.", [], [("set_timer", {"minutes": 70})]),
        ("Remind me to take the bread out in 35 minutes.", [], [("set_timer", {"minutes": 35})]),
        ("I earn 2,400 and the rent is 950. What have I got left?", [], [("calculate", {"expression": "2400-950"})]),
        ("If a bus holds 52 and we're 208 people, how many buses?", [], [("calculate", {"expression": "208/52"})]),
        ("Tip of 15 percent on 64 euros?", [], [("calculate", {"expression": "15/100*64"})]),
        ("Take that off 350.", [LESS], [("calculate", {"expression": "350-215"})]),
        ("Let there be light in the bathroom.", [], [("switch_light", {"room": "bathroom", "state": "on"})]),
        ("I'd love to hear about the bicycle.", [], [("search_documents", {"query": "the bicycle"})]),
        ("Lucky her.", [OSLO], []),
        ("My mother would have turned the lights on at once.", [HALL], []),
        ("I could listen to her all day.", [MUSIC], []),
        ("Who made the first one?", [MUSIC], [("search_documents", {"query": "who made the first one"})]),
    ],
)
def test_only_values_of_their_kind_are_taken(
    request_: str, past: list[PastTurn], wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    assert calls(request_, *past) == wanted
