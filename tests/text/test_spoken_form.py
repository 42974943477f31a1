"""English text as it is read aloud."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reading import form_errors, written_forms

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


@pytest.mark.parametrize(("name", "least", "share"), [("english", 150, 0.98), ("chinese", 60, 0.9)])
def test_most_forms_are_read_as_people_read_them(name: str, least: int, share: float) -> None:
    count, wrong = form_errors(name)
    assert count >= least and len(wrong) <= (1 - share) * count, wrong


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_read_aloud_already_stays(language: str) -> None:
    for written in written_forms(language):
        said = spoken_form(written, language)
        assert spoken_form(said, language) == said


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("A $5 coupon for a 500 mL bottle.", "A five dollar coupon for a five hundred milliliter bottle."),
        ("Open Mon.-Fri. 9am-5pm.", "Open Monday to Friday nine a m to five p m."),
        ("King George VI and Act III, Scene II.", "King George the sixth and Act three, Scene two."),
        ("Write to sales+eu@shop.co.uk.", "Write to sales plus eu at shop dot co dot uk."),
        ("See ~/docs/readme.md.", "See tilde slash docs slash readme dot md."),
        ("Add 3/4 tsp to 1 1/2 cups.", "Add three quarters teaspoon to one and a half cups."),
        ("Text 555-867-5309.", "Text five five five, eight six seven, five three zero nine."),
        (
            "It rose 5%-10% on 12/25/2023.",
            "It rose five percent to ten percent on December twenty fifth, twenty twenty three.",
        ),
        ("Dr. Lee lives at 9 Elm Dr. in town.", "Doctor Lee lives at nine Elm Drive in town."),
        ("The year 1066, the 2010s.", "The year ten sixty six, the twenty tens."),
        ("٣ km", "three kilometers"),
        ("Pay 5$ by 31.12.2025. Then", "Pay five dollars by December thirty first, twenty twenty five. Then"),
        ("At 10 p.m. EST, ~20 min, 98/100", "At ten p m EST, about twenty minutes, ninety eight out of one hundred"),
        ("a 1080p film", "a ten eighty p film"),
        ("| a | 2 |\n|---|---|\n| b | 3 |", "a, two. b, three"),
    ],
)
def test_other_forms_are_read_as_people_read_them(written: str, spoken: str) -> None:
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Yahoo! is here.", "Yahoo is here."),
        ("Call 1-800-FLOWERS.", "Call one, eight hundred, flowers."),
        ("Order 1500 now, order ID 48213.", "Order one thousand five hundred now, order ID four eight two one three."),
        ("In a decade, facade 5 fell.", "In a decade, facade five fell."),
        ("#decade and #2a3b4c", "hashtag decade and hash two A three B four C"),
        ("Great! That works.", "Great! That works."),
        ("A 10-12-14 set on 10/12/2014.", "A ten twelve fourteen set on October twelfth, twenty fourteen."),
    ],
)  # fmt: skip
def test_codes_and_names_are_told_from_words_and_sentences(written: str, spoken: str) -> None:
    assert spoken_form(written) == spoken


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "part", ["₂", "x²²", "a - ", "= x ", "550e8400-", "978-", "A.", "Yahoo! ", "1-800-", "1h ", "f("]
)
def test_repeated_signs_take_no_time(part: str, language: str) -> None:
    text = part * (20_000 // len(part))
    started = time.process_time()
    spoken_form(text, language)
    assert time.process_time() - started < 6


def test_in_other_languages_only_the_markup_goes() -> None:
    assert spoken_form("**Il y a** 3 [chats](http://x.y) 🎉", "fr") == "Il y a 3 chats"
    assert spoken_form("*3* Katzen", None) == "3 Katzen"


@given(st.text())
def test_no_ascii_digit_is_left(text: str) -> None:
    assert not any(letter in "0123456789" for letter in spoken_form(text))
