"""Values of the right kind, sums that stand alone, styles of voice, and what was told in the conversation."""

from __future__ import annotations

from typing import Any

import pytest
from support.dialogues import turn

from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.sums import next_sum
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.arithmetic import expression
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.text.words import split_words

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")

from support.dialogue_calls import READ, TOOLS, calls  # noqa: E402

SUM = turn("what is 100 plus 20", "calculate", "100+20 = 120", expression="100+20")
ROME = turn("weather in rome", "get_weather", "Sunny.", city="rome")
LAMP = turn("living room light on", "switch_light", "On.", room="living room", state="on")


def missing(request: str, *past: PastTurn) -> tuple[str, ...]:
    reading = READ(plain(request), past, TOOLS)
    return reading.routes[0].missing if reading.routes else ()


@pytest.mark.parametrize("said", ["how is the weather looking", "how is the weather shaping up today"])
def test_a_verb_after_weather_is_no_city(said: str) -> None:
    assert missing(said) == ("city",)
    assert calls(said, ROME) == [("get_weather", {"city": "rome"})]


@pytest.mark.parametrize("said", ["what's the weather in Bree", "weather in bree", "is it raining in bree"])
def test_a_city_that_no_list_has_is_known_by_what_leads_to_it(said: str) -> None:
    assert calls(said) == [("get_weather", {"city": "bree"})]


def test_a_verb_is_no_room() -> None:
    assert missing("It's too bright, turn it off.") == ("room",)
    assert calls("It's too bright, turn it off.", LAMP) == [("switch_light", {"room": "living room", "state": "off"})]
    assert calls("turn off the light in the orangery") == [("switch_light", {"room": "orangery", "state": "off"})]


@pytest.mark.parametrize(
    "said", ["and what is the square root of 625", "now 20 percent of 350", "the cube of 3", "seven times nine"]
)
def test_a_sum_that_lacks_nothing_does_not_go_on_from_the_one_before(said: str) -> None:
    assert next_sum(said, SUM) is None
    assert expression(said.split()) is not None


@pytest.mark.parametrize(
    ("said", "value"),
    [("a tenth of that", 12), ("two thirds of it", 80), ("plus 5", 125), ("minus a quarter", 90), ("double that", 240)],
)
def test_a_sum_that_leaves_out_its_first_number_goes_on(said: str, value: float) -> None:
    whole = next_sum(said, SUM)
    assert whole is not None
    written = expression(whole.split())
    assert written is not None
    assert eval(written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("said", "value"),
    [("seventy-five times four", "75*4"), ("10-4", "10-4"), ("twenty-one minus two", "21-2"), ("8 - 3", "8-3")],
)
def test_a_hyphen_joins_words_and_is_a_minus_between_digits(said: str, value: str) -> None:
    assert expression(split_words(said)) == value


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        ("how old is the wall, answer like a pirate", ["answer like a pirate", "how old is the wall"]),
        ("in a whisper, what is the moon", ["answer in a whisper", "what is the moon"]),
        ("Tell me about bees like an old sailor", ["answer like an old sailor", "tell me about bees"]),
        ("speak like a robot, what is Mars", ["speak like a robot", "what is mars"]),
        ("what does a whale sound like", ["what does a whale sound like"]),
        ("who lived like a king", ["who lived like a king"]),
    ],
)
def test_a_question_and_a_style_of_voice_are_two_requests(request_: str, parts: list[str]) -> None:
    assert clauses(request_) == parts


def test_there_is_the_place_of_a_request_that_was_refused() -> None:
    refused = turn("buy me a ticket to Vienna", "", "I cannot help with that.")
    assert calls("What's the weather like there?", ROME, refused) == [("get_weather", {"city": "vienna"})]


def test_a_name_is_remembered_for_the_conversation_only() -> None:
    told = turn("Hello, my name is Margaret.", "", "Nice to meet you, Margaret.")
    assert "Margaret" in str(READ("Do you remember my name?", [told], TOOLS).reply)
    assert READ("Do you remember my name?", [], TOOLS).reply == "You have not told me your name."
    assert READ("who am I talking to", [told], TOOLS).reply != "You told me that your name is Margaret."


@pytest.mark.parametrize(
    ("past", "request_", "wanted"),
    [
        (turn("wake me in 90 minutes", "set_timer", "Set.", minutes=90), "five minutes earlier",
         ("set_timer", {"minutes": 85})),
        (turn("a timer for 12 minutes", "set_timer", "Set.", minutes=12), "And a second one for twenty-five.",
         ("set_timer", {"minutes": 25})),
        (turn("play Bach", "play_music", "Playing.", artist="bach"), "who was he?",
         ("search_documents", {"query": "who was bach"})),
    ],
)  # fmt: skip
def test_what_goes_on_takes_its_value_from_the_call_before(past: PastTurn, request_: str, wanted: Any) -> None:
    assert calls(request_, past) == [wanted]


def test_a_place_is_shared_by_two_questions() -> None:
    cairo = [("get_date_time", {"timezone": "Africa/Cairo"}), ("get_weather", {"city": "cairo"})]
    assert calls("What's the time and the weather in Cairo?") == cairo


@pytest.mark.parametrize("request_", ["can you buy me a skateboard", "could you tell me who Marie Curie was"])
def test_music_is_not_played_for_other_deeds_and_questions(request_: str) -> None:
    assert all(name != "play_music" for name, _ in calls(request_))
