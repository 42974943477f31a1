"""Sentences of a text that is complete, and of one that is still being written."""

from __future__ import annotations

import re
from collections.abc import Callable

from agentaudio.text.abbreviations import (
    AFTER_NUMBER,
    ALWAYS,
    BEFORE_NAME,
    BEFORE_NUMBER,
    CAPITALISED,
    COUNTRIES,
    OPENERS,
    UNLESS_CAPITAL,
)
from agentaudio.text.languages import CJK
from agentaudio.text.marked_names import after_mark

_WIDE_STOPS = "。！？｡．।॥۔።៕។။։෴"
"""Stops that end a sentence also without white space after them: those of Chinese, Japanese, Indic scripts, Urdu,
Ethiopic, Khmer, Burmese, Armenian and Sinhala."""
_STOPS = f".!?…؟‼⁇⁈⁉‽{_WIDE_STOPS}"
_OPENERS = "\"'“‘«「『（(《【"
_CLOSERS = "\"')\\]’”»」』）】》〉"
_MARK = re.compile(rf"(?P<stops>[{_STOPS}](?:[{_STOPS}]|\s(?=[॥।]))*)(?P<closers>[{_CLOSERS}]*)|\n\s*")
_LIST_ITEM = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s")
_LIST_ITEM_BEGUN = re.compile(r"(?:[-*•]|\d{1,3}[.)]?)?")
_ITEM_NUMBER = re.compile(r"\d{1,3}")
_SPACE, _NEXT = re.compile(r"\s*"), re.compile(r"\S[\w'’]{0,30}")
_LAST_WORD = re.compile(r"[^\s(（\[「『《\"“‘«،,，、;:/。]*\Z")
_CJK = re.compile(f"[{CJK}]")
_REPORTED = re.compile(rf"と|[{CJK}]{{0,6}}?[说說问問道答喊叫]")
"""How a Chinese or Japanese sentence goes on after a quotation that it begins with: "...she asked"."""
_REPORTED_WITHIN = 7
_PRONOUNS = "我你您他她它这那這"
"""After an ellipsis, these begin a new sentence more often than they continue the old one."""
_LATIN_SENTENCE = re.compile(r"[A-Z][a-z]*\s")
"""How an English sentence between Chinese ones begins; a name such as "main.py" has no space."""
_LONGEST_ABBREVIATION = 20
_BEFORE_MARK = 80
_LONGEST_OPENER = max(map(len, OPENERS))


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, with white space reduced to single spaces; no character is lost.

    A sentence ends at a full stop, question mark, exclamation mark or ellipsis with white space after it, at
    their Chinese and Japanese forms with or without it, at an empty line, and before an item of a list. It does
    not end inside numbers ("3.5"), after abbreviations ("e.g. this", "Dr. Who", "No. 5"), after the number of a
    list item ("1. Boil"), or at an ellipsis or a quotation with a lower-case word after it.
    """
    return [" ".join(text[start:end].split()) for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where each of `sentences` starts and ends in the text, without the white space around it."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*_ends(text, 0, complete=True)[0], len(text)]:
        piece = text[start:end]
        if sentence := piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            spans.append((first, first + len(sentence)))
        start = end
    return spans


class SentenceStream:
    """Splits text that arrives in pieces; wherever it is cut, the result equals `sentences` of the whole.

    A sentence is returned as soon as no later text can change where it ends: usually at the white space after
    it, and after an abbreviation, an ellipsis or a quotation at the first letter after that.

    as_written: return the text of each sentence with the white space around it; joined, they are the text
    """

    def __init__(self, *, as_written: bool = False) -> None:
        self._as_written = as_written
        self._rest = ""
        self._scanned = 0

    @property
    def rest(self) -> str:
        """The text of the sentence that is not complete."""
        return self._rest

    def push(self, text: str) -> list[str]:
        """Add the next piece of text and return the sentences that it completes."""
        self._rest += text
        ends, self._scanned = _ends(self._rest, self._scanned, complete=False)
        return self._take(ends)

    def finish(self) -> list[str]:
        """The remaining sentences of a text that is complete; the next `push` starts another text."""
        ends, _ = _ends(self._rest, self._scanned, complete=True)
        found = self._take([*ends, len(self._rest)])
        self._rest, self._scanned = "", 0
        return found

    def _take(self, ends: list[int]) -> list[str]:
        pieces = [self._rest[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        if ends:
            self._rest = self._rest[ends[-1] :]
            self._scanned -= ends[-1]
        if self._as_written:
            return [piece for piece in pieces if piece]
        return [sentence for piece in pieces if (sentence := " ".join(piece.split()))]


def _ends(text: str, scanned: int, *, complete: bool) -> tuple[list[int], int]:
    """Where sentences end inside a text that begins with a sentence, and where the next scan has to begin.

    scanned: no sentence ends before this position
    complete: whether the text is all there is; otherwise the scan stops where more text could change the result
    """
    ends: list[int] = []
    start = _after_space(text, 0)
    for match in _MARK.finditer(text, scanned):
        decided = _is_end(text, start, match)
        if decided is None and not complete:
            return ends, match.start()
        if decided:
            ends.append(match.end() if match["stops"] else match.start())
            start = _after_space(text, ends[-1])
    return ends, len(text)


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _is_end(text: str, start: int, match: re.Match[str]) -> bool | None:
    """Whether the sentence that begins at `start` ends at this mark; None when that depends on missing text."""
    end = match.end()
    if end == len(text):
        return None
    if not match["stops"]:
        if "\n" in match.group()[1:] or _LIST_ITEM.match(text, end):
            return True
        return None if _LIST_ITEM_BEGUN.fullmatch(text, end) else False
    stops, before = match["stops"], text[max(start, match.start() - 1) : match.start()]
    if stops == "．" and before.isdecimal() and text[end].isdecimal():
        return False
    if any(stop in _WIDE_STOPS for stop in stops):
        return _ends_quotation(text, start, match)
    if not text[end].isspace():
        # Typed with ASCII punctuation, Chinese still has no space after it.
        if not _CJK.match(text, end):
            return False
        if "…" in stops or ".." in stops:
            return text[end] in _PRONOUNS and text[end] != before
        if not (match["closers"] or _CJK.match(before) or _LATIN_SENTENCE.match(text, start, match.start())):
            return False
        return _ends_quotation(text, start, match)
    goes_on = _continuation(text, start, match)
    if goes_on is None:
        return True
    following = _NEXT.search(text, end)
    if following is None:
        return None
    word = following.group()
    answer = goes_on(word, following.end() < len(text) or len(word) > _LONGEST_OPENER)
    return None if answer is None else not answer


def _ends_quotation(text: str, start: int, match: re.Match[str]) -> bool | None:
    """Whether the sentence ends at a stop in a script without capital letters.

    It goes on after a quotation that it begins with, where "she asked" follows.
    """
    end = match.end()
    if not match["closers"] or text[start] not in _OPENERS or text[end].isspace() or not _CJK.match(text, end):
        return True
    after = text[end : end + _REPORTED_WITHIN]
    if _REPORTED.match(after):
        return False
    return True if len(after) == _REPORTED_WITHIN or not all(map(_CJK.match, after)) else None


Continuation = Callable[[str, bool], bool | None]
"""Whether a sentence goes on with a word, given also whether all of the word is there; None: not known yet."""


def _continuation(text: str, start: int, match: re.Match[str]) -> Continuation | None:
    """How the next word shows that a sentence goes on after a stop and white space; None when it always ends.

    start: of the sentence, which may be as long as the text, so that no copy of it is made
    """
    stops, closers = match["stops"], match["closers"]
    if stops == ".":
        found = _LAST_WORD.search(text[max(start, match.start() - _LONGEST_ABBREVIATION) : match.start()])
        word = found.group() if found else ""
        if _ITEM_NUMBER.fullmatch(text, start, match.start()):
            return _always
        goes_on = _after_abbreviation(word, text[max(start, match.start() - len(word) - 2) : match.start()])
        if goes_on is not None:
            return goes_on
    if stops in ("!", "?") and not closers:
        return after_mark(text[max(start, match.start() - _BEFORE_MARK) : match.start()], stops)
    if closers and "." not in stops and text[start] in _OPENERS:
        return _small
    if closers or (stops != "." and set(stops) <= {".", "…"}):
        return _lower if closers else _small
    return None


def _after_abbreviation(word: str, before: str) -> Continuation | None:
    """How a sentence goes on after a word with a full stop; None when the word is not an abbreviation.

    before: the two characters before the word, and the word
    """
    lower, capital = word.lower(), word[:1].isupper()
    after_number = before[:1].isdecimal() or before[1:2].isdecimal()
    if lower in BEFORE_NAME and capital:
        return _name
    if lower in AFTER_NUMBER and after_number:
        return _not_upper
    if lower in COUNTRIES:
        return _name
    if lower in ALWAYS:
        return _always
    if lower in UNLESS_CAPITAL and (capital or lower not in CAPITALISED):
        return _not_upper
    if lower in BEFORE_NUMBER:
        return _digit
    letters = lower.split(".")
    if len(letters) > 1 and all(0 < len(part) <= 3 and part.isalpha() for part in letters):
        return _not_upper if len(letters) < 3 or max(map(len, letters)) > 1 else _name
    if _is_letter(word):
        return _always if not (word.isupper() or word.islower()) else _name_upper if capital and word != "I" else None
    if len(word) > 1 and not _VOWEL.search(lower) and word.isalpha() and word.isascii():
        return _not_upper  # "blvd", "mgmt"
    return None


_VOWEL = re.compile("[aeiouy]")


def _is_letter(word: str) -> bool:
    """Whether a word is one letter, with the signs that belong to it; Chinese characters are words."""
    return word[:1].isalpha() and not _CJK.match(word) and not any(map(str.isalpha, word[1:])) and len(word) < 4


def _always(word: str, whole: bool) -> bool:
    return True


def _digit(word: str, whole: bool) -> bool:
    return word[0].isdecimal()


def _lower(word: str, whole: bool) -> bool:
    return word[0].islower()


def _small(word: str, whole: bool) -> bool:
    """Goes on with a letter that is no capital, also in scripts that have none."""
    return word[0].isalpha() and not word[0].isupper()


def _not_upper(word: str, whole: bool) -> bool:
    return not word[0].isupper()


def _name(word: str, whole: bool) -> bool | None:
    """Goes on with anything but a capitalised word that begins sentences."""
    return True if not word[0].isupper() else _name_upper(word, whole)


def _name_upper(word: str, whole: bool) -> bool | None:
    """Goes on with a capitalised word that is not one that begins sentences."""
    if not word[0].isupper():
        return False
    return word.lower() not in OPENERS if whole else None
