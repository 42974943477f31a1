"""Normalisers of text as named profiles, and how text is cut into the units that error rates count.

A published error rate can only be compared under the same profile, so the profile is a part of every figure's name.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable
from functools import cache

from agentaudio.errors import EvaluationError, MissingExtra, did_you_mean
from agentaudio.evaluation.chinese_kit import read_numbers, without_punctuation
from agentaudio.text.spoken_form import spoken_form

Normaliser = Callable[[str], str]

_MARK = re.compile(r"<\|[^|<>]*\|>")
_BEFORE_MARK = re.compile(r" ?([!,.?;:])")
_BLANKS = re.compile(r"\s+")
_BELOW_ZERO = re.compile(r"零下(?=[零一二两三四五六七八九十百])")
_SAME = str.maketrans("幺两〇", "一二零")
"""Digits that are read or written in two ways."""
_MINUTES = re.compile(r"(点[零一二三四五六七八九十]+)分(?!之)")
_PERCENT = re.compile(r"([零一二两三四五六七八九十百千万亿点]+)[%％]")
_ALL = re.compile(r"百分之一百(?![零一二三四五六七八九])")
_HALF_DAY = re.compile(r"\b([ap]) m\b")
_MONTHS = "january|february|march|april|june|july|august|september|october|november|december"
_ENGLISH: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_HALF_DAY, r"\1m"),  # "p.m.", "PM" and "p m" are one word to listeners
    (re.compile(r"\bhalf past (one|\d{1,2})\b"), lambda found: f"{_hour(found[1])}30"),
    (re.compile(r"\b(?:a )?quarter past (one|\d{1,2})\b"), lambda found: f"{_hour(found[1])}15"),
    (re.compile(r"\b(?:a )?quarter to (one|\d{1,2})\b"), lambda found: f"{(_hour(found[1]) - 2) % 12 + 1}45"),
    (re.compile(r"\ba (?=\$?1(?:00|000|0{6}|0{9})\b)"), ""),  # "a thousand" is "1000"
    (re.compile(r"\b(\d{1,2})\.(\d\d) ([ap]m)\b"), r"\1\2 \3"),
    # "The 19th of July", "19 July" and "July the 19th" are "July 19th". May is a month where it stands behind "of".
    (re.compile(rf"\b(?:the )?(\d{{1,2}}(?:st|nd|rd|th)) (?:of (may)|(?:of )?({_MONTHS}))\b"), r"\2\3 \1"),
    (re.compile(rf"\b((?:{_MONTHS}|may)) the (\d{{1,2}}(?:st|nd|rd|th))\b"), r"\1 \2"),
    # "July nineteen two thousand three", whose numbers Whisper's normaliser has joined, and "July nineteen".
    (re.compile(rf"\b({_MONTHS}|may) (\d{{1,2}})(1\d{{3}}|20\d\d)\b"), lambda found: f"{_day(found)} {found[3]}"),
    (re.compile(rf"\b({_MONTHS}) (\d{{1,2}})\b"), lambda found: _day(found)),
)
"""Readings of numbers, times and dates in English, of text that was normalised, and the one that stands for them."""
_CHINESE_GROUPS = re.compile(r"(?<!\d)(?<!\d[,，])\d{1,3}(?:[,，]\d{3})+(?![,，]?\d)")
_HAN = re.compile(r"([㐀-䶿一-鿿豈-﫿𠀀-𱍊])")


def profile(name: str, language: str) -> Normaliser:
    """A normaliser by name, for texts in a language.

    none: the text as it is
    letters: lower case, letters and digits only
    whisper: Whisper's normaliser, the English one for English
    kits: the recipe that Kimi-Audio-Evalkit, lmms-eval and evalscope share, derived from Qwen-Audio's: marks in
        `<|...|>` dropped, English by Whisper's English normaliser, Chinese by the rules of `chinese_kit`, Cantonese in
        simplified characters (by zhconv), it and others by Whisper's basic normaliser; then lower case
    spoken: numbers, dates, times and signs as they are read aloud (Chinese by wetext, in simplified characters), then
        as Whisper's normaliser for English; so 9:30 PM equals "nine thirty p.m."
    uro: of URO-Bench: Whisper's English normaliser; for Chinese no punctuation, numbers as words, lower case
    seed-tts: of seed-tts-eval: lower case, punctuation removed but for apostrophes; numbers stay as they are

    Raises EvaluationError for an unknown name, MissingExtra without the extra `eval`.
    """
    if name not in PROFILES:
        raise EvaluationError(f"no normaliser profile {name!r}; {did_you_mean(name, PROFILES)}")
    return _made(name, language.partition("-")[0].lower())


def tokens(text: str, unit: str) -> list[str]:
    """Cut normalised text into units: "word", "char" (without blanks), or "mixed".

    mixed: each Chinese character, and other words whole; tokens without a letter or digit are dropped. This is what
        sacrebleu's tokeniser `zh` makes of text without punctuation.
    """
    if unit == "word":
        return text.split()
    if unit == "char":
        return list(_BLANKS.sub("", text))
    return [token for token in _HAN.sub(r" \1 ", text).split() if any(map(str.isalnum, token))]


def _none(language: str) -> Normaliser:
    return lambda text: text


def _letters(language: str) -> Normaliser:
    return lambda text: _blank_unless(text.lower(), str.isalnum)


def _whisper(language: str) -> Normaliser:
    try:
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError:
        raise MissingExtra("the normaliser of Whisper", "eval") from None
    made: Normaliser = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    return made


def _kits(language: str) -> Normaliser:
    body = {"zh": _chinese_kit, "cmn": _chinese_kit, "yue": _cantonese_kit}.get(language)
    normalise = body() if body else _whisper(language)

    def kits(text: str) -> str:
        text = _BEFORE_MARK.sub(r"\1", _BLANKS.sub(" ", _MARK.sub(" ", text))).lstrip(" ")
        words = normalise(text).split(" ")
        return " ".join(word for word in words if not all(map(_is_punctuation, word))).lower()

    return kits


def _chinese_kit() -> Normaliser:
    return lambda text: without_punctuation(read_numbers(_BLANKS.sub("", text)))


def _cantonese_kit() -> Normaliser:
    basic, simplified = _whisper("yue"), _simplified()
    return lambda text: basic(simplified(text))


@cache
def _simplified() -> Normaliser:
    try:
        import zhconv
    except ImportError:
        raise MissingExtra("the normaliser of traditional characters", "eval") from None
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        zhconv.convert("", "zh-cn")  # reads its dictionary, and leaves the file open
    return lambda text: str(zhconv.convert(text, "zh-cn"))


def _spoken(language: str) -> Normaliser:
    if language in ("zh", "cmn"):
        words, simplified = _chinese_numbers(), _simplified()

        def spoken(text: str) -> str:
            digits = _CHINESE_GROUPS.sub(lambda found: re.sub("[,，]", "", found[0]), _MARK.sub(" ", text))
            said = words(_PERCENT.sub(r"百分之\1", simplified(digits))).replace("点半", "点三十")
            said = _BELOW_ZERO.sub("负", said).translate(_SAME)
            return _without_punctuation(_ALL.sub("百分之百", _MINUTES.sub(r"\1", said))).lower()

        return spoken
    after = _kits(language)
    if language != "en":
        return after

    def spoken_english(text: str) -> str:
        said = after(spoken_form(text, "en"))
        for reading, one in _ENGLISH:
            said = reading.sub(one, said)
        return said

    return spoken_english


def _hour(word: str) -> int:
    return 1 if word == "one" else int(word)  # Whisper's normaliser writes all others in digits


def _day(found: re.Match[str]) -> str:
    """A month and a day, as in "july 19th"."""
    day = int(found[2])
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{found[1]} {day}{ending}"


def _uro(language: str) -> Normaliser:
    if language == "en":
        return _whisper("en")
    words = _chinese_numbers()
    return lambda text: words(_without_punctuation(text)).lower()


def _seed_tts(language: str) -> Normaliser:
    keep = "'" if language == "en" else ""
    return lambda text: _without_punctuation(text, keep=keep).lower()


PROFILES: dict[str, Callable[[str], Normaliser]] = {
    "none": _none,
    "letters": _letters,
    "whisper": _whisper,
    "kits": _kits,
    "spoken": _spoken,
    "uro": _uro,
    "seed-tts": _seed_tts,
}


@cache
def _made(name: str, language: str) -> Normaliser:
    return PROFILES[name](language)


@cache
def _chinese_numbers() -> Normaliser:
    try:
        from wetext import Normalizer
    except ImportError:
        raise MissingExtra("the normaliser of Chinese", "eval") from None
    made: Normaliser = Normalizer(lang="zh", operator="tn", remove_erhua=False).normalize
    return made


def _without_punctuation(text: str, keep: str = "") -> str:
    kept = (c if c in keep or unicodedata.category(c)[0] not in "PS" else " " for c in text)
    return _BLANKS.sub(" ", "".join(kept)).strip()


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"


def _blank_unless(text: str, keep: Callable[[str], bool]) -> str:
    return _BLANKS.sub(" ", "".join(c if keep(c) else " " for c in text)).strip()
