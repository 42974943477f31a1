"""Where an answer is cut so that it can be spoken piece by piece."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.model.embedded.speaking.phrasing import LONGEST_PHRASE, phrases, pieces, sentences


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


@pytest.mark.parametrize(
    "text",
    [
        "The moon is 384,400 km away",
        "It weighs 3.5 tons",
        "Dr. Smith met J. S. Bach, e.g. in St. Louis",
        "It opens at 7 p.m. on Jan. 5 for you",
        "Symphony No. 5 was first heard then",
    ],
)
def test_numbers_names_and_abbreviations_stay_whole(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize("text", ["He said no. Then he left.", "We meet at 7 p.m. Then we eat.", "So am I. Good."])
def test_words_that_look_abbreviated_still_end_a_sentence(text: str) -> None:
    assert len(sentences(text)) == 2


def test_nothing_gives_nothing() -> None:
    assert phrases("") == phrases(" \n ") == []


def test_an_endless_sentence_is_cut_between_words() -> None:
    cut = phrases("word " * 500)
    assert max(map(len, cut)) <= LONGEST_PHRASE


@given(st.text(alphabet=st.sampled_from("abI .,;:!?\n-'12。é\"()"), max_size=400) | st.text(max_size=200))
def test_every_word_is_kept_in_order(text: str) -> None:
    assert " ".join(phrases(text)).split() == text.split()


@given(st.text(max_size=400), st.integers(1, 60))
def test_pieces_are_no_longer_than_asked_unless_a_word_is(text: str, longest: int) -> None:
    for piece in pieces(text, longest):
        assert piece and (len(piece) <= longest or " " not in piece)
