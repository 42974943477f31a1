"""Phrases for Kokoro are long enough, lose no word, and do not depend on how the text was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.model.kokoro.phrases import LONGEST_WORDS, SHORTEST_WORDS, SafePhrases
from agentaudio.text.words import word_count

TEXTS = (
    "Sure. It is long. The Great Wall is a series of fortifications, built by several dynasties. Yes. No.",
    "Sure.",
    "One moment. Please.",
    "你好。长城是一系列防御工事，由几个朝代建造。",
    "When the rain had stopped, the children ran into the garden behind the house, where the old apple trees stood, "
    "and looked for the red ball, which had rolled under the hedge, or into the pond; nobody knew. It was gone.",
    "长城是世界上最长的城墙，由几个朝代用了两千多年的时间建造，今天每年有几百万人去那里参观，大部分人从北京出发。",
    "",
)


def phrases(pieces: list[str]) -> list[str]:
    stream = SafePhrases()
    found = [phrase for piece in pieces for phrase in stream.push(piece)]
    return found + stream.finish()


@pytest.mark.parametrize("text", TEXTS)
def test_all_phrases_but_the_last_are_long_enough_and_hold_every_word(text: str) -> None:
    found = phrases([text])
    assert all(word_count(phrase) >= SHORTEST_WORDS for phrase in found[:-1])
    assert "".join(" ".join(found).split()) == "".join(text.split())


@pytest.mark.parametrize("text", TEXTS[4:6])
def test_a_long_sentence_is_cut_at_its_clause_marks(text: str) -> None:
    found = phrases([text])
    assert len(found) >= 2 and max(map(word_count, found)) <= LONGEST_WORDS
    assert all(phrase[-1] in ",;:.，。" for phrase in found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "The national museum is open from nine in the morning until six in the evening. It is on the main square "
            "from Monday until Friday.",
            ["The national museum is open", "from nine in the morning until six in the evening."],
        ),
        ("The national museum is open from nine until six.", ["The national museum is open", "from nine until six."]),
        ("The old museum stays open for us all.", None),  # a part would be too short
        (
            "Seventeen times twenty three equals three hundred ninety one.",
            ["Seventeen times twenty three", "equals three hundred ninety one."],
        ),
        ("The museum is open from nine on Sundays.", None),  # short enough
        (
            "The main span of the old bridge is four hundred meters long.",
            ["The main span of the old bridge", "is four hundred meters long."],
        ),
        (
            "The blue whale is the largest animal that has ever lived on Earth.",
            ["The blue whale is the largest animal", "that has ever lived on Earth."],
        ),
        (
            "It rained on the day that is remembered by all of us.",
            ["It rained on the day", "that is remembered by all of us."],
        ),
        ("Five horses could ride side by side along the wall.", None),
        (
            "Come in because the door of our old house stands open",
            ["Come in because the door of our old house stands open"],
        ),
    ],
)
def test_a_long_opening_is_cut_before_a_word_that_begins_a_part(text: str, wanted: list[str] | None) -> None:
    found = phrases([text])
    assert found[:2] == (wanted or [text])
    assert " ".join(found) == text


@pytest.mark.parametrize("first", ["General Meng Tian led the work ", "The walls were all made of stone. "])
def test_a_long_second_phrase_is_cut_so_that_it_is_ready_when_the_first_was_heard(first: str) -> None:
    text = f"{first}on the Great Wall for the first emperor with about three hundred thousand men."
    assert phrases([text])[1:] == [
        "on the Great Wall for the first emperor",
        "with about three hundred thousand men.",
    ]


def test_a_short_opening_is_joined_with_what_follows() -> None:
    assert phrases(["Sure. It is six miles long. I see."])[0] == "Sure. It is six miles long."


@given(st.sampled_from(TEXTS), st.lists(st.integers(0, 100), max_size=6))
def test_phrases_do_not_depend_on_how_the_text_arrives(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert phrases([text[a:b] for a, b in zip(edges, edges[1:], strict=False)]) == phrases([text])


@pytest.mark.parametrize(("text", "words"), [("I don't know", 4), ("长城很长。", 4 / 1.5), ("CD 长城", 1 + 2 / 1.5)])
def test_words_are_counted_in_both_scripts(text: str, words: float) -> None:
    assert word_count(text) == pytest.approx(words)
