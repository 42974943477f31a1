"""Texts are cut between words, in every script, and never inside a character."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.text.cutting import whole_words


@pytest.mark.parametrize(
    ("text", "end", "left"),
    [
        ("the quick fox", 3, "the"),
        ("the quick fox", 6, "the "),
        ("the quick fox", 13, "the quick fox"),
        ("the quick fox", 99, "the quick fox"),
        ("quick", 3, ""),
        ("well,know", 6, "well,"),
        ("don't go", 4, ""),
        ("it is 3.14 m", 8, "it is "),
        ("it is 3.14 m", 7, "it is "),
        ("at 12:30", 5, "at "),
        ("so 3. Then", 5, "so 3."),
        ("今天天气很好", 2, "今天"),
        ("สวัสดี", 2, "ส"),
        ("Tiếng Việt", 8, "Tiếng "),
        (unicodedata.normalize("NFD", "cafés"), 4, ""),
        (unicodedata.normalize("NFD", "ah, é"), 5, "ah, "),
        ("안녕하세요 여러분", 7, "안녕하세요 "),
        ("नमस्ते दुनिया", 3, ""),
        ("ok 👩‍🚀!", 4, "ok "),
        ("ok 👍🏽!", 4, "ok "),
        ("ok 🇫🇷🇩🇪", 4, "ok "),
        ("ok 🇫🇷🇩🇪", 5, "ok 🇫🇷"),
        ("مرحبا بالعالم", 8, "مرحبا "),
        ("", 0, ""),
    ],
)
def test_a_cut_leaves_whole_words(text: str, end: int, left: str) -> None:
    assert whole_words(text, end) == left


@given(st.text(max_size=20), st.integers(0, 25))
def test_a_cut_is_a_beginning_that_is_not_longer(text: str, end: int) -> None:
    left = whole_words(text, end)
    assert text.startswith(left) and len(left) <= max(end, 0)
    assert whole_words(text, len(left)) == left
