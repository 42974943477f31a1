"""Text in which a decoder repeats itself."""

from __future__ import annotations

import pytest

from agentaudio.model.whisper.repetition import repeats, without_repeats


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("So the wall is long. The wall is long. The wall is long.", "So the wall is long."),
        ("Thank you. Thank you. Thank you. Thank you. Thank you. Bye.", "Thank you. Bye."),
        ("no no no no no no", "no"),
        ("How late is it? Multiply 31 by 14. Multiply 31 by 14.", "How late is it? Multiply 31 by 14."),
        ("one, two, three, four, one, two, three, four, one, two, three, four, five", "one, two, three, four, five"),
        (
            "Jupiter is the largest planet and it turns once in less than 10 hours. Jupiter is the largest planet and "
            "it turns once in less than 10 hours.",
            "Jupiter is the largest planet and it turns once in less than 10 hours.",
        ),
        ("中国长城中国长城中国长城", "中国长城"),
    ],
)
def test_finds_and_removes_runs(text: str, kept: str) -> None:
    assert repeats(text)
    assert without_repeats(text) == kept


@pytest.mark.parametrize(
    "text",
    ["", "no", "no, no, no", "Very, very good.", "Ask not what your country can do for you, ask what you can do for "
     "your country.", "oh seven nine four two two six one five", "谢谢你"],
)  # fmt: skip
def test_what_people_say_is_left_alone(text: str) -> None:
    assert not repeats(text)
    assert without_repeats(text).split() == text.split()
