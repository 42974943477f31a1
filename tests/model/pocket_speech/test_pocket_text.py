"""What Pocket TTS is given to read: whole words, in pieces that it can speak in one go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import BackendError
from agentaudio.model.pocket_tts.text import cut, readable


@pytest.mark.parametrize(
    ("text", "language", "read"),
    [
        ("It costs 21 km, **really**!", "en", "It costs twenty one kilometers, really!"),
        ("Hello 🙂 world — fine.", "en", "Hello world — fine."),
        ("Grüße aus 3 Städten: „Köln“ und Łódź.", "de", "Grüße aus 3 Städten: Köln und Łódź."),
        ("See https://example.org/x, then go.", "fr", "See example.org, then go."),
        ("e\u0301te\u0301", "fr", "été"),
        ("... 🙂 ?!", "en", ""),
        ("", "en", ""),
    ],
)
def test_what_cannot_be_read_aloud_is_left_out(text: str, language: str, read: str) -> None:
    assert readable(text, language) == read


def test_a_text_in_another_script_is_refused_and_a_foreign_word_left_out() -> None:
    assert readable("The word 你好 means hello.", "en") == "The word means hello."
    with pytest.raises(BackendError, match="'Привет, мир' is not in the Latin script"):
        readable("Привет, мир", "en")


def letters(text: str) -> int:
    return len(text.replace(" ", ""))


@given(st.lists(st.text("abc,", min_size=1, max_size=9), max_size=60), st.integers(9, 40))
def test_pieces_hold_every_word_and_at_most_so_many_tokens(words: list[str], most: int) -> None:
    found = cut(" ".join(words), most, letters)
    assert " ".join(found).split() == words
    assert all(0 < letters(piece) <= most for piece in found)


def test_a_piece_ends_behind_a_clause_where_one_ends_in_its_second_half() -> None:
    assert cut("aaaa bbbb, cccc dddd eeee", 16, letters) == ["aaaa bbbb,", "cccc dddd eeee"]
    assert cut("aaaa, bbbb cccc dddd eeee", 16, letters) == ["aaaa, bbbb cccc", "dddd eeee"]


def test_a_word_that_is_too_long_is_refused_in_one_line() -> None:
    with pytest.raises(BackendError, match="the word 'xxx.*' of 41 characters is too long"):
        cut("so " + "x" * 41, 40, letters)
