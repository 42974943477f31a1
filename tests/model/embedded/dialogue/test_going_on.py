"""What a request takes from earlier turns: the voice, the thing handled, an earlier topic, a part of a compound."""

from __future__ import annotations

from typing import Any

import pytest

from agentaudio.conversation import ToolCall, ToolOutput
from agentaudio.model.embedded.dialogue.asides import without_reaction
from agentaudio.model.embedded.dialogue.follow_ups import whole_request
from agentaudio.model.embedded.dialogue.mishearings import mended
from agentaudio.model.embedded.dialogue.negation import forbids, without_forbidden
from agentaudio.model.embedded.dialogue.replies import about_conversation, said_again
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.words import split_words


def past(request: str, tool: str, output: str = "Fine.", **arguments: Any) -> PastTurn:
    return PastTurn(request, [ToolCall("1", tool, arguments)], [ToolOutput("1", tool, output)], output)


LADY = past("sound like a friendly lady from italy", "audio_search", query="a friendly lady from italy")
DEEP = past("i want a deep male voice", "audio_search", query="a deep male voice")
ACCENT = past("use a french accent", "audio_search", query="a french accent")
SUM = past("what is 7 times 8", "calculate", "7*8 = 56", expression="7*8")
LAMP = past("switch on the light in the kitchen", "switch_light", room="kitchen", state="on")
AMAZON = past("how long is the amazon river", "search_documents", "The Amazon is long.", query="amazon")
DAY = past("how long is a day on mars", "search_documents", query="a day on mars")
SPLIT = past("split 96 between four", "calculate", "96/4 = 24", expression="96/4")
BOTH = PastTurn(
    "turn off the light in the hall and set a timer for ten minutes",
    [ToolCall("1", "switch_light", {"room": "hall", "state": "off"}), ToolCall("2", "set_timer", {"minutes": 10})],
    [ToolOutput("1", "switch_light", "Off."), ToolOutput("2", "set_timer", "Set.")],
    "Off. Set.",
)


@pytest.mark.parametrize(
    ("before", "request_", "whole"),
    [
        (LADY, "I'd prefer a man.", "answer in the voice of a friendly man from italy"),
        (LADY, "older", "answer in the voice of an older friendly lady from italy"),
        (LADY, "That's creepy. Something else please, a cheerful one.", "answer in the voice of a cheerful lady"),
        (DEEP, "the same but calmer", "answer in the voice of a calmer deep male voice"),
        (DEEP, "higher", "answer in the voice of a higher male voice"),
        (ACCENT, "Same accent, but a man.", "answer in the voice of a man french accent"),
        (SUM, "no times nine", "what is 7 times nine"),
        (SUM, "Take away another ten.", "what is 56 minus ten"),
        (SUM, "and if I take 5 off", "what is 56 minus 5"),
        (SUM, "add ten more", "what is 56 plus ten"),
        (SPLIT, "What if there are only six?", "split 96 between six"),
        (LAMP, "And turn the hallway one off.", "turn the hallway light off"),
        (LAMP, "turn it off in the garage", "turn the light off in the garage"),
        (LAMP, "switch it off", "switch the light off in the kitchen"),
        (LAMP, "play it again", "play it again"),
        (DAY, "And a year?", "how long is a year on mars"),
        (BOTH, "make it fifteen", "set a timer for fifteen minutes"),
    ],
)
def test_a_request_goes_on_from_the_turn_before(before: PastTurn, request_: str, whole: str) -> None:
    assert whole_request(request_, [before]).text == whole


def test_an_earlier_topic_is_returned_to() -> None:
    assert whole_request("Back to the river, where does it start?", [AMAZON, SUM]).text == (
        "where does the amazon river start"
    )
    assert whole_request("okay, back to the amazon", [AMAZON, SUM]).text == AMAZON.request
    assert whole_request("back to the moon", [AMAZON, SUM]).text == "back to the moon"


def test_a_place_is_taken_from_the_request_itself() -> None:
    weather = past("what is the weather in leeds", "get_weather", city="leeds")
    whole = whole_request("My sister's in Cardiff, how is it there?", [weather])
    assert (whole.text, whole.tool) == ("what is the weather in cardiff", "get_weather")
    assert whole_request("What's the time in Paris, and what's the weather there?", []).text == (
        "what is the time in paris and what is the weather in paris"
    )


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("an the museum", "and the museum"), ("an times three", "and times three"), ("An in Rome", "and in Rome"),
        ("an old man", "an old man"), ("what is an hour", "what is an hour"),
        ("the whether in rome", "the weather in rome"),
        ("ask whether it rains", "ask whether it rains"),
    ],
)  # fmt: skip
def test_words_that_grammar_excludes_are_put_right(heard: str, meant: str) -> None:
    assert mended(heard) == meant


@pytest.mark.parametrize(
    ("said", "words"),
    [("there'll be five", "there will be five"), ("they've", "they have"), ("dont", "do not"), ("Whats", "what is")],
)
def test_contractions_are_written_out(said: str, words: str) -> None:
    assert " ".join(split_words(said)) == words


def test_what_is_forbidden_is_not_done() -> None:
    assert forbids("Please don't turn the light off.") and forbids("don't change your voice")
    assert about_conversation("Don't change your voice.", [], []) == "All right."
    assert not forbids("don't forget to set a timer") and not forbids("do you turn the light off")
    assert without_forbidden("Don't play Bach, play Mozart.") == "play Mozart."


def test_a_reaction_is_a_remark_and_is_dropped_before_a_request() -> None:
    assert without_reaction("That's odd. Play Mozart.") == "Play Mozart."
    assert "I see" in str(about_conversation("Wow, that's a long time ago.", [], []))
    assert about_conversation("Thanks for telling me.", [], []) == "You are welcome."
    assert about_conversation("thanks thats all", [], []) == "You are welcome."
    assert about_conversation("Actually, let's leave it.", [], []) == "All right."


def test_a_wish_about_the_answer_may_have_two_parts() -> None:
    last = [PastTurn("what", answer="One. Two.")]
    assert said_again("That's too long. Just the short version.", last) == "One."
    assert said_again("can you keep it shorter", last) == "One."
    assert str(said_again("Louder, I can't hear you.", last)).startswith("I cannot change how fast or how loud")
    assert said_again("sorry i missed that", last) == "One. Two."


@pytest.mark.parametrize(
    "request_", ["go back to your own voice", "back to your normal voice please", "okay go back to the first voice"]
)
def test_going_back_to_a_voice_is_not_going_back_to_a_topic(request_: str) -> None:
    voice = past(
        "please answer in the voice of a little girl", "audio_search", "The voice is now Lily.", query="a girl"
    )
    assert whole_request(request_, [voice, AMAZON]).text == request_


@pytest.mark.parametrize(
    "request_",
    ["call my mother and tell her i am late", "ask the doctor when he is free", "is it raining", "what is her name"],
)
def test_a_voice_that_was_asked_for_is_not_what_a_pronoun_stands_for(request_: str) -> None:
    voice = past(
        "please answer in the voice of a calm old man", "audio_search", "The voice is now Albert.", query="man"
    )
    assert whole_request(request_, [voice]).text == request_


def test_a_person_in_the_request_is_what_its_pronoun_stands_for() -> None:
    assert (
        whole_request("call my mother and tell her i am late", [AMAZON]).text == "call my mother and tell her i am late"
    )
