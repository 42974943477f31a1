"""Clock times are moved in the way they were said."""

from __future__ import annotations

import pytest

from agentaudio.model.embedded.dialogue.clock import moved, with_minutes


@pytest.mark.parametrize(
    ("time", "minutes", "later"),
    [
        ("half past six", 60, "half past seven"), ("seven", 60, "eight"), ("quarter to nine", 30, "quarter past nine"),
        ("19:30", 60, "20:30"), ("eight o'clock", 30, "half past eight"), ("noon", 60, "one"),
        ("seven thirty", -30, "seven"),
        ("7 pm", 90, "8:30 pm"), ("twelve", 60, "one"), ("ten past five", -20, "four fifty"), ("soon", 60, None),
    ],
)  # fmt: skip
def test_a_time_is_moved(time: str, minutes: int, later: str | None) -> None:
    assert moved(time, minutes) == later


def test_other_minutes_keep_the_hour() -> None:
    assert with_minutes("half past", "three") == "half past three"
    assert with_minutes("quarter to", "7 pm") == "quarter to seven"
    assert with_minutes("later", "three") is None
