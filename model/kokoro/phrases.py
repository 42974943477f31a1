"""`SafePhrases`: phrases of a text that are long enough for Kokoro to speak well."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentaudio.text.languages import has_cjk
from agentaudio.text.phrases import SpokenPhrases
from agentaudio.text.spoken_form import spoken_words
from agentaudio.text.words import word_count

SHORTEST_WORDS = 5
"""Kokoro adds sounds to phrases of one to three words, and is safe from about five on."""
LONGEST_WORDS = 20
"""A longer phrase is cut at a clause mark, so that its sound is ready before the phrase before it has been heard."""
LONGEST_OPENING_WORDS = 7
"""A longer first phrase is cut before a word of _JOINTS, so that the first sound is ready earlier."""
LONGEST_SECOND_WORDS = 12
"""A longer second phrase is cut there, too: it is made while the first one is heard, which may last only a second."""
SHORTEST_LETTERS = 20
"""Letters of four English words that may be the first phrase, too. What follows them needs four words."""
_SAME_AGAIN = frozenset(("by", "and", "after", "for", "or", "in"))
"""Joints between two of the same word, which belong together: "side by side"."""
_JOINTS = re.compile(
    r"\s+(?=(?:in|on|at|by|for|from|with|until|over|during|through|across|after|before|into|between|under|near"
    r"|because|when|while|where|which|that|than|and|or|but|away|equals)\s)"
    r"|(?<!\bthat)(?<!\bwho)(?<!\bwhich)(?<!\bthere)(?<!\bit)(?<!\bthis)(?<!\bthey)(?<!\band)(?<!\bnot)"
    r"\s+(?=(?:is|are|was|were|has|have|had|can|could|will|would|may|might|must)\s)"
)
_CLAUSE = re.compile(r"(?<=[,;:])\s+|(?<=[，；：、])|\s+(?=[—–-]\s)")


class SafePhrases:
    """Cuts text that arrives in pieces into phrases of SHORTEST_WORDS or more; see SpokenPhrases.

    A shorter phrase is joined with the next one. Only the last phrase of a text may be shorter, and what the first
    sentence is cut into, which has four words or more. However the text is divided, the phrases are the same.

    language: of the text; None reads sentences with Chinese characters in Chinese and others in English
    """

    def __init__(self, language: str | None = None) -> None:
        self._phrases = SpokenPhrases(language, read=None if language else _read)
        self._held = ""
        self._count = 0  # phrases that were found

    def push(self, text: str) -> list[str]:
        """Add a piece of text; returns the phrases that it completes."""
        return self._joined(self._phrases.push(text))

    def finish(self) -> list[str]:
        """The remaining phrases of a text that is complete; nothing may be pushed afterwards."""
        found = self._joined(self._phrases.finish())
        if self._held:
            found.append(self._held)
            self._held = ""
        return found

    def _joined(self, phrases: list[str]) -> list[str]:
        found = []
        for phrase in phrases:
            self._held = f"{self._held} {phrase}".strip()
            if word_count(self._held) >= SHORTEST_WORDS:
                for part in _cut(self._held):
                    parts = self._short(part)
                    self._count += len(parts)
                    found += parts
                self._held = ""
        return found

    def _short(self, phrase: str) -> list[str]:
        """A phrase, cut where it is too long for the first or the second one of the text."""
        if self._count == 0:
            first, *rest = _opening(phrase)
            return [first, *(part for one in rest for part in _second(one))]
        return _second(phrase) if self._count == 1 else [phrase]


def _read(sentence: str) -> str:
    return spoken_words(sentence, "zh" if has_cjk(sentence) else "en")


def _opening(phrase: str) -> list[str]:
    """A phrase in two parts that are long enough, if it is long and has a word that a part can begin with."""
    if word_count(phrase) > LONGEST_OPENING_WORDS:
        for first, second in _joints(phrase):
            if _may_open(first) and word_count(second) >= SHORTEST_WORDS - 1:
                return [first, second]
    return [phrase]


def _second(phrase: str) -> list[str]:
    """A phrase in two parts, the first of up to LONGEST_SECOND_WORDS words, if it is longer and has such a joint."""
    if word_count(phrase) > LONGEST_SECOND_WORDS:
        for first, second in reversed(list(_joints(phrase))):
            if SHORTEST_WORDS <= word_count(first) <= LONGEST_SECOND_WORDS and word_count(second) >= SHORTEST_WORDS:
                return [first, second]
    return [phrase]


def _joints(phrase: str) -> Iterator[tuple[str, str]]:
    """The two parts of a phrase at each word that the second one can begin with."""
    for match in _JOINTS.finditer(phrase):
        first, second = phrase[: match.start()], phrase[match.end() :]
        joint, *after = second.split()[:2]
        if joint not in _SAME_AGAIN or first.split()[-1:] != after:
            yield first, second


def _may_open(part: str) -> bool:
    words = word_count(part)
    return words >= SHORTEST_WORDS or (words >= SHORTEST_WORDS - 1 and sum(map(str.isalpha, part)) >= SHORTEST_LETTERS)


def _cut(phrase: str) -> list[str]:
    """A phrase in parts of SHORTEST_WORDS to LONGEST_WORDS words, as far as its clause marks allow."""
    found: list[str] = []
    start = last = 0
    for match in [*_CLAUSE.finditer(phrase), None]:
        end = match.start() if match else len(phrase)
        fits = word_count(phrase[start:last]) >= SHORTEST_WORDS and word_count(phrase[last:]) >= SHORTEST_WORDS
        if fits and word_count(phrase[start:end]) > LONGEST_WORDS:
            found.append(phrase[start:last].strip())
            start = last
        last = match.end() if match else end
    return [*found, phrase[start:].strip()]
