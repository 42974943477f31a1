"""`Pronunciation`: text in any of Kokoro's languages here, as phrases of symbols."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentaudio.model.kokoro.english import EnglishPhonemes
from agentaudio.model.kokoro.lexicon import Accent, Lexicon
from agentaudio.model.kokoro.symbols import LONGEST


@dataclass(frozen=True, slots=True)
class Said:
    """Symbols of a stretch of text in one language.

    phonemes: at most LONGEST symbols
    language: BCP-47 code
    """

    phonemes: str
    language: str


class Pronunciation:
    """Makes symbols of text. Thread-safe.

    lexicons: the folder of misaki's lexicons
    """

    def __init__(self, lexicons: Path) -> None:
        accents: tuple[Accent, ...] = ("us", "gb")
        self._english = {accent: EnglishPhonemes(Lexicon(lexicons, accent), lambda word: "") for accent in accents}

    @property
    def languages(self) -> tuple[str, ...]:
        return ("en",)

    def __call__(self, text: str, *, language: str | None = None, british: bool = False) -> list[Said]:
        """The stretches of a text in order; none when nothing can be said.

        language: BCP-47 code of the text; None judges by its script
        Raises BackendError when the lexicons cannot be read.
        """
        phonemes = self._english["gb" if british else "us"](text)
        return [Said(part, "en") for part in _within(phonemes, LONGEST)]


def _within(phonemes: str, longest: int) -> list[str]:
    """Symbols cut at spaces into parts of at most `longest`."""
    found: list[str] = []
    line = ""
    for word in phonemes.split():
        word = word[:longest]
        if line and len(line) + 1 + len(word) > longest:
            found.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*found, line] if line else found
