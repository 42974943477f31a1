"""English and Chinese as the symbols that Kokoro speaks."""

from __future__ import annotations

import pytest
from support.weights import weights_folder

from agentaudio.errors import BackendError
from agentaudio.model.kokoro.phrases import SafePhrases
from agentaudio.model.kokoro.pronunciation import Pronunciation
from agentaudio.model.kokoro.symbols import IDS, LONGEST


@pytest.fixture(scope="module")
def pronunciation() -> Pronunciation:
    return Pronunciation(weights_folder("misaki"))


def said(pronunciation: Pronunciation, text: str, **options: object) -> str:
    return " ".join(part.phonemes for part in pronunciation(text, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("The apple, the pear.", "ði ˈæpᵊl, ðə pˈɛɹ."),
        ("I go to a school to eat.", "ˌI ɡˌO tʊ ɐ skˈul tʊ ˈit."),
        ("Come in.", "kˈʌm ˈɪn."),
        ("He walked, she added, they're running.", "hi wˈɔkt, ʃi ˈædᵻd, ðɛɹ ɹˈʌnɪŋ."),
        ("two foxes' dens", "tˈu fˈɑksᵻz dˈɛnz"),
        ("NASA and the USA", "nˈæsə ænd ðə jˌuˌɛsˈA"),
        ("CI/CD", "sˌiˈI sˌidˈi"),
        ("the record, to record", "ðə ɹˈɛkəɹd, tə ɹəkˈɔɹd"),
        ("e.g. this", "fɔɹ ɪɡzˈæmpəl ðˈɪs"),
        ("42", "fˈɔɹɾi tˈu"),
        ("café", "kæfˈA"),
        ("STOP THE CAR NOW", "stˈɑp ðə kˈɑɹ nˈW"),
    ],
)
def test_american_english(pronunciation: Pronunciation, text: str, symbols: str) -> None:
    assert said(pronunciation, text) == symbols


def test_british_english_has_its_own_words(pronunciation: Pronunciation) -> None:
    assert said(pronunciation, "the bath", is_british=True) == "ðə bˈɑːθ"
    assert said(pronunciation, "the bath") == "ðə bˈæθ"


@pytest.mark.parametrize("word", ["Eiffel", "Gutenberg", "Zuckerberg", "Brzeziński", "Xylotrix", "Mbappé's"])
def test_words_outside_the_lexicon_are_spoken_by_their_letters(pronunciation: Pronunciation, word: str) -> None:
    for british in (False, True):
        symbols = said(pronunciation, word, is_british=british)
        assert symbols.count("ˈ") == 1 and len(symbols) > len(word) / 2 and set(symbols) <= set(IDS)


def test_every_stretch_fits_into_one_run_and_no_word_is_lost(pronunciation: Pronunciation) -> None:
    text = " ".join(["one two three four five six seven eight nine"] * 40)
    parts = pronunciation(text)
    assert len(parts) > 3 and all(0 < len(part.phonemes) <= LONGEST for part in parts)
    assert sum(len(part.phonemes.split()) for part in parts) == 360


@pytest.mark.parametrize("text", ["", "   ", "...", "—", "?!"])
def test_marks_alone_are_nothing_to_say(pronunciation: Pronunciation, text: str) -> None:
    assert pronunciation(text) == []


def test_chinese_is_spoken_with_its_tones_as_they_change(pronunciation: Pronunciation) -> None:
    pytest.importorskip("pypinyin", reason="the extra chinese is not installed")
    (part,) = pronunciation("你好，不要3只老虎。")
    assert part.language == "zh"
    assert part.phonemes.replace(" ", "") == "ni↗xau↓,pu↗jau↘sa→nꭧɨ↗lau↗xu↓."
    assert set(part.phonemes) <= set(IDS)


def test_a_sentence_is_of_the_language_that_it_has_more_of(pronunciation: Pronunciation) -> None:
    pytest.importorskip("pypinyin", reason="the extra chinese is not installed")
    (english,) = pronunciation("The Chinese for the Great Wall is 长城, I think.")
    (chinese,) = pronunciation("我喜欢用Python写程序。")
    assert (english.language, chinese.language) == ("en", "zh")
    assert "ꭧʰa↗ŋ" in english.phonemes and "pˈIθˌɑn" in chinese.phonemes


def test_a_word_that_cannot_be_spoken_is_named(pronunciation: Pronunciation, caplog: pytest.LogCaptureFixture) -> None:
    assert said(pronunciation, "The word привет is Russian.") == "ðə wˈɜɹd ɪz ɹˈʌʃən."
    assert "the word 'привет' is left out" in caplog.text


def test_a_missing_lexicon_is_reported(tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(BackendError, match="cannot read the pronunciations in .*us_gold.json"):
        Pronunciation(Path(str(tmp_path)))("word")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("He said Привет and שלום, twice Привет.", ("Привет", "שלום")), ("β-carotene, 5 µm and π", ("β",)),
        ("Ask for こんにちは in 東京", ("こんにちは",)),
        ("café naïve Łódź ﬁne", ()), ("**Ελλάδα** 3 ०५ 🎉", ("Ελλάδα",)),
        ("長城", ()), ("", ()),
    ],
)  # fmt: skip
def test_words_in_other_scripts_are_named(pronunciation: Pronunciation, text: str, words: tuple[str, ...]) -> None:
    assert pronunciation.unspoken(text) == words


def test_a_paragraph_without_a_full_stop_keeps_every_word(pronunciation: Pronunciation) -> None:
    some = "the quick blue train left seven old towns behind while many tired people slept".split()
    text = " ".join(some[number % len(some)] for number in range(900))
    stream = SafePhrases()
    phrases = [phrase for word in text.split() for phrase in stream.push(f"{word} ")] + stream.finish()
    assert " ".join(phrases) == text
    parts = [part.phonemes for phrase in phrases for part in pronunciation(phrase)]
    assert sum(len(part.split()) for part in parts) == 900 and max(map(len, parts)) <= LONGEST


def test_a_long_chinese_text_keeps_every_character(pronunciation: Pronunciation) -> None:
    pytest.importorskip("pypinyin", reason="the extra chinese is not installed")
    text = "长城是世界上最长的墙，它有两千多年的历史；今天有很多人去看它。" * 20
    stream = SafePhrases("zh")
    phrases = [phrase for letter in text for phrase in stream.push(letter)] + stream.finish()
    assert "".join(phrases) == text
    parts = [part.phonemes for phrase in phrases for part in pronunciation(phrase, language="zh")]
    once = [part.phonemes for part in pronunciation(text[:31], language="zh")]
    assert len("".join("".join(parts).split())) == 20 * len("".join("".join(once).split()))
    assert max(map(len, parts)) <= LONGEST
