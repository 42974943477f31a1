"""The terms that a text is indexed and searched by."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from agentaudio.text.languages import CJK
from agentaudio.text.stems import singular

_JOINED = f"{CJK}\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\uac00-\ud7af\U00020000-\U0003ffff"
"""Scripts without spaces between words (Chinese, Japanese, Thai, Lao, Burmese, Khmer), and Korean, whose particles
are written with the word."""

_DROPPED = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe20-\ufe2f\u00ad\u200b-\u200d\u2060]"
)
"""Accents, the vowel points of Hebrew and Arabic, which most texts leave out, and characters without width."""


def _marks() -> str:
    """The signs of vowels and tones, which Python does not count as letters, as the inside of a character class."""
    codes = (*range(0x300, 0x3100), *range(0xA000, 0xAC00))
    found = [code for code in codes if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    starts = [code for code, before in zip(found, [-1, *found], strict=False) if code != before + 1]
    ends = [code for code, after in zip(found, [*found[1:], -1], strict=True) if code + 1 != after]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(starts, ends, strict=True))


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """A word, the beginning of a joined word, and a letter with its signs. Made on first use, as that takes long."""
    marks = _marks()
    word = rf"(?:[{_JOINED}][{marks}]*)+|(?:(?![{_JOINED}_])\w[{marks}]*)+(?:'[a-z]+)?"
    return re.compile(word), re.compile(f"[{_JOINED}]"), re.compile(rf".[{marks}]*")


# Shorter than STOP_WORDS of agentaudio.text.words: here a rare verb may be what sets a passage apart.
_STOP_WORDS = frozenset(
    "a an and are as at be been by can could did do does for from had has have he her his how i if in into is it "
    "its just like me my no not of on or our she so some such than that the their them then there these they this "
    "to us was we were what when where which who why will with would you your please tell about".split()
)


_UNACCENTED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Latin letters that Unicode does not decompose."""


def folded(name: str) -> str:
    """A name as it is compared with others, in lower case and without accents: "Zoë" and "ZOE" are equal.

    Only Latin, Greek and Cyrillic letters lose marks; vowel signs of Hindi or Thai are letters and stay.
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(char for char in plain if not "\u0300" <= char <= "\u036f")
    return unicodedata.normalize("NFC", plain).translate(_UNACCENTED)


def search_terms(text: str) -> list[str]:
    """Lower-case words of a text, in order, without accents, English stop words and plural endings.

    A word in a script without spaces, or in Korean, becomes its overlapping pairs of letters with their vowel signs.
    Of a Korean word of two syllables the first is a term, too.
    """
    plain = unicodedata.normalize("NFC", _DROPPED.sub("", unicodedata.normalize("NFKD", text.casefold())))
    found: list[str] = []
    a_word, joined_word, letter = _patterns()
    for word in a_word.findall(plain):
        if joined_word.match(word):
            letters = letter.findall(word)
            found += ["".join(letters[at : at + 2]) for at in range(max(1, len(letters) - 1))]
            if len(letters) == 2 and "\uac00" <= word < "\ud7b0":
                found.append(letters[0])  # a Korean word of one syllable and its particle
        elif word not in _STOP_WORDS:
            found.append(singular(word))
    return found
