"""Sentences that sound like a request but only report something, and what they must not set off."""

from __future__ import annotations

from typing import Any

import pytest
from support.dialogues import turn

from agentaudio.model.embedded.dialogue.reports import is_long_past, is_report

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")

from support.dialogue_calls import calls  # noqa: E402


@pytest.mark.parametrize(
    "told",
    [
        "My uncle reserved a table for six last Friday", "Grandma always turned off the lamp in the hall",
        "we used to set a timer for ten minutes", "Every Sunday we play Bach", "they were playing Elgar at the wedding",
        "She has already booked a table for three at nine", "I hate it when people leave the light on in the kitchen",
        "He sings in a deep voice", "when i was young my mother switched off the lights at nine",
        "It takes me forty minutes to get home", "that voice on the radio was so calm",
    ],
)  # fmt: skip
def test_what_was_or_always_is_so_is_a_report(told: str) -> None:
    assert is_report(told)


@pytest.mark.parametrize(
    "asked",
    [
        "I left the kitchen light on", "I need the lights turned off in the hall", "my son wants some jazz",
        "it is dark in the cellar", "we are five for dinner", "I said fifteen", "the one before was better",
        "my daughter loves Queen play some of it", "did you book the table", "I wanted to book a table for two",
        "my friends need a table at seven", "switch off what I turned on",
    ],
)  # fmt: skip
def test_what_calls_for_something_is_no_report(asked: str) -> None:
    assert not is_report(asked)


@pytest.mark.parametrize(
    "told",
    [
        "My husband and I booked a table for two last night.",
        "My mother always switched on the light in the hall.",
        "Somebody turned off the lights in the garage last night and frightened the dog.",
        "They were playing Vivaldi at the wedding.",
        "When I was a boy, my father used to set a timer for ten minutes.",
        "My new boss speaks in a very deep voice.",
        "We drove six hundred miles yesterday.",
        "My cousin converted the barn into a studio.",
        "I am so tired. What a day!",
    ],
)
def test_a_report_calls_nothing(told: str) -> None:
    assert calls(told) == []


def test_a_report_of_long_ago_changes_nothing_of_the_call_before() -> None:
    booked = turn("a table for two at seven", "book_table", "Booked.", people=2, hour="seven")
    assert is_long_past("We were five people there last week.")
    assert calls("We were five people there last week.", booked) == []
    assert calls("Five people, sorry.", booked) == [("book_table", {"people": 5, "hour": "seven"})]


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("My brother loves Queen. Play some Queen, please.", ("play_music", {"artist": "queen"})),
        ("I booked a table last week and it was great. A table for two at eight, please.",
         ("book_table", {"people": 2, "hour": "eight"})),
        ("I left the light on in the attic, switch it off.", ("switch_light", {"room": "attic", "state": "off"})),
    ],
)  # fmt: skip
def test_a_request_beside_a_report_is_still_taken(request_: str, wanted: tuple[str, Any]) -> None:
    assert calls(request_) == [wanted]
