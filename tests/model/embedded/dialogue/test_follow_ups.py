"""Requests that depend on the turns before: completed from the previous request, whatever its topic."""

from __future__ import annotations

import pytest

from agentaudio.conversation import Conversation, ToolCall, ToolOutput, ToolSpec
from agentaudio.model.embedded.dialogue.follow_ups import whole_request
from agentaudio.model.embedded.dialogue.languages import CHINESE, declined
from agentaudio.model.embedded.dialogue.replies import about_conversation, about_voices, said_again
from agentaudio.model.embedded.dialogue.turns import PastTurn, past_turns


def turn(request: str, tool: str = "", result: str = "", answer: str = "Fine.", **arguments: object) -> PastTurn:
    calls = [ToolCall("1", tool, arguments)] if tool else []
    outputs = [ToolOutput("1", tool, result)] if tool else []
    return PastTurn(request, calls, outputs, answer)


TIME = turn("what time is it in tokyo", "get_date_time", "Noon.", timezone="Asia/Tokyo")
WEATHER = turn("What is the weather in Paris tomorrow?", "get_weather", "Sunny.", city="paris", day="tomorrow")
SUM = turn("what is 6 times 7", "calculate", "6*7 = 42", expression="6*7")
WALL = turn("how long is the great wall of china", "search_documents", "Long.", query="how long is the great wall")
TOWER = turn("tell me about the eiffel tower", "search_documents", "Tall.", query="the eiffel tower")
VOICE = turn("speak like an old man", "audio_search", "The voice is now Albert: old.", query="an old man")
TIMER = turn("set a timer for five minutes", "set_timer", "Set.", minutes=5)
TABLE = turn("book a table for two people at seven", "book_table", "Booked.", people=2, time="seven")
HOURS = turn("when does the science museum open", "opening_hours", "At ten.", museum="science museum")


@pytest.mark.parametrize(
    ("before", "request_", "whole"),
    [
        (TIME, "And in London?", "what time is it in london"),
        (TIME, "what about new york", "what time is it in new york"),
        (TIME, "How about in Berlin then?", "what time is it in berlin"),
        (WEATHER, "and in Rome?", "what is the weather in rome tomorrow"),
        (WEATHER, "What about today?", "what is the weather in paris today"),
        (WEATHER, "and on Monday", "what is the weather in paris on monday"),
        (SUM, "plus 5", "what is 42 plus 5"),
        (SUM, "Now divide that by 2.", "what is 42 divided by 2"),
        (SUM, "and add ten", "what is 42 plus ten"),
        (SUM, "squared", "what is 42 squared"),
        (WALL, "how old is it?", "how old is the great wall of china"),
        (WALL, "What about the Nile?", "how long is nile"),
        (TOWER, "When was it built?", "when was the eiffel tower built"),
        (TOWER, "who designed it", "who designed the eiffel tower"),
        (HOURS, "and the national museum?", "when does the national museum open"),
        (VOICE, "no, an old woman instead", "answer in the voice of an old woman"),
        (VOICE, "Rather a little girl.", "answer in the voice of a little girl"),
        (VOICE, "what about a robot", "speak like a robot"),
        (TIMER, "make it ten minutes", "set a timer for ten minutes"),
        (TIMER, "no, twenty", "set a timer for twenty minutes"),
        (TABLE, "sorry, there are four of us", "book a table for four people at seven"),
        (TABLE, "at eight", "book a table for two people at eight"),
        (TABLE, "not at seven, at nine", "book a table for two people at nine"),
        (TABLE, "eight would suit me better", "book a table for two people at eight"),
        (TABLE, "could we make it a quarter past six?", "book a table for two people at a quarter past six"),
        (TIMER, "and another one for ten", "set a timer for ten minutes"),
        (TIMER, "and one for two hours", "set a timer for two hours"),
        (TIME, "and here?", "what time is it"),
        (TIME, "what is the weather there", "what is the weather in tokyo"),
        (HOURS, "and the railway one", "when does the railway museum open"),
        (HOURS, "not the science museum, the toy museum", "when does the toy museum open"),
        (SUM, "double that", "what is double 42"),
        (SUM, "and the square root of that?", "what is the square root of 42"),
        (SUM, "minus ten percent", "what is 42 times 0.9"),
        (TOWER, "how tall?", "how tall is the eiffel tower"),
        (WALL, "and why?", "why is the great wall of china"),
        (VOICE, "a younger one", "answer in the voice of a younger man"),
        (VOICE, "no, Irish", "answer in the voice of an irish man"),
        (TABLE, "make that four", "book a table for four people at seven"),
    ],
)
def test_what_is_left_out_is_taken_from_the_turn_before(before: PastTurn, request_: str, whole: str) -> None:
    found = whole_request(request_, [before]).text
    assert found.replace(" the ", " ") == whole.replace(" the ", " ")


@pytest.mark.parametrize("before", [TIME, WEATHER, SUM, WALL, TOWER, VOICE, TIMER, TABLE, HOURS])
@pytest.mark.parametrize(
    "request_",
    [
        "how far away is the moon", "what is 2 plus 2", "tell me about saturn", "good morning", "thank you very much",
        "set a timer for one hour", "what can you do", "answer in the voice of a robot", "who invented the telephone",
        "is it going to rain", "what time is it", "please tell me a joke", "okay", "no", "yes please", "never mind",
        "you are very kind", "hello?", "that is nice", "thanks, that will do", "turn on the light",
        "i like london", "and now tell me about the moon", "no thanks", "i am tired today",
    ],
)  # fmt: skip
def test_a_whole_request_stays_as_it_is(before: PastTurn, request_: str) -> None:
    assert whole_request(request_, [before]).text in (request_, request_.removeprefix("and now "))


def test_nothing_is_completed_without_a_turn_before() -> None:
    assert whole_request("and in London?", []).text == "and in London?"


def test_follow_ups_of_follow_ups_are_completed_in_turn() -> None:
    paris = turn("and in paris", "get_date_time", "One.", timezone="Europe/Paris")
    assert whole_request("and in rome", [TIME, paris]).text == "what time is it in rome"
    assert whole_request("and in rome", [TIME, turn("thank you"), turn("good")]).text == "what time is it in rome"
    assert (
        whole_request("times 2", [SUM, turn("plus 5", "calculate", "42+5 = 47", expression="42+5")]).text
        == "what is 47 times 2"
    )


@pytest.mark.parametrize(
    ("asked", "reply", "whole"),
    [
        ("what is the weather", "I need to know the city for that.", "what is the weather in paris"),
        ("set a timer", "I need to know the minutes for that.", "set a timer for paris"),
        ("when does it open", "I need to know the museum for that.", "when does it open paris"),
    ],
)
def test_what_the_agent_asked_for_completes_the_request(asked: str, reply: str, whole: str) -> None:
    assert whole_request("Paris", [turn(asked, answer=reply)]).text == whole
    assert whole_request("what can you do", [turn(asked, answer=reply)]).text == "what can you do"


@pytest.mark.parametrize(
    "request_",
    ["say that again", "Can you repeat that, please?", "pardon?", "What did you say?", "once more please",
     "I didn't catch that.", "repeat", "say it one more time", "could you say that again"],
)  # fmt: skip
def test_the_last_answer_is_said_again(request_: str) -> None:
    assert said_again(request_, [WALL, turn("hm", answer="")]) == "Fine."
    assert said_again(request_, []) == "I have not said anything yet."


@pytest.mark.parametrize(
    "request_",
    [
        "slower",
        "Say that again more slowly.",
        "speak up please",
        "louder",
        "not so fast",
        "Can you speak faster?",
        "you are talking too quietly",
        "A bit louder, please.",
        "that was too fast",
    ],
)
def test_a_wish_about_the_manner_is_declined_and_the_answer_said_again(request_: str) -> None:
    again = said_again(request_, [WALL])
    assert again is not None and again.startswith("I cannot change how fast or how loud") and again.endswith("Fine.")
    assert said_again(request_, [turn("slower", answer=again)]) == again


@pytest.mark.parametrize(
    "request_",
    [
        "say hello",
        "tell me about echoes",
        "that was fast",
        "speak like a man",
        "what did the museum say",
        "again i ask: what is 2+2",
    ],
)
def test_another_request_is_not_a_wish_to_repeat(request_: str) -> None:
    assert said_again(request_, [WALL]) is None


def test_the_voices_are_named() -> None:
    phrases = tuple(f"answer in the voice of Name{number}" for number in range(40))
    tools = [ToolSpec("audio_search", "Change the voice.", {}, phrases)]
    for request in (
        "what voices do you have",
        "Which voices can you speak in?",
        "list your voices",
        "how many voices are there",
    ):
        said = about_voices(request, tools, [])
        assert said is not None and "40 voices" in said and "Name0" in said
    assert about_voices("answer in the voice of a man", tools, []) is None
    assert about_voices("what voices do you have", [], []) is None
    assert about_voices("whose voice is this", tools, [VOICE]) == "The voice is now Albert."
    assert about_voices("whose voice is this", tools, []) == "This is my own voice."


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("长城有多长", "zh", CHINESE), ("长城有多长", None, CHINESE), ("how long is the great wall", "zh", None),
        ("quelle heure est-il à Paris", "fr", "French"), ("wie spät ist es in Berlin", "de", "German"),
        ("今何時ですか", "ja", "Japanese"), ("который час", None, "Russian"), ("what time is it in paris", "cy", None),
        ("no", "es", None), ("okay", "de", None), ("", "fr", None), ("blorp fizz wug", "xx", "another language"),
    ],
)  # fmt: skip
def test_another_language_is_named_and_declined(text: str, language: str | None, said: str | None) -> None:
    answer = declined(text, language)
    assert (answer is None) if said is None else answer is not None and said in answer


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


@pytest.mark.parametrize(
    "request_", ["Never mind.", "forget it", "actually no thanks", "Stop.", "cancel that", "that is enough", "leave it"]
)
def test_what_is_dropped_is_not_completed(request_: str) -> None:
    asked = turn("set a timer", answer="I need to know the minutes for that.")
    assert about_conversation(request_, [], [asked]) == "All right."
    assert whole_request("ten", [asked, turn(request_, answer="All right.")]).text == "ten"
    assert whole_request("and in rome", [TIME, turn(request_, answer="All right.")]).text == "what time is it in rome"


@pytest.mark.parametrize("request_", ["stop the music at ten", "forget the moon", "cancel my table for two", "no"])
def test_other_requests_are_not_dropped(request_: str) -> None:
    assert about_conversation(request_, [], []) != "All right."


def test_a_choice_is_replaced_only_by_a_choice() -> None:
    schema = {"properties": {"room": {"type": "string"}, "state": {"enum": ["on", "off"]}}, "required": ["room"]}
    tools = [ToolSpec("lamp", "Switch a lamp.", schema)]
    lamp = turn("switch off the lamp in the bedroom", "lamp", "Off.", room="bedroom", state="off")
    assert whole_request("no, the kitchen", [lamp], tools).text == "switch off the lamp in the kitchen"
    assert whole_request("and on again", [lamp], tools).text == "switch on the lamp in the bedroom"


def test_shorter_is_the_first_sentence() -> None:
    assert said_again("Shorter, please.", [turn("what", answer="One. Two.")]) == "One."
    assert said_again("in one sentence", [turn("what", answer="One.")]) == "That is as short as I can say it. One."


def test_what_no_tool_can_undo_is_said_to_be_impossible() -> None:
    timer = ToolSpec("set_timer", "Start a timer.", {})
    assert "I cannot help with that" in str(about_conversation("Cancel the timer.", [timer], []))
    assert about_conversation("Cancel the timer.", [ToolSpec("cancel_timer", "Cancel a timer.", {})], []) is None


def test_a_question_about_abilities_is_not_a_request() -> None:
    tools = [ToolSpec("search_documents", "Search the documents.", {})]
    for request in ("What do you know about?", "how can you help me", "What documents do you have?", "help"):
        assert about_conversation(request, tools, []) == "I can search the documents."
    for request in ("what do you know about bees", "what can you tell me about the nile", "help me find a tea house"):
        assert about_conversation(request, tools, []) is None
