"""`Pronunciation`: text in any of Kokoro's languages here, as phrases of symbols."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from agentaudio.model.kokoro.chinese import chinese_runs, has_han
from agentaudio.model.kokoro.english import EnglishPhonemes
from agentaudio.model.kokoro.letter_sounds import SHIPPED, LetterSounds, british
from agentaudio.model.kokoro.lexicon import Lexicon
from agentaudio.model.kokoro.symbols import LONGEST
from agentaudio.text.markup import without_markup
from agentaudio.text.words import CJK_PER_WORD, word_count

MARKS = ";:,.!?…—"


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
        spell = LetterSounds(SHIPPED)
        self._american = EnglishPhonemes(Lexicon(lexicons, "us"), spell)
        self._british = EnglishPhonemes(Lexicon(lexicons, "gb"), lambda word: british(spell(word)))

    @property
    def languages(self) -> tuple[str, ...]:
        return ("en", "zh") if importlib.util.find_spec("pypinyin") else ("en",)

    def unspoken(self, text: str) -> tuple[str, ...]:
        """The words of a text, with single letters, in scripts that are not spoken, in order and once each."""
        words = re.findall(r"[^\W\d_]+", without_markup(text))
        return tuple(dict.fromkeys(word for word in words if not _is_spoken(word)))

    def __call__(self, text: str, *, language: str | None = None, is_british: bool = False) -> list[Said]:
        """The stretches of a text in order; none when nothing can be said.

        language: BCP-47 code of the text; None judges by the script. It matters for
            numbers alone

        A text of both languages is one stretch, of the one that has more of it.
        Raises BackendError when the lexicons cannot be read, MissingExtra for Chinese without the extra `chinese`.
        """
        english = self._british if is_british else self._american
        is_chinese = language is not None and language.lower().startswith("zh")
        if not has_han(text) and not (is_chinese and not any(map(str.isalpha, text))):
            return [Said(part, "en") for part in _within(english(text), LONGEST)]
        han = sum(map(has_han, text))
        spoken = "zh" if han / CJK_PER_WORD >= word_count(text) / 2 or is_chinese else "en"
        parts = [run if is_symbols else _run(run, english) for is_symbols, run in chinese_runs(text)]
        symbols = re.sub(r"\s+([;:,.!?…])", r"\1", " ".join("".join(parts).split()))
        return [Said(part, spoken) for part in _within(symbols.lstrip(";:,.!?…— "), LONGEST)]


def _is_spoken(word: str) -> bool:
    """Whether anything of a word is spoken; other letters and signs of it may be left out."""
    plain = unicodedata.normalize("NFKD", word)
    return has_han(word) or any(letter.isascii() and letter.isalpha() for letter in plain) or word in "πµ"


def _run(text: str, english: EnglishPhonemes) -> str:
    """What stands between Chinese: words in English, and marks with a space after them."""
    if any(map(str.isalpha, text)):
        last = text.rstrip()[-1:]
        said = english(text)
        return f" {said}{last if last in MARKS and not said.endswith(last) else ''} "
    return "".join(f"{mark} " for mark in text if mark in MARKS) or " "


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
