"""Sentences of a text that is complete, and of one that is still being written."""

from __future__ import annotations

import re
from collections.abc import Callable

from agentaudio.text.languages import CJK

# Abbreviations without their last full stop. Those of the first set never end a sentence.
_INNER = frozenset("mr mrs ms dr prof e.g i.e vs approx ca cf rev hon".split())
_MAY_END = frozenset("a.m p.m etc inc ltd u.s u.k jr sr al".split())
"""They end a sentence when the next word has a capital letter."""
_BEFORE_NUMBER = frozenset("no vol fig jan feb mar apr jun jul aug sep sept oct nov dec".split())
_BEFORE_NAME = frozenset("st mt ft gen col sgt capt".split())
"""These two sets are also ordinary words: they are abbreviations only before a number or before a name."""

_WIDE_STOPS = "。！？｡"
_CLOSERS = "\"')\\]’”»」』）】》〉"
_MARK = re.compile(rf"(?P<stops>[.!?…؟।{_WIDE_STOPS}]+)(?P<closers>[{_CLOSERS}]*)|\n\s*")
_LIST_ITEM = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s")
_LIST_ITEM_BEGUN = re.compile(r"(?:[-*•]|\d{1,3}[.)]?)?")
_ITEM_NUMBER = re.compile(r"\d{1,3}")
_SPACE, _VISIBLE = re.compile(r"\s*"), re.compile(r"\S")
_LAST_WORD = re.compile(r"[\w.]*\Z")
_CJK = re.compile(f"[{CJK}]")
_LONGEST_ABBREVIATION = 20


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
    """

    def __init__(self) -> None:
        self._rest = ""
        self._scanned = 0

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
    if any(stop in _WIDE_STOPS for stop in match["stops"]):
        return True
    if not text[end].isspace():
        # Typed with ASCII punctuation, Chinese still has no space after it.
        before = text[max(start, match.start() - 1) : match.start()]
        return bool(_CJK.match(text, end) and _CJK.match(before))
    continuing = _continuing(text, start, match)
    if continuing is None:
        return True
    following = _VISIBLE.search(text, end)
    return not continuing(following.group()) if following else None


def _continuing(text: str, start: int, match: re.Match[str]) -> Callable[[str], bool] | None:
    """Which first character of the next word shows that a sentence goes on after a stop and white space.

    start: of the sentence, which may be as long as the text, so that no copy of it is made

    None when the sentence ends whatever follows.
    """
    stops, closers = match["stops"], match["closers"]
    if stops == ".":
        found = _LAST_WORD.search(text[max(start, match.start() - _LONGEST_ABBREVIATION) : match.start()])
        word = found.group() if found else ""
        lower = word.lower()
        if lower in _INNER or _ITEM_NUMBER.fullmatch(text, start, match.start()):
            return bool
        if lower in _BEFORE_NUMBER:
            return str.isdigit
        if lower in _MAY_END:
            return _is_not_upper
        initial = len(word) == 1 and word.isupper() and word != "I"
        if initial or (lower in _BEFORE_NAME and word[:1].isupper()):
            return str.isupper
    if closers or (stops != "." and set(stops) <= {".", "…"}):
        return str.islower
    return None


def _is_not_upper(character: str) -> bool:
    return not character.isupper()
