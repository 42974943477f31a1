"""English number words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.text.numbers import (
    LARGEST,
    FoundNumber,
    find_numbers,
    number_words,
    ordinal_words,
    parse_number,
    year_words,
)


@given(st.integers(-LARGEST, LARGEST))
def test_every_integer_survives_the_spoken_form(number: int) -> None:
    assert parse_number(number_words(number)) == number


@given(st.integers(0, 10**6), st.integers(1, 9999))
def test_decimals_survive_the_spoken_form(whole: int, thousandths: int) -> None:
    number = float(f"{whole}.{thousandths:04d}")
    assert parse_number(number_words(number)) == pytest.approx(number)


@given(st.lists(st.sampled_from("a and two twenty hundred thousand point half oh minus 7 3.5 of x".split())))
def test_any_words_give_numbers_in_order_without_overlap(words: list[str]) -> None:
    found = find_numbers(words)
    assert all(0 <= number.start < number.end <= len(words) for number in found)
    assert all(first.end <= second.start for first, second in zip(found, found[1:], strict=False))


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("seventeen", 17),
        ("two and a half", 2.5),
        ("two hundred and five", 205),
        ("a hundred", 100),
        ("a dozen", 12),
        ("21,000", 21000),
        ("three point one four", 3.14),
        ("twenty-three", 23),
        ("minus four", -4),
        ("five apples", None),
        ("", None),
    ],
)
def test_spoken_numbers_are_understood(said: str, value: float | None) -> None:
    assert parse_number(said) == value


def test_neighbouring_numbers_stay_apart() -> None:
    assert find_numbers("nineteen and twenty three".split()) == [FoundNumber(19, 0, 1), FoundNumber(23, 2, 4)]
    assert [number.value for number in find_numbers("at six thirty".split())] == [6, 30]


def test_years_and_ordinals_sound_as_people_say_them() -> None:
    assert year_words(1889) == "eighteen eighty nine"
    assert year_words(1905) == "nineteen oh five"
    assert year_words(1900) == "nineteen hundred"
    assert year_words(2004) == "two thousand four"
    assert [ordinal_words(n) for n in (1, 12, 20, 23)] == ["first", "twelfth", "twentieth", "twenty third"]
