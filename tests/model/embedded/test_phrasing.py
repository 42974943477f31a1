"""Where an answer is cut so that it can be spoken piece by piece."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentaudio.model.embedded.speaking.phrasing import LONGEST_PHRASE, phrases, pieces


def test_opens_with_a_short_piece_and_goes_on_sentence_by_sentence() -> None:
    text = "The Great Wall is a series of fortifications, built by several dynasties. It is long. You can walk on it!"
    assert phrases(text) == [
        "The Great Wall is a series of fortifications,",
        "built by several dynasties.",
        "It is long.",
        "You can walk on it!",
    ]


def test_an_opening_of_few_words_is_not_chopped() -> None:
    assert phrases("Yes, it is open until six in the evening.") == ["Yes, it is open until six in the evening."]


def test_nothing_gives_nothing() -> None:
    assert phrases("") == phrases(" \n ") == []


def test_an_endless_sentence_is_cut_between_words() -> None:
    cut = phrases("word " * 500)
    assert max(map(len, cut)) <= LONGEST_PHRASE


@given(st.text(alphabet=st.sampled_from("abI .,;:!?\n-'12。é\"()"), max_size=400) | st.text(max_size=200))
def test_no_character_is_lost(text: str) -> None:
    assert "".join("".join(phrases(text)).split()) == "".join(text.split())


@given(st.text(max_size=400), st.integers(1, 60))
def test_pieces_are_no_longer_than_asked_unless_a_word_is(text: str, longest: int) -> None:
    for piece in pieces(text, longest):
        assert piece and (len(piece) <= longest or " " not in piece)
