"""Comparing answers and arguments with what a suite expects."""

from __future__ import annotations

import pytest

from agentaudio.evaluation.suites.schema import Rule
from agentaudio.evaluation.suites.words import argument_fault, missing, unsupported

MOON = (
    "The Moon is about 384,000 kilometers away from the Earth. Twelve astronauts walked on the Moon. "
    "The last left it in 1972."
)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("384,000", "It is about 384000 km away."),
        ("384000", "It is about 384,000 km away."),
        ("three|3", "An octopus has 3 hearts."),
        ("Olympus Mons", "It is called olympus mons."),
        ("national museum", "The National Museum, of course."),
        ("12.5", "That makes 12.5."),
        ("三", "章鱼有三颗心脏。"),
        ("38万", "月亮离地球约３８万公里。"),
        ("e mail", "Your e-mail"),
        ("museum", "The museum's hall"),
        ("冰", "冰山很大"),
        ("GPS", "用GPS定位"),
        ("лёд", "Это лёд."),
        ("-5", "It is -5 degrees."),
    ],
)
def test_words_are_found_however_they_are_written(wanted: str, text: str) -> None:
    assert missing([wanted], text) == []


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("21", "It is 211 meters."), ("21", "It is 1.21"), ("12", "12.5"), ("sent", ""), ("|", "a"), ("4", "384,000"),
        ("5", "It is -5 degrees."), ("ice", "A voice"), ("four", "fourteen"), ("no", "I know"), ("лёд", "Лёдник"),
        ("café", "cafés"),
    ],
)  # fmt: skip
def test_a_word_or_number_is_not_found_inside_another(wanted: str, text: str) -> None:
    assert missing([wanted], text) == [wanted]


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("Asia/Tokyo", "asia/tokyo"),
        (4, 4.0),
        (4, "4"),
        (True, True),
        (None, None),
        (Rule(contains=["national", "museum"]), "the National Museum"),
        (Rule(any_of=["Asia/Tokyo", "Tokyo"]), "tokyo"),
        (Rule(computes=391), "17 * 23"),
        (Rule(computes=0.3), "0.1+0.2"),
    ],
)
def test_arguments_that_mean_the_same_are_right(rule: Rule | str | int, given: object) -> None:
    assert argument_fault(rule, given) is None


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("Asia/Tokyo", "Asia/Seoul"),
        (4, True),
        (4, "four"),
        (False, 0),
        (None, ""),
        ("x", None),
        (Rule(contains=["national"]), "science museum"),
        (Rule(any_of=["a", "b"]), "c"),
        (Rule(computes=391), "17 * 24"),
        (Rule(computes=391), "seventeen"),
        (Rule(computes=391), None),
    ],
)
def test_other_arguments_are_faults(rule: Rule | str | int, given: object) -> None:
    assert argument_fault(rule, given)


@pytest.mark.parametrize(
    "answer",
    [
        "The Moon is 384000 kilometers away.",
        "Twelve astronauts walked there.",
        "12 astronauts walked on the Moon.",
        "It is three hundred eighty-four thousand kilometers away.",
        "The last of them left in nineteen seventy-two.",
        "Yes, of course.",
        "I found nothing about that in my documents.",
        "",
    ],
)
def test_what_was_read_is_supported(answer: str) -> None:
    assert unsupported(answer, [MOON]) == []


@pytest.mark.parametrize(
    "answer",
    [
        "The Moon is 400,000 kilometers away.",
        "Fourteen astronauts walked on the Moon.",
        "The last astronauts left the Moon in nineteen seventy-four.",
        "It is three hundred eighty-five thousand kilometers away.",
        "I believe that 14 astronauts walked there.",
        "Its surface consists of yellow cheese.",
        "The Moon is about 384,000 kilometers away. It formed 4 billion years ago.",
    ],
)
def test_inventions_are_found(answer: str) -> None:
    assert len(unsupported(answer, [MOON])) == 1
