"""Plans and remarks that ask for nothing, calls made once more or not to be taken back, and two of one kind."""

from __future__ import annotations

import pytest
from support.dialogues import tool, turn

from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.turns import PastTurn

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")

from support.dialogue_calls import READ, TOOLS, calls  # noqa: E402

WEATHER = turn("weather in Barcelona", "get_weather", "Sunny.", city="barcelona")
MUSIC = turn("play Bob Marley", "play_music", "Now playing music by Bob Marley.", artist="bob marley")
FEET = turn("35 feet in meters", "convert_length", "35 feet are 10.67 meters.", value=35, unit="feet", to="meters")
TIMER = turn("set a timer for 25 minutes", "set_timer", "The timer will ring in 25 minutes.", minutes=25)
TABLE = turn("a table for four at seven", "book_table", "A table for 4 is booked.", people=4, hour="seven")
TWELVE = turn("what is 15 minus 3", "calculate", "15-3 = 12", expression="15-3")


@pytest.mark.parametrize(
    ("request_", "before"),
    [
        ("Okay, I'll cut it at eleven.", FEET),
        ("Right, we're going to saw it off at ten, then.", FEET),
        ("I will tell the boss it is twelve.", FEET),
        ("The customers love him.", MUSIC),
        ("My kids hate this one.", MUSIC),
        ("Right, twelve screws per board then.", TWELVE),
        ("So it's 12 boxes.", TWELVE),
        ("Ah, my youth!", MUSIC),
        ("Lovely, then we go to the beach.", WEATHER),
        ("Well, we will take the umbrella.", WEATHER),
        ("Good, we have time for a coffee first.", WEATHER),
        ("Ah, the sixties.", MUSIC),
    ],
)
def test_plans_and_remarks_change_no_call(request_: str, before: PastTurn) -> None:
    assert calls(request_, before) == []


@pytest.mark.parametrize(
    "request_",
    [
        "Finally, lunch break.", "another Monday", "Can you write invoices?",
        "We have to play at a wedding on Saturday.", "I left the lights on in the barn all night, my own fault.",
        "My dishwasher boy has the voice of an angel, you should hear him.", "do you understand my accent?",
        "The lady's voice goes down well with our customers, by the way.", "My watch still shows the time of Madrid.",
    ],
)  # fmt: skip
def test_what_names_no_wish_calls_no_tool(request_: str) -> None:
    assert calls(request_) == []


@pytest.mark.parametrize("request_", ["play him again", "Play it once more, please", "can you play that again"])
def test_a_call_is_made_again_by_its_verb(request_: str) -> None:
    assert calls(request_, MUSIC, TIMER) == [("play_music", {"artist": "bob marley"})]


@pytest.mark.parametrize(
    ("request_", "before"),
    [
        ("Actually, cancel the timer.", TIMER), ("delete that alarm", TIMER), ("cancel the reservation, please", TABLE),
        ("turn off the music", MUSIC),
    ],
)  # fmt: skip
def test_what_no_tool_takes_back_is_said(request_: str, before: PastTurn) -> None:
    reading = READ(plain(request_), [before], TOOLS)
    assert reading.reply == "I cannot take that back."


@pytest.mark.parametrize(
    ("request_", "made"),
    [
        (
            "Set a timer for 5 minutes and another one for 15 minutes.",
            [("set_timer", {"minutes": 5}), ("set_timer", {"minutes": 15})],
        ),
        (
            "book a table for two at seven and another one for five at eight",
            [("book_table", {"people": 2, "hour": "seven"}), ("book_table", {"people": 5, "hour": "eight"})],
        ),
    ],
)
def test_another_one_is_a_second_call(request_: str, made: list[tuple[str, dict[str, object]]]) -> None:
    assert calls(request_) == made


@pytest.mark.parametrize(
    ("request_", "expression"),
    [
        ("What's the average of 14, 17 and 20?", "(14+17+20)/3"),
        ("mean of 3 and 5", "(3+5)/2"),
        ("How much is 35 and 48 and 17?", "35+48+17"),
        ("what is 12 and 7", "12+7"),
    ],
)
def test_averages_and_lists_are_sums(request_: str, expression: str) -> None:
    assert calls(request_) == [("calculate", {"expression": expression})]


@pytest.mark.parametrize(
    ("request_", "expression"),
    [
        ("If one dollar is 0.9 euros, how many euros is 250 dollars?", "250*0.9"),
        ("a pound is 1.2 euros, so how many pounds is 60 euros", "60/1.2"),
    ],
)
def test_a_rate_is_a_sum(request_: str, expression: str) -> None:
    assert calls(request_) == [("calculate", {"expression": expression})]


def test_what_others_may_do_is_a_question_about_the_topic() -> None:
    tower = turn("the leaning tower of pisa", "search_documents", "It is a bell tower.", query="leaning tower of pisa")
    assert [name for name, _ in calls("Can people go up inside?", tower)] == ["search_documents"]


@pytest.mark.parametrize("request_", ["We are three.", "we will be three", "there are only three of us", "for three"])
def test_how_many_they_are_is_no_hour(request_: str) -> None:
    asked = turn("I would like to reserve a table.", answer="I need to know how many people and which hour.")
    (route,) = READ(plain(request_), [asked], TOOLS).routes
    assert (route.arguments, route.missing) == ({"people": 3}, ("hour",))


def test_what_is_asked_for_beside_a_remark_is_filled_in_by_the_answer() -> None:
    asked = turn("Put on some music, I'm peeling potatoes.", answer="I need to know which artist.")
    assert calls("Bob Marley.", asked) == [("play_music", {"artist": "bob marley"})]


def test_nothing_about_a_subject_is_music() -> None:
    assert "play_music" not in [name for name, _ in calls("I should like to hear about the printing press.")]


@pytest.mark.parametrize(
    "request_", ["Need to call a supplier.", "we have to catch the train at six", "Smashing, ta.", "my sister loves it"]
)
def test_what_is_told_beside_the_matter_calls_no_tool(request_: str) -> None:
    assert calls(request_, WEATHER, MUSIC) == []


def test_music_put_on_after_a_lamp_is_no_room() -> None:
    lamp = turn("kitchen light on", "switch_light", "On.", room="kitchen", state="on")
    assert "switch_light" not in [name for name, _ in calls("Put on Kendrick Lamar.", lamp)]


def test_a_number_with_its_unit_is_the_length() -> None:
    (call,) = calls("What about a half marathon, so 9 feet?", FEET)
    assert call == ("convert_length", {"value": 9, "unit": "feet", "to": "meters"})


def test_a_call_that_was_just_made_cannot_be_cancelled_in_silence() -> None:
    assert READ("cancel that", [TIMER], TOOLS).reply == "I cannot take that back."


@pytest.mark.parametrize("request_", ["Thank you, mademoiselle.", "Perfect, merci.", "ta, love", "Cheers, my friend!"])
def test_thanks_to_somebody_name_no_museum_and_no_room(request_: str) -> None:
    hours = turn("when does the toy museum open", "opening_hours", "From eleven.", museum="toy museum")
    assert calls(request_, hours, TIMER) == []


def test_a_value_may_come_with_thanks() -> None:
    assert calls("London, thanks", WEATHER) == [("get_weather", {"city": "london"})]


@pytest.mark.parametrize(
    "request_",
    [
        "can you put it in my diary",
        "Track my run then?",
        "The twins think it's hilarious to switch the lights on and off.",
    ],
)
def test_things_and_doings_of_people_are_no_music_and_no_lamp(request_: str) -> None:
    assert calls(request_, TIMER) == []


@pytest.mark.parametrize("request_", ["Cancel the timer, please.", "cancel that"])
def test_a_tool_that_takes_calls_back_is_not_denied(request_: str) -> None:
    tools = [*TOOLS, tool("cancel_timer", "Cancel the timer that is running.", phrases=("cancel the timer",))]
    assert READ(plain(request_), [TIMER], tools).reply != "I cannot take that back."


def test_cancel_that_is_about_the_call_just_made_and_no_older_one() -> None:
    other = turn("ring my sister", "phone", "Ringing.", who="sister")
    assert READ("cancel that", [TIMER, other], TOOLS).reply != "I cannot take that back."


def test_a_tool_that_cancels_is_called() -> None:
    tools = [*TOOLS, tool("cancel_timer", "Cancel the timer that is running.", phrases=("cancel the timer",))]
    assert [route.tool for route in READ("cancel the timer", [TIMER], tools).routes] == ["cancel_timer"]


@pytest.mark.parametrize("request_", ["do that again", "put that on again", "start it again"])
def test_a_verb_that_names_no_tool_makes_the_newest_call_again(request_: str) -> None:
    assert calls(request_, TIMER) == [("set_timer", {"minutes": 25})]
