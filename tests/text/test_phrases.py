"""Splitting an answer into phrases to be spoken one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentaudio.text.phrases import LONGEST_PHRASE, PhraseStream, pieces


def phrases(text: str) -> list[str]:
    stream = PhraseStream()
    return stream.push(text) + stream.finish()


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


def test_empty_text_has_no_phrases() -> None:
    assert phrases("") == phrases(" \n ") == []


def test_an_endless_sentence_is_cut_between_words() -> None:
    cut = phrases("word " * 500)
    assert max(map(len, cut)) <= LONGEST_PHRASE


@given(st.text(alphabet=st.sampled_from("abI .,;:!?\n-'12。é\"()"), max_size=400) | st.text(max_size=200))
def test_no_character_is_lost(text: str) -> None:
    assert "".join("".join(phrases(text)).split()) == "".join(text.split())


@given(st.text(max_size=400), st.integers(1, 60))
def test_pieces_exceed_the_limit_only_for_a_longer_word(text: str, longest: int) -> None:
    for piece in pieces(text, longest):
        assert piece and (len(piece) <= longest or " " not in piece)


TEXTS = st.lists(
    st.sampled_from(
        ["the", "wall", "Great", "Dr.", "No.", "5", "12.", "e.g.", "3.5", "end.", "long,", "so;", "end!", '"Yes."', "-",
         "why?", "...", "and", "a", "\n", "\n\n", "  ", "。", "长城", "U.S.", "1.", "*"]
    ),
    max_size=60,
).map(" ".join)  # fmt: skip


@given(st.data())
def test_phrases_do_not_depend_on_how_the_text_arrives(data: st.DataObject) -> None:
    text = data.draw(TEXTS | st.text(alphabet=st.sampled_from("abI .,;:!?\n-'12。é\"()"), max_size=400))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    stream = PhraseStream()
    arrived = [stream.push(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert sum(arrived, []) + stream.finish() == phrases(text)


def test_a_phrase_is_ready_before_the_sentence_is_complete() -> None:
    stream = PhraseStream()
    words = "The Great Wall is long, and it is old. It was built by".split()
    ready = {number: found for number, word in enumerate(words) if (found := stream.push(word + " "))}
    assert ready == {6: ["The Great Wall is long,"], 8: ["and it is old."]}
    assert stream.finish() == ["It was built by"]
