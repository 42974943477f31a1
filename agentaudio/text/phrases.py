"""Cut text into phrases that are spoken one after the other, so that sound starts early."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from agentaudio.text.markup import MarkupStream
from agentaudio.text.sentences import SentenceStream, sentences
from agentaudio.text.spoken_form import spoken_words

SHORTEST_OPENING = 4
"""Words in the first phrase; a shorter one sounds cut off."""

LONGEST_PHRASE = 300
"""Characters; a longer phrase is cut between two words."""

OPENING_WITHIN = 2 * LONGEST_PHRASE
"""Characters of a sentence in which its first pause is looked for."""

_WHITE_SPACE = re.compile(r"\s+")
_CLAUSE_END = re.compile(r"[,;:](?=\s)(?!\s+\d)|\s(?=[-–—]\s)(?!\s+[-–—]\s+\d)")
"""Not inside a date ("March 5, 2024") or a span ("9 - 12")."""


class PhraseStream:
    """Cuts text that arrives in pieces; however it is divided, the phrases are the same.

    A phrase is a sentence, cut further only where it is longer than LONGEST_PHRASE. The first
    sentence is also cut at its first pause after SHORTEST_OPENING words. Joined with spaces, the
    phrases hold every word of the text, in order. Numbers, dates and abbreviations are not cut.

    read: how a sentence is read aloud, applied before it is cut further; None leaves it as it is
    """

    def __init__(self, read: Callable[[str], str] | None = None) -> None:
        self._sentences, self._read = SentenceStream(), read
        # The beginning of the first line, with single spaces, until the first sentence is complete.
        self._begun: str | None = ""
        self._opening = ""  # the first phrase, while the rest of its sentence is incomplete

    def push(self, text: str) -> list[str]:
        """Add a piece of text; returns the phrases that it completes."""
        found = self._sentences.push(text)
        return self._cut(found) if found else self._open(text)

    def finish(self) -> list[str]:
        """The remaining phrases of a text that is complete; nothing may be pushed afterwards."""
        return self._cut(self._sentences.finish())

    def _open(self, text: str) -> list[str]:
        """The first phrase, as soon as the beginning of the text shows where it ends."""
        if self._begun is None or self._opening or len(self._begun) > OPENING_WITHIN or "\n" in self._begun:
            return []
        line, newline, _ = (self._begun + text).lstrip().partition("\n")
        self._begun = _WHITE_SPACE.sub(" ", line) + newline
        self._opening = _opening(self._begun.strip())
        return self._parts(self._opening) if self._opening else []

    def _cut(self, found: list[str]) -> list[str]:
        if found and self._begun is not None:
            first, *rest = found
            if self._opening:
                found = [first[len(self._opening) :].strip(), *rest]
            elif opening := _opening(first):
                found = [opening, first[len(opening) :].strip(), *rest]
            self._begun, self._opening = None, ""
        return [part for whole in found for part in self._parts(whole)]

    def _parts(self, sentence: str) -> list[str]:
        said = self._read(sentence) if self._read and sentence else sentence
        return _within(said, LONGEST_PHRASE) if said or not self._read else []


class SpokenPhrases:
    """The phrases in which a text that arrives in pieces is read aloud.

    Markdown, tags, addresses and emoji go first, then sentences are read as `spoken_form` has it, and then cut.
    However the text is divided, the phrases are the same.

    language: of the text, such as "en"; None where it is not known, and only the markup goes
    read: how a sentence is read aloud, in place of `spoken_form`
    """

    def __init__(self, language: str | None = None, *, read: Callable[[str], str] | None = None) -> None:
        self._markup = MarkupStream()
        self._phrases = PhraseStream(read or functools.partial(spoken_words, language=language))

    def push(self, text: str) -> list[str]:
        """Add a piece of text; returns the phrases that it completes."""
        words = self._markup.push(text)
        return self._phrases.push(words) if words else []

    def finish(self) -> list[str]:
        """The remaining phrases of a text that is complete; nothing may be pushed afterwards."""
        found = self._phrases.push(self._markup.finish())
        return found + self._phrases.finish()


def pieces(text: str, longest: int) -> list[str]:
    """The sentences, each cut into pieces of at most `longest` characters (a longer word stays whole)."""
    return [part for whole in sentences(text) for part in _within(whole, longest)]


def _opening(sentence: str) -> str:
    """The sentence up to its first pause after SHORTEST_OPENING words; empty when it has none near its beginning."""
    begun = sentence[:OPENING_WITHIN]
    for match in _CLAUSE_END.finditer(begun):
        head, tail = begun[: match.end()], begun[match.end() :]
        if len(head.split()) >= SHORTEST_OPENING and len(tail.split()) >= 2:
            return head.strip()
    return ""


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
