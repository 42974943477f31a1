"""`chinese_phonemes`: Chinese text as the symbols that Kokoro speaks."""

from __future__ import annotations

import re

from agentaudio.errors import MissingExtra
from agentaudio.text.chinese_spoken_form import chinese_spoken_form
from agentaudio.text.languages import HAN

_INITIALS = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s", "": "",
}  # fmt: skip
# The tone stands where 0 is, after the vowel.
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n", "iou": "jou0",
    "ing": "i0ŋ", "iong": "jʊ0ŋ", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0", "uai": "wai0",
    "uan": "wa0n", "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "v": "y0", "ve": "ɥe0",
    "van": "ɥɛ0n", "vn": "y0n", "er": "ɚ0", "ê": "ɛ0", "io": "jɔ0", "m": "m0", "n": "n0", "ng": "ŋ0",
}  # fmt: skip
"""Initials and finals of pinyin. Source: Duanmu 2007, "The Phonology of Standard Chinese", in the letters that the
checkpoint was trained with (misaki's Chinese module)."""
_AFTER_SIBILANTS = "ɨ0"
_SIBILANTS = frozenset(("zh", "ch", "sh", "r", "z", "c", "s"))
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}

_MARKS = str.maketrans("，、。．！？：；《》「」『』【】（）“”‘’·", ",,..!?:;" + 15 * " ")
_RUNS = re.compile(rf"[{HAN}]+|[^{HAN}]+")
_HAN = re.compile(f"[{HAN}]")


def has_han(text: str) -> bool:
    """Whether the text holds a Chinese character."""
    return _HAN.search(text) is not None


def chinese_runs(text: str) -> list[tuple[bool, str]]:
    """Stretches of Chinese, as symbols (True), and of all else, as it is (False), in order.

    Numbers are read in Chinese, and Chinese punctuation becomes Kokoro's.
    Raises MissingExtra without the extra `chinese`.
    """
    found = []
    for run in _RUNS.findall(chinese_spoken_form(text)):
        if has_han(run):
            found.append((True, _symbols(run)))
        else:
            found.append((False, run.translate(_MARKS)))
    return found


def _symbols(characters: str) -> str:
    """Chinese characters without anything between them as symbols, with spaces between words."""
    try:
        from pypinyin import Style, lazy_pinyin
    except ImportError:
        raise MissingExtra("speaking Chinese with Kokoro", "chinese") from None
    words = _words(characters)
    initials = lazy_pinyin(words, style=Style.INITIALS, strict=True)
    finals = lazy_pinyin(words, style=Style.FINALS_TONE3, strict=True, neutral_tone_with_five=True)
    tones = _changed(characters, [final[-1:] if final[-1:].isdigit() else "5" for final in finals])
    syllables = [_syllable(*parts) for parts in zip(initials, finals, tones, strict=True)]
    said, start = [], 0
    for word in words:
        said.append("".join(syllables[start : start + len(word)]))
        start += len(word)
    return " ".join(said)


def _words(characters: str) -> list[str]:
    from pypinyin.seg.mmseg import seg

    return [word for word in seg.cut(characters) if word]


def _changed(characters: str, tones: list[str]) -> list[str]:
    """The tones of a stretch as they are spoken one after the other.

    Source: Duanmu 2007, chapter 11: third tones before a third tone rise; 不 and 一 depend on the next tone.
    """
    said = list(tones)
    for place, character in enumerate(characters[:-1]):
        after = tones[place + 1]
        if character == "不" and after == "4":
            said[place] = "2"
        elif character == "一" and not _is_number(characters, place):
            said[place] = "2" if after == "4" else "4" if after in "123" else said[place]
        elif tones[place] == after == "3":
            said[place] = "2"
    return said


def _is_number(characters: str, place: int) -> bool:
    """Whether 一 is part of a number, in which it keeps its tone."""
    around = characters[max(0, place - 1) : place] + characters[place + 1 : place + 2]
    return any(character in "第零一二三四五六七八九十点年月" for character in around)


def _syllable(initial: str, final: str, tone: str) -> str:
    plain = final.rstrip("12345").replace("ü", "v")
    if plain == "i" and initial in _SIBILANTS:
        shape = _AFTER_SIBILANTS
    elif plain == "o" and not initial:
        shape = "ɔ0"
    else:
        shape = _FINALS.get(plain, "")
    return _INITIALS.get(initial, "") + shape.replace("0", _TONES[tone])
