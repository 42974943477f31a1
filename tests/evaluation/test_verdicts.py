"""Verdicts of judges: what is one, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.evaluation.scorers.judged import CORRECT, ONE_TO_FIVE, YES_NO


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("CORRECT", 1.0),
        ("**Correct.**", 1.0),
        ("The candidate is correct", 1.0),
        ("INCORRECT", 0.0),
        ('{"verdict": "incorrect"}', 0.0),
        ("not correct", None),
        ("That isn't correct.", None),
        ("correct or incorrect", None),
        ("I would not say that it is correct", None),
        ("correct, or rather not correct", None),
        ("It isn’t quite correct", None),
        ("Correct? No.", None),
        ("This is not a hard one: correct.", 1.0),
        ("Correct. It does not matter that the name is misspelt.", 1.0),
        ("correctly", None),
        ("", None),
        ("I cannot help with that.", None),
        ('{"comment": "correct"}', None),
        ('{"verdict": "correct", "score": "incorrect"}', None),
        ('{"verdict": "correct", "verdict": "incorrect"}', None),
        ('{"correct": "x", "correct": "y"}', None),
        ('["correct"]', None),
        ('Result: {"comment": "correct"}', None),
        ('Here you are: {"verdict": "incorrect", "comment": "nothing is correct"}', 0.0),
        ('```json\n{"verdict": "correct"}\n```\nThe names agree.', 1.0),
        ('INCORRECT {"verdict": "correct"}', None),
        ('{"verdict": "correct"} {"verdict": "incorrect"}', None),
        ('{"verdict": "correct", "score": 1} correct', None),
        ("Correct: no", None),
        ("correct = false", None),
        ("Correct: no error was found", 1.0),
        ("partially correct", None),
        ("It is unclear whether it is correct.", None),
        ("[" * 100_000, None),
        ('{"verdict":' * 100_000, None),
    ],
)
def test_a_word_is_a_verdict_when_it_is_the_only_one_and_whole(reply: str, verdict: float | None) -> None:
    assert CORRECT(reply) == verdict


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("4", 4),
        ("Score: 4", 4),
        ("4/5", 4),
        ("4 out of 5", 4),
        ("I give it a 5. Yes, 5.", 5),
        ('{"score": 3, "comment": "2 mistakes"}', 3),
        ('```json\n{"rating": "2"}\n```', 2),
        ("Score: maybe", None),
        ("3 or 4", None),
        ("4.5", None),
        ("6", None),
        ("0", None),
        ("-3", None),
        ("40%", None),
        ('{"comment": "a 4 I would say"}', None),
        ('{"score": 4, "score": 2}', None),
        ('{"score": {"value": 4}}', None),
        ("", None),
        ("As a language model I do not rate people.", None),
        ('Sure: {"comment": "it has 3 facts"}', None),
        ('Here is my verdict:\n```json\n{"score": 4, "comment": "3 facts"}\n```', 4),
        ('{"score": 4}\n{"score": 4}', 4),
        ('{"score": 4}{"score": 5}', None),
        ("3-4", None),
        ("3 – 4", None),
        ("4.5%", None),
        ("4 %", None),
        ("4?", None),
        ("I would not give this a 5.", None),
        ("Not a 4", None),
        ("It does not answer the question, so 2", 2),
        ("Not helpful. Score: 1", 1),
        ("It isn't right: 2.0", 2),
        ("Rating: [[4]]", 4),
    ],
)
def test_a_number_is_a_verdict_when_it_is_the_only_one_on_the_scale(reply: str, verdict: float | None) -> None:
    assert ONE_TO_FIVE(reply) == verdict


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("No.", 0.0),
        ("No, it is another city.", 0.0),
        ("No it is not the same", 0.0),
        ("The answer is no because the dates differ", 0.0),
        ("No - the dates differ", 0.0),
        ("Yes, there is no doubt.", 1.0),
        ("No idea.", None),
        ("No response", None),
        ("There is no way to tell", None),
        ("There is no reason to say yes", None),
        ("no answer was given", None),
        ("Yes and no", None),
        ("No: not", 0.0),
    ],
)
def test_a_no_before_a_noun_is_no_verdict(reply: str, verdict: float | None) -> None:
    assert YES_NO(reply) == verdict


def test_a_truth_value_of_json_is_yes_or_no() -> None:
    assert YES_NO('{"correct": true}') == 1.0 and YES_NO('{"correct": false}') == 0.0


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_reply_has_a_verdict_on_the_scale_or_none(reply: str) -> None:
    assert ONE_TO_FIVE(reply) in (None, 1, 2, 3, 4, 5)
    assert CORRECT(reply) in (None, 0, 1) and YES_NO(reply) in (None, 0, 1)
