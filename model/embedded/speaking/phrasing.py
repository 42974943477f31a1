"""Text cut where a speaker would breathe, so that the first words sound while the rest is made."""

from __future__ import annotations

import re

SHORTEST_OPENING = 4
"""Words before the first cut: fewer sound chopped."""

LONGEST_PHRASE = 300
"""Characters after which a sentence without any pause is cut between two words."""

_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof e.g i.e vs approx ca cf rev hon u.s u.k a.m p.m etc inc ltd jr sr al".split()
)
_MAY_END = frozenset("a.m p.m etc inc ltd u.s u.k jr sr al".split())
"""Abbreviations that end a sentence, too: they do when a capital follows."""

_BEFORE_NUMBER = frozenset("no vol fig jan feb mar apr jun jul aug sep sept oct nov dec".split())
_BEFORE_NAME = frozenset("st mt ft gen col sgt capt".split())
"""Words in their own right: only a number, or a name, makes them abbreviations."""

_SENTENCE_END = re.compile(r"[.!?。！？]+[\"')\]’”]*(?=\s)|\n\s*\n")
_CLAUSE_END = re.compile(r"[,;:](?=\s)|\s(?=[-–—]\s)")


def phrases(text: str) -> list[str]:
    """Sentence by sentence; the first one is cut at its first pause after SHORTEST_OPENING words.

    Joined with blanks the pieces hold every word of the text, in order. Numbers ("3.5",
    "1,000") and abbreviations ("Dr. Who", "e.g. this") are never cut.
    """
    found = sentences(text)
    if not found:
        return []
    first, *rest = found
    cut = _first_pause(first)
    opening = [first] if cut is None else [first[:cut].strip(), first[cut:].strip()]
    return [part for whole in [*opening, *rest] for part in _within(whole, LONGEST_PHRASE)]


def sentences(text: str) -> list[str]:
    """The sentences of a text, blanks normalised, every word kept."""
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if text[match.start()] == "." and _abbreviates(text, match.start(), match.end()):
            continue
        found.append(text[start : match.end()])
        start = match.end()
    found.append(text[start:])
    return [whole for part in found if (whole := " ".join(part.split()))]


def pieces(text: str, longest: int) -> list[str]:
    """The sentences, each cut into pieces of at most `longest` characters (a longer word stays whole)."""
    return [part for whole in sentences(text) for part in _within(whole, longest)]


def _abbreviates(text: str, dot: int, end: int) -> bool:
    before = re.search(r"[\w.]*$", text[max(0, dot - 20) : dot])
    word = before.group() if before else ""
    after = text[end:].lstrip()[:1]
    if word.lower() in _BEFORE_NUMBER:
        return after.isdigit()
    if word.lower() in _BEFORE_NAME:
        return after.isupper() and word[:1].isupper()
    if word.lower() in _MAY_END:
        return not after.isupper()
    initial = len(word) == 1 and word.isupper() and word != "I" and after.isupper()
    return word.lower() in _ABBREVIATIONS or initial


def _first_pause(sentence: str) -> int | None:
    for match in _CLAUSE_END.finditer(sentence):
        head, tail = sentence[: match.end()].split(), sentence[match.end() :].split()
        if len(head) >= SHORTEST_OPENING and len(tail) >= 2:
            return match.end()
    return None


def _within(sentence: str, longest: int) -> list[str]:
    if len(sentence) <= longest:
        return [sentence]
    found, line = [], ""
    for word in sentence.split():
        pause = line.endswith((",", ";", ":")) and len(line) > longest * 0.6
        if line and (pause or len(line) + 1 + len(word) > longest):
            found.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*found, line]
