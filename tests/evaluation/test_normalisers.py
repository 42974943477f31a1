"""Normaliser profiles: as the kits do, and there and back between written and spoken forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import Scored, figures
from agentaudio.evaluation.normalisers import PROFILES, profile, tokens
from agentaudio.evaluation.scorers.bleu import Bleu
from agentaudio.evaluation.scorers.error_rate import ErrorRate, edits

# Made once by evalscope 1.14.1 (normalize_text and word_errors of text_normalizer/wer.py) from random sentences with
# words left out, changed and added. Numbers in Chinese sentences stand apart, as in real ones.
PAIRS = json.loads((Path(__file__).parent / "vectors/kits_error_rates.json").read_text(encoding="utf-8"))["pairs"]
# Of the same pairs; "source" in the file says how they were made.
BLEU = json.loads((Path(__file__).parent / "vectors/kits_bleu.json").read_text(encoding="utf-8"))
UNITS = {"zh": "char", "yue": "char"}


def rate(language: str, name: str, reference: str, said: str) -> tuple[int, int]:
    normalise, unit = profile(name, language), UNITS.get(language, "word")
    found = edits(tokens(normalise(reference), unit), tokens(normalise(said), unit))
    return found.total, found.units


def test_the_profile_of_the_kits_counts_as_evalscope_does_in_four_languages() -> None:
    assert len(PAIRS) == 320 and {language for language, *_ in PAIRS} == {"en", "zh", "yue", "ar"}
    wrong = [
        (language, reference, said)
        for language, reference, said, *expected in PAIRS
        if rate(language, "kits", reference, said) != tuple(expected)
    ]
    assert wrong == []


async def test_bleu_after_the_profile_of_the_kits_is_that_of_sacrebleu_after_evalscope() -> None:
    scored: dict[str, list[Scored]] = {}
    for (language, reference, said, *_), expected in zip(PAIRS, BLEU["pairs"], strict=True):
        scorer = bleu(language)
        one = Scored(await scorer.score(Item("1", reference=reference), Answer(said), None))
        assert figures([one], scorer.measures, resamples=0)[0].value == pytest.approx(expected, abs=1e-5)
        scored.setdefault(language, []).append(one)
    for language, expected in BLEU["corpora"].items():
        found = figures(scored[language], bleu(language).measures, resamples=0)
        assert found[0].value == pytest.approx(expected, abs=1e-5)


def bleu(language: str) -> Bleu:
    return Bleu(language, "zh" if language in UNITS else "13a", ("kits",))


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "on the 22nd", "on the twenty second"),
        ("en", "at 9:30 PM", "at nine thirty p.m."),
        ("en", "at 9:30 PM", "at nine thirty PM"),
        ("en", "forty five", "45"),
        ("en", "forty-five people", "45 people"),
        ("en", "call 212-555-0147", "call two one two five five five oh one four seven"),
        ("en", "2003-07-19", "July nineteenth, two thousand three"),
        ("en", "2003-07-19", "the nineteenth of July, two thousand and three"),
        ("en", "2003-07-19", "19 July 2003"),
        ("en", "2003-07-19", "July the nineteenth, 2003"),
        ("en", "on 19 May", "on May nineteenth"),
        ("en", "at 9:30 PM", "at half past nine p.m."),
        ("en", "at 9:30 PM", "at 9.30 p.m."),
        ("en", "at 9:45", "at a quarter to ten"),
        ("en", "12:45", "quarter to one"),
        ("en", "1:30", "half past one"),
        ("en", "19 July 2003", "July nineteen, two thousand three"),
        ("en", "July 22nd", "July twenty two"),
        ("en", "1,000 people", "a thousand people"),
        ("en", "$100", "a hundred dollars"),
        ("en", "30%", "thirty percent"),
        ("zh", "百分之三十", "30%"),
        ("zh", "二零一九年", "2019年"),
        ("zh", "三千二百亿", "3200亿"),
        ("zh", "三十％", "百分之30"),
        ("zh", "百分之三十", "三十%"),
        ("zh", "二零一九年", "二〇一九年"),
        ("zh", "九点三十分", "9:30"),
        ("zh", "九点三十", "9:30"),
        ("zh", "1,000", "一千"),
        ("zh", "对，1,000，好", "对一千好"),
        ("zh", "1，234，567人", "一百二十三万四千五百六十七人"),
        ("zh", "你好，世界！", "你好世界"),
        ("zh", "下午3:30", "下午三点半"),
        ("zh", "零下3度", "-3度"),
        ("zh", "價格翻了2倍", "价格翻了两倍"),
        ("zh", "電話是１３８００１３８０００", "电话是一三八零零一三八零零零"),
    ],
)
def test_written_forms_cost_no_error_in_the_default_profile_and_real_errors_do(
    language: str, one: str, other: str
) -> None:
    (default,) = ErrorRate().profiles
    assert rate(language, default, one, other)[0] == 0 and rate(language, default, other, one)[0] == 0
    changes = (
        "22nd/23rd 9:30/9:40 45/46 five/six 0147/0148 19/18 30/40 thirty/forty 百分之三十/百分之四十 二零一九/二零一八 "
        "三千二百/三千三百 九点/八点 世界/时间 下午/上午 零下/零上 2倍/3倍 １３８/１３９ 三十/四十 "
        "12:45/11:45 1:30/1:40 1,000/1,100 $100/$110 1，234/1，235"
    )
    wrong = dict(change.split("/") for change in changes.split())
    changed = next(one.replace(right, bad) for right, bad in wrong.items() if right in one)
    assert rate(language, default, changed, other)[0] > 0


def test_other_dates_and_times_are_errors() -> None:
    for one, other in (
        ("19 July 2003", "July the eighteenth, 2003"), ("19 July 2003", "19 June 2003"), ("half past nine", "9:15"),
        ("the fifth may be late", "may fifth be late"), ("quarter past ten", "10:30"), ("quarter to ten", "10:45"),
        ("March 1", "March 11"), ("a five star hotel", "five star hotel"), ("room 19 2003", "room 19th 2003"),
    ):  # fmt: skip
        assert rate("en", "spoken", one, other)[0] > 0
    for one, other in (
        ("百分之百", "百分之十"),
        ("九点三十", "九点四十分"),
        ("百分之一百二十", "百分之百"),
        ("1,000", "1,100"),
        ("3，4", "34"),
    ):
        assert rate("zh", "spoken", one, other)[0] > 0


def test_a_profile_that_repeats_a_kit_reads_numbers_as_it_does() -> None:
    """seed-tts-eval normalises no numbers, and cn_tn reads 2000 digit by digit."""
    assert rate("en", "seed-tts", "I have 5 dogs.", "i have five dogs")[0] == 1
    assert rate("zh", "kits", "2000", "二零零零")[0] == 0 and rate("zh", "kits", "2000个", "两千个")[0] == 0


async def test_the_profile_is_a_part_of_the_figures_name() -> None:
    scorer = ErrorRate("zh", ("kits", "letters"), "char")
    assert [measure.name for measure in scorer.measures][:3:2] == ["CER (kits)", "CER (letters)"]
    score = await scorer.score(Item("1", reference="价格是100元。"), Answer("价格是一百元"), None)
    assert (score.counts["kits edits"], score.counts["letters edits"]) == (0, 3)


def test_latin_words_stay_whole_among_chinese_characters_in_mixed_units() -> None:
    assert tokens("我用 python3 写代码 …", "mixed") == ["我", "用", "python3", "写", "代", "码"]


def test_an_unknown_profile_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(EvaluationError, match="no normaliser profile 'kit'; did you mean 'kits'"):
        profile("kit", "en")
    assert set(PROFILES) >= {"kits", "spoken", "whisper", "uro", "seed-tts"}
