"""Text cut where a speaker would breathe, so that the first words sound while the rest is made."""

from __future__ import annotations

import re

from agentaudio.text.sentences import sentences

SHORTEST_OPENING = 4
"""Words before the first cut: fewer sound chopped."""

LONGEST_PHRASE = 300
"""Characters after which a sentence without any pause is cut between two words."""

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


def pieces(text: str, longest: int) -> list[str]:
    """The sentences, each cut into pieces of at most `longest` characters (a longer word stays whole)."""
    return [part for whole in sentences(text) for part in _within(whole, longest)]


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
