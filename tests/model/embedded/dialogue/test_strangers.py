"""How people talk in passing: remarks after a question, repeated prepositions, colloquial verbs, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from support.dialogues import turn

from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.turns import PastTurn

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")

from support.dialogue_calls import READ, TOOLS, calls  # noqa: E402

WEATHER = turn("what is the weather in Leeds", "get_weather", "It is sunny.", city="leeds")
VOICE = turn("speak like a calm woman", "audio_search", "The voice is now Ruby.", query="a calm woman")
TABLE = turn("a table for two at eight", "book_table", "A table for 2 is booked at eight.", people=2, hour="eight")


def reply(request: str, *past: PastTurn) -> str | None:
    return READ(plain(request), past, TOOLS).reply


@pytest.mark.parametrize(
    ("request_", "past", "wanted"),
    [
        ("What time is it in Oslo? My sister lives there.", [WEATHER],
         [("get_date_time", {"timezone": "Europe/Oslo"})]),
        ("Weather in Bonn and in Madrid, please.", [], [("get_weather", {"city": "bonn"}),
                                                        ("get_weather", {"city": "madrid"})]),
        ("Turn off the light in the attic, set a timer for 5 minutes, and, um, what's 7 times 12?", [],
         [("switch_light", {"room": "attic", "state": "off"}), ("set_timer", {"minutes": 5}),
          ("calculate", {"expression": "7*12"})]),
        ("Could you stick on some Pink Floyd and set a timer for ten minutes?", [],
         [("play_music", {"artist": "pink floyd"}), ("set_timer", {"minutes": 10})]),
        ("What is ninety take away forty?", [], [("calculate", {"expression": "90-40"})]),
        ("Take away five from nine.", [], [("calculate", {"expression": "9-5"})]),
        ("Oh, our neighbours are coming, so make it six people.", [TABLE],
         [("book_table", {"people": 6, "hour": "eight"})]),
        ("Nah, play Elgar instead.", [turn("play Bach", "play_music", "Now playing Bach.", artist="bach")],
         [("play_music", {"artist": "elgar"})]),
        ("A young gal instead.", [VOICE], [("audio_search", {"query": "a young gal"})]),
        ("No, a whispering voice!", [VOICE], [("audio_search", {"query": "a whisper"})]),
    ],
)  # fmt: skip
def test_everything_that_is_asked_is_called(
    request_: str, past: list[PastTurn], wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    assert calls(request_, *past) == wanted


@pytest.mark.parametrize(
    "said",
    [
        "The party of six at seven never arrived, can you believe it?",
        "We never know whether we switched off the lamp in the cellar.",
        "Set an alarm for quarter past five tomorrow morning.",
        "How do I get to the airport?",
        "What's the quickest way from here to the beach?",
        "Evenin', mate. You there?",
        "Ooh, that's snug.",
    ],
)
def test_nothing_is_called_for_what_no_tool_can_do(said: str) -> None:
    assert calls(said) == []


@pytest.mark.parametrize(
    ("said", "granted"),
    [
        ("Lovely. A touch quieter now.", "more quietly"), ("Faster, though.", "faster"),
        ("Much louder, please!", "louder"),
    ],
)  # fmt: skip
def test_a_bare_speed_or_volume_is_none_of_a_voice(said: str, granted: str) -> None:
    assert calls(said, VOICE) == []
    assert granted in str(reply(said, VOICE))


def test_a_deed_done_both_ways_is_a_question_of_ability() -> None:
    for said in ("Can you switch lamps on and off?", "Can you turn lights on and off, or is that not your thing?"):
        assert calls(said) == []
        assert str(reply(said)).startswith("Yes. I can")


@pytest.mark.parametrize(
    ("said", "past"),
    [
        ("Mm, that's lovely.", turn("play Bach", "play_music", "Now playing music by Bach.", artist="bach")),
        ("That oven takes five minutes longer than the box says.",
         turn("a timer for ten minutes", "set_timer", "The timer will ring in 10 minutes.", minutes=10)),
        ("Ha, you sound just like Grandma.", VOICE),
    ],
)  # fmt: skip
def test_a_remark_changes_nothing_of_the_call_before(said: str, past: PastTurn) -> None:
    assert calls(said, past) == []


def test_being_reminded_of_a_fact_is_a_question_for_it() -> None:
    assert calls("Remind me, what is a cello made of?") == calls("What is a cello made of?") != []
