"""Sentence ends, in whole and in streamed text."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.reading import SCRIPTS, sentence_errors

from agentaudio.text.sentences import SentenceStream, sentence_spans, sentences

PUNCTUATED = st.text(alphabet=st.sampled_from("abIN .,;:!?…\n-'12。！é\"()你好。」•"), max_size=200)
WRITTEN = st.lists(
    st.sampled_from(
        [
            "Dr.",
            "e.g.",
            "etc.",
            "U.S.",
            "No.",
            "5",
            "3.5",
            "St.",
            "J.",
            "I.",
            "I",
            "word",
            "Word",
            "wait...",
            "so",
            "1.",
        ]
        + ["\n\n", "\n-", "你好。", "吗？", "」", '"', '."', "!)", "好!", "...", "…", "?", "!"]
    ),
    max_size=30,
).map(" ".join)
TEXTS = PUNCTUATED | WRITTEN | st.text(max_size=200)


@pytest.mark.parametrize(
    "text",
    [
        "The moon is 384,400 km away",
        "It weighs 3.5 tons",
        "Dr. Smith met J. S. Bach, e.g. in St. Louis",
        "It opens at 7 p.m. on Jan. 5 for you",
        "Symphony No. 5 was first heard then",
        "Well... perhaps not.",
        "Wait… what?",
        '"Really?" she asked.',
        "「真的吗？」他问。",
        "(It rained!) and then it stopped.",
        "1. Wash the rice.",
        "See agentaudio.text for more.",
        "At 7 p.m. 12 people came",
        "你好!ok",
        "main.你好",
    ],
)
def test_numbers_names_abbreviations_and_quotations_stay_whole(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "He said no. Then he left.",
        "We meet at 7 p.m. Then we eat.",
        "So am I. Good.",
        "Stop! Why?",
        'He said "no." Then he left.',
        "I waited... Nobody came.",
        "A heading\n\nand its text",
        "Two things:\n- the first",
        "1. Wash the rice. 2. Boil it.",
        "你好。我是小李。",
        "你好!我是小李",
        "It ended。Then it began.",
        "It fills the left col. Then it stops.",
    ],
)
def test_sentences_end_at_stops_in_any_script(text: str) -> None:
    assert len(sentences(text)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "He was at Downing St. with Lt. Gov. Ames, Mass. and Ph.D. students.",
        "She is 5 ft. 4 in. tall (approx.) and weighs 130 lbs. at most.",
        "In Feb. 2001 the U.S. Senate met Col. Hale, cf. pp. 3-9, vol. 2, ch. 7.",
        "ए. के. हंगल और डॉ. राव मिले।",
        "قال أ. د. سمير و م. خالد ذلك.",
        "“走吧。”他说。",
        "他想……还是走了。",
        "रुको... शायद नहीं।",
        "价格是１．５元。",
    ],
)
def test_abbreviations_quotations_and_ellipses_stay_whole_in_any_script(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "He left the U.S. Then he came back.",
        "We saw plan B. It was better.",
        "We live on Main St. It is quiet.",
        "यह घर है।वह पेड़ है।",
        "ស្អាតណាស់។ យើងទៅ។",
        "یہ گھر ہے۔ وہ درخت ہے۔",
        "ይህ ቤት ነው። ያ ዛፍ ነው።",
        "他说“好。”我说“不好。”",
        "Ok. so what now?",
        'मैंने कहा, "रुको!" वह रुक गया।',
    ],
)
def test_sentences_end_before_another_one_in_any_script(text: str) -> None:
    assert len(sentences(text)) == 2


def test_at_least_98_percent_of_the_sentence_ends_in_five_scripts_are_right() -> None:
    measured = [sentence_errors(script) for script in SCRIPTS]
    ends, errors = sum(found[0] for found in measured), sum(found[1] for found in measured)
    assert ends >= 200 and errors <= 0.02 * ends, [found[2] for found in measured]


def test_quotation_marks_and_brackets_belong_to_the_sentence_that_they_close() -> None:
    assert sentences("他说：“你好。”然后走了。") == ["他说：“你好。”", "然后走了。"]
    assert sentences('He asked "Why?" Nobody knew.') == ['He asked "Why?"', "Nobody knew."]


def test_spans_leave_out_the_white_space_around_sentences() -> None:
    text = "  One.  Two \n\n three! "
    assert [text[start:end] for start, end in sentence_spans(text)] == ["One.", "Two", "three!"]
    assert sentence_spans(" \n ") == [] and sentences("") == []


@given(TEXTS)
def test_no_character_is_lost(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
    ends = [0, *(end for _, end in sentence_spans(text))]
    for (start, end), previous in zip(sentence_spans(text), ends, strict=False):
        assert previous <= start < end and not text[previous:start].strip()


@given(TEXTS, st.data())
def test_any_cut_of_the_text_gives_the_same_sentences(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=40)))
    stream, found = SentenceStream(), []
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        found += stream.push(text[start:end])
    assert found + stream.finish() == sentences(text)


@given(TEXTS)
@example("Two things:\n- one\n12) two")
def test_character_by_character_gives_the_same_sentences(text: str) -> None:
    stream = SentenceStream()
    found = [sentence for character in text for sentence in stream.push(character)]
    assert found + stream.finish() == sentences(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Yahoo! is a portal. Yes.", 2), ("Who watched Jeopardy! last night? Me.", 2), ("Guess? makes jeans.", 1),
        ("Try Kahoot! Games today.", 1), ("I use Yahoo! The mail is good.", 2), ("Hello! how are you?", 2),
        ("Oh no! that is bad.", 2), ("We won in Paris! Next is Rome.", 2), ("They sang in Mamma Mia! and left.", 1),
        ("Stop! It is hot.", 2), ("Is it Ana? she asked.", 2),
    ],
)  # fmt: skip
def test_a_mark_that_belongs_to_a_name_ends_no_sentence(text: str, count: int) -> None:
    assert len(sentences(text)) == count
    stream = SentenceStream()
    pieces = [sentence for letter in text for sentence in stream.push(letter)]
    assert [*pieces, *stream.finish()] == sentences(text)


def test_a_sentence_is_given_out_before_the_next_one_begins() -> None:
    stream = SentenceStream()
    assert stream.push("It is late") == [] and stream.push(".") == []
    assert stream.push(" ") == ["It is late."]
    assert stream.push("Dr. ") == [] and stream.push("Who? ") == ["Dr. Who?"]
    assert stream.push("好。") == [] and stream.push("的") == ["好。"]
    assert stream.finish() == ["的"] and stream.finish() == []
    assert stream.push("Another text. ") == ["Another text."]


@pytest.mark.parametrize(
    "piece", ["Mr. ", "1. ", "A. ", "e.g. x ", '..." ', "St. ", "No. ", "a.m. ", "x.y", "\n- ", ". "]
)
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    def seconds(count: int) -> float:
        text = "   " * count + piece * count
        begun = time.process_time()
        sentences(text)
        return time.process_time() - begun

    assert seconds(30_000) < 40 * seconds(3_000) + 0.1
