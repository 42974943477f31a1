"""English text as it is read aloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.text.spoken_form import spoken_form


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("21,000 km", "twenty one thousand kilometers"),
        ("It was built in 1889.", "It was built in eighteen eighty nine."),
        ("14:30", "fourteen thirty"),
        ("24 C", "twenty four degrees celsius"),
        ("17 * 23 = 391", "seventeen times twenty three equals three hundred ninety one"),
        ("2026-11-22", "November twenty second, twenty twenty six"),
        ("50%", "fifty percent"),
        ("see [the docs](https://x.y/z)", "see the docs"),
        ("-3 degrees", "minus three degrees"),
        ("**bold** words", "bold words"),
        ("Dr. Who met Dr. Strange (e.g. here)", "Doctor Who met Doctor Strange for example here"),
        ("Symphony No. 5", "Symphony number five"),
        ("Take #3 of C#2", "Take number three of C two"),
        ("He said No. Then he left.", "He said No. Then he left."),
    ],
)
def test_text_is_written_as_it_is_read_aloud(written: str, spoken: str) -> None:
    assert spoken_form(written) == spoken


@given(st.text())
def test_no_ascii_digit_is_left(text: str) -> None:
    assert not any(letter in "0123456789" for letter in spoken_form(text))
