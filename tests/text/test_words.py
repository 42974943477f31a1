"""Words of requests, search terms, and the three stemmers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.text.stems import root, singular, stem
from agentaudio.text.terms import search_terms
from agentaudio.text.words import content_words, is_question, split_words


def test_contractions_are_written_out_and_numbers_and_signs_stay() -> None:
    assert split_words("What's 1,000 * 3.5 km/h?") == ["what", "is", "1,000", "*", "3.5", "km/h"]
    assert content_words("Please tell me about the old towers") == ["old", "towers"]


def test_search_terms_fold_case_accents_and_plurals_and_pair_chinese_characters() -> None:
    assert search_terms("The Cafés of two Cities") == ["cafe", "two", "city"]
    assert search_terms("长城很长") == ["长城", "城很", "很长"]
    assert search_terms("茶") == ["茶"] and search_terms("the of") == []
    assert search_terms("磨坊iPhone手机") == ["磨坊", "iphone", "手机"]


def test_words_of_names_are_the_same_however_their_accents_were_typed() -> None:
    for name in ("Zoë", "José Núñez", "Łukasz Ångström", "Việt"):
        assert split_words(unicodedata.normalize("NFD", name)) == split_words(unicodedata.normalize("NFC", name))
        assert search_terms(unicodedata.normalize("NFD", name)) == search_terms(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    ("text", "query", "other"),
    [
        ("किताबें मेज़ पर हैं।", "किताबें", "कत"),
        ("বইগুলি টেবিলে আছে।", "টেবিলে", "টবল"),
        ("புத்தகம் மேசையில் உள்ளது.", "புத்தகம்", "பததகம"),
        ("หนังสือวางอยู่บนโต๊ะ", "หนังสือ", "รถไฟ"),
        ("ປຶ້ມຢູ່ເທິງໂຕະ", "ປຶ້ມ", "ລົດໄຟ"),
        ("សៀវភៅនៅលើតុ", "សៀវភៅ", "រថភ្លើង"),
        ("စာအုပ်က စားပွဲပေါ်မှာ", "စာအုပ်", "ရထား"),
        ("도서관에는 책이 많습니다.", "도서관", "기차"),
        ("도서관에는 책이 많습니다.", "책", "기차"),
        ("الكِتَابُ على الطاولة", "الكتاب", "القطار"),
        ("کتاب‌ها روی میز هستند", "کتابها", "قطار"),
        ("本は机の上にある。", "机の上", "列車"),
    ],
)
def test_texts_in_scripts_with_vowel_signs_or_without_spaces_are_found_by_words(
    text: str, query: str, other: str
) -> None:
    index = TextIndex([text, "something else"])
    assert [id for id, _ in index.search(query, 5)] == [0]
    assert index.search(other, 5) == []


@pytest.mark.parametrize(
    ("word", "in_singular", "stemmed", "rooted"),
    [
        ("cities", "city", "city", "citie"),
        ("whispered", "whispered", "whisper", "whisper"),
        ("higher", "higher", "higher", "high"),
        ("james", "jame", "jame", "jame"),
        ("paris", "paris", "pari", "pari"),
        ("glass", "glass", "glass", "glas"),
    ],
)
def test_stemmers_take_off_more_and_more(word: str, in_singular: str, stemmed: str, rooted: str) -> None:
    assert (singular(word), stem(word), root(word)) == (in_singular, stemmed, rooted)


@given(st.text(alphabet=st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=12))
def test_a_stem_is_never_empty_and_never_longer_than_its_word(word: str) -> None:
    for shortened in (singular(word), stem(word), root(word)):
        assert 0 < len(shortened) <= len(word)


@pytest.mark.parametrize("text", ["What is tea?", "is it open", "tell me how it works"])
def test_questions_are_recognised(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize("text", ["", "Can you play music?", "Play some music."])
def test_requests_are_not_questions(text: str) -> None:
    assert not is_question(text)
