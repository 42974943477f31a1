"""`PocketText`: cuts text into pieces that Pocket TTS speaks in one go, and leaves out what it cannot read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from agentaudio.errors import BackendError
from agentaudio.text.spoken_form import spoken_form

READ = frozenset(" .,!?;:'-–—…’‘")
"""The marks that it reads; others were rare in the training, and come out as filler sounds."""
CLAUSE_ENDS = (",", ";", ":", "–", "—")
SHARE_OF_LATIN = 0.5
"""A text with a smaller share of Latin letters is in another script."""


def readable(text: str, language: str) -> str:
    """The text as it is read aloud: letters, digits and the marks READ. Empty when there is nothing to say.

    language: of the text; in English numbers, dates and signs become words

    Raises BackendError for a text in another script.
    """
    text = spoken_form(text, language)
    text = unicodedata.normalize("NFC", text)
    letters = [character for character in text if character.isalpha()]
    if letters and sum(map(_is_latin, letters)) < SHARE_OF_LATIN * len(letters):
        raise BackendError(
            f"the text {text.strip()[:40]!r} is not in the Latin script, and these weights of Pocket TTS speak "
            f"{language!r}; answer in that language, or choose another synthesiser"
        )
    kept = "".join(c if c in READ or c.isdecimal() or (c.isalpha() and _is_latin(c)) else " " for c in text)
    kept = re.sub(r"\s+([.,!?;:…])", r"\1", " ".join(kept.split())).lstrip(".,!?;:…-–— ")
    return kept if any(map(str.isalnum, kept)) else ""


def cut(text: str, most: int, tokens: Callable[[str], int]) -> list[str]:
    """A text in pieces of at most `most` tokens, cut behind a clause where one ends in the second half of a piece.

    tokens: counts the tokens of a text

    Raises BackendError for a single word of more tokens.
    """
    words, found = text.split(), []
    while words:
        count = _fitting(words, most, tokens)
        if not count:
            raise BackendError(
                f"the word {words[0][:40]!r} of {len(words[0])} characters is too long for Pocket TTS, which takes "
                f"{most} tokens at once; write it in shorter words"
            )
        if count < len(words):
            ends = [place for place in range((count + 1) // 2, count + 1) if words[place - 1].endswith(CLAUSE_ENDS)]
            count = ends[-1] if ends else count
        found.append(" ".join(words[:count]))
        words = words[count:]
    return found


def _fitting(words: list[str], most: int, tokens: Callable[[str], int]) -> int:
    """How many of the words have at most `most` tokens together. A word has one token or more."""
    low, high = 0, min(len(words), most)
    while low < high:
        middle = (low + high + 1) // 2
        if tokens(" ".join(words[:middle])) <= most:
            low = middle
        else:
            high = middle - 1
    return low


@lru_cache(maxsize=4096)
def _is_latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("LATIN", "FEMININE ORDINAL", "MASCULINE ORDINAL"))
