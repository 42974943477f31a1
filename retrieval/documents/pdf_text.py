"""Text of PDF pages as it is read, from text as it is drawn: with ligatures, and with words cut at line ends."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Letters that stand for others only in how they look: ligatures, radicals of Chinese characters, compatibility
# ideographs, Arabic in its joined forms, full-width letters and digits.
_LOOKS = re.compile("[\ufb00-\ufb4f⺀-⿕\uf900-\ufaff\ufb50-\ufdff\ufe70-\ufefc０-９Ａ-Ｚａ-ｚ]")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff]")
_SOFT_HYPHEN = "\u00ad"
_CUT = re.compile(
    r"(?<![\w‐-])(?P<left>\w[\w‐-]{0,60}?)(?P<hyphen>[-‐\u00ad])[ \t]{0,9}\n[ \t]{0,99}(?P<right>\w+(?:[-‐]\w+)*)"
)
_WORD = re.compile(r"\w+(?:[-‐]\w+)*")
_SUSPENDED = frozenset("and or to und oder bis et ou y o e en og och".split())
"""Words that follow a suspended hyphen, as in "pre- and post-war"."""
_INSIDE = frozenset("in of to the and a up by on".split())
"""Words in the middle of compounds such as "state-of-the-art"."""
_OPENS_COMPOUND = frozenset(
    "well self half all cross high low long short full part time year ill little best better fast slow hard soft free "
    "left two three four five six seven eight nine ten twenty thirty forty fifty sixty seventy "
    "eighty ninety first second third state cost user world award large small hand "
    "single double deep wide open old new ready light dark blue green black white".split()
)
"""First parts of English compounds that keep their hyphen, when the text does not show how a word is written."""
_PREFIXES = frozenset(
    "under over out inter with for fore super sub trans per pre pro anti auto counter be re un".split()
)
_SUFFIX = re.compile(
    "(?:e?r|est|ly|ing|e?d|e?n|ness|ish|less|dom|ful|ment|ship|hood|wards?|ways?|ware|board|land|able|i[tzs][ye]|ages?)"
    "(?:s|ly|ed|d|ing|er|ers|fully)?"
)
"""What follows one of those words within one word: "high-er", "full-ness", "time-ly"."""


def readable(pages: Sequence[str]) -> list[str]:
    """The text of each page with letters in place of their looks, and with words that line ends had cut joined.

    A hyphen at a line end stays where the word is written so elsewhere in the text, beside a digit or a capital
    letter, in words of several hyphens, between words that the text knows apart only, and after words that open
    English compounds ("well-known"). Otherwise it is taken for the mark of a cut.
    """
    plain = [_INVISIBLE.sub("", _LOOKS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), p)) for p in pages]
    spelled = {_spelling(word) for page in plain for word in _WORD.findall(_CUT.sub(" ", page))}
    return [_joined(page, spelled).replace(_SOFT_HYPHEN, "") for page in plain]


def _joined(text: str, spelled: set[str]) -> str:
    def join(found: re.Match[str]) -> str:
        left, hyphen, right = found.groups()
        if hyphen == _SOFT_HYPHEN or _spelling(left + right) in spelled:
            return left + right
        if right.lower() in _SUSPENDED and not found.string.startswith(("-", "‐"), found.end()):
            return f"{left}- {right}"
        return (
            f"{left}-{right}" if _is_compound(left, right, found.string[found.end() :][:1], spelled) else left + right
        )

    previous = ""
    while text != previous:  # a word may go over several lines; half of its cuts are mended each time
        previous, text = text, _CUT.sub(join, text)
    return text


def _is_compound(left: str, right: str, following: str, spelled: set[str]) -> bool:
    """Whether two parts of a word are written with a hyphen. following: the character after them"""
    first, second = left.lower(), right.lower()
    if _spelling(f"{left}-{right}") in spelled or not right[0].islower() or any(map(str.isdigit, left)):
        return True
    if (
        len(left) == 1
        or any(mark in left + right for mark in "-‐")
        or (following and following in "-‐" and second in _INSIDE)
    ):
        return True
    if _SUFFIX.fullmatch(second) or first in _PREFIXES:
        return False
    apart = len(left) > 2 and len(right) > 3 and first in spelled and second in spelled
    return apart or first in _OPENS_COMPOUND


def _spelling(word: str) -> str:
    return word.lower().replace("‐", "-")
