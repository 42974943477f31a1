"""`EnglishPhonemes`: English text as the symbols that Kokoro speaks."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from agentaudio.model.kokoro.homographs import part_of_speech
from agentaudio.model.kokoro.lexicon import Entry, Lexicon
from agentaudio.text.spoken_form import spoken_form

log = logging.getLogger(__name__)

Spell = Callable[[str], str]
"""A word of lower-case letters to its pronunciation."""

VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻɐoeᵊ")
_STRESS = re.compile("[ˈˌ]")
_TOKEN = re.compile(
    r"[^\W\d_]+(?:['’.&][^\W\d_]+)*['’]?(?:-[^\W\d_]+(?:['’][^\W\d_]+)*)*|\.{3}|[;:,.!?—–…]|\s[-](?=\s)"
)
_MARKS = {"–": "—", "-": "—", "...": "…"}
LONGEST_ACRONYM = 5


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or a mark of punctuation."""

    text: str

    @property
    def is_word(self) -> bool:
        return self.text[:1].isalpha() or len(self.text) > 1 and self.text[1:2].isalpha()


class EnglishPhonemes:
    """Pronounces English text. Thread-safe.

    lexicon: pronounces the words it has, with their inflected forms
    spell: pronounces any other word
    """

    def __init__(self, lexicon: Lexicon, spell: Spell) -> None:
        self._lexicon, self._spell = lexicon, spell

    def __call__(self, text: str) -> str:
        """The symbols of a text; numbers, dates and signs are read as `spoken_form` writes them.

        Raises BackendError when the lexicon cannot be read.
        """
        plain = unicodedata.normalize("NFKC", spoken_form(text)).replace("’", "'")
        tokens = [_Token(match.group().strip()) for match in _TOKEN.finditer(plain)]
        words = [token.text for token in tokens]
        shouted = plain.upper() == plain and sum(token.is_word for token in tokens) > 2
        said: list[str] = []
        following = ""  # the symbols after the word, for words that depend on the next sound
        for number in range(len(tokens) - 1, -1, -1):
            token = tokens[number]
            if not token.is_word:
                said.append(_MARKS.get(token.text, token.text))
                following = ""
                continue
            word = token.text.lower() if shouted else token.text
            phonemes = self._word(word, words[:number], words[number + 1 :], following)
            said.append(phonemes)
            following = phonemes or following
        return _joined(said[::-1])

    def _word(self, word: str, before: list[str], after: list[str], following: str) -> str:
        lower = word.lower()
        if special := _reduced(word, before, following):
            return special
        entry = self._known(word)
        if isinstance(entry, dict):
            return _choose(entry, lower, before, after, following)
        if entry is not None:
            return entry
        if "-" in word:
            parts = [part for part in word.split("-") if part]
            return " ".join(
                self._word(part, before if not n else parts[:n], parts[n + 1 :], "") for n, part in enumerate(parts)
            )
        letters = [letter for letter in word if letter.isalpha()]
        ending = "'s" if lower.endswith("'s") and len(word) > 3 else "s" if word.endswith("s") else ""
        stem = word[: len(word) - len(ending)]
        if "." in word or "&" in word or (stem.isupper() and 1 < len(stem.replace("'", "")) <= LONGEST_ACRONYM):
            return self._letters(stem if stem.isupper() else "".join(letters), ending)
        if len(letters) == 1:
            return self._letters(word.upper(), "")
        return self._unknown(word)

    def _known(self, word: str) -> Entry | None:
        entry = self._lexicon.entry(word)
        lower = word.lower()
        if entry is None and word != lower and (not word.isupper() or lower in self._lexicon.words()[0]):
            entry = self._lexicon.entry(lower)
        if entry is None and not word.isupper():
            entry = self._lexicon.inflected(word) or self._lexicon.inflected(lower)
        if entry is None and word.endswith("'"):
            entry = self._lexicon.inflected(word[:-1])
        return entry

    def _letters(self, letters: str, ending: str) -> str:
        """An abbreviation, letter by letter, with the stress on the last."""
        names = [self._lexicon.entry(letter.upper()) for letter in letters if letter.isascii() and letter.isalpha()]
        plain = [
            _STRESS.sub("", name if isinstance(name, str) else name.get("DEFAULT") or "") for name in names if name
        ]
        said = "".join(_stressed(name, "ˌ") for name in plain[:-1]) + "".join(
            _stressed(name, "ˈ") for name in plain[-1:]
        )
        return said + ("z" if ending and said else "")

    def _unknown(self, word: str) -> str:
        """A word outside the lexicon: by its two known halves, else by its letters."""
        ending = ""
        if word.lower().endswith("'s"):
            word, ending = word[:-2], "s"
        plain = "".join(
            letter for letter in unicodedata.normalize("NFKD", word) if letter.isascii() and letter.isalpha()
        )
        if not plain:
            log.warning("the word %r is left out: it has no letters that Kokoro can speak", word)
            return ""
        accentless = self._known(plain) if plain != word else None
        if isinstance(accentless, str):
            said = accentless
        else:
            said = self._halves(plain.lower()) or self._spell(plain.lower())
        return self._lexicon.possessive(said) if ending else said

    def _halves(self, word: str) -> str:
        """A compound such as "airdock", as its two known words; empty when it is none."""
        for cut in range(len(word) - 4, 3, -1):
            first, second = self._lexicon.entry(word[:cut]), self._lexicon.inflected(word[cut:])
            if isinstance(first, str) and isinstance(second, str):
                return first + second.replace("ˈ", "ˌ")
        return ""


def _reduced(word: str, before: list[str], following: str) -> str:
    """The words that are said otherwise before a vowel, a consonant or a pause; empty for all others."""
    vowel = _STRESS.sub("", following)[:1] in VOWELS if following else None
    match word.lower():
        case "the":
            return "ði" if vowel else "ðə"
        case "a" if word == "a" or (word == "A" and following and not before):
            return "ɐ" if following else "ˈA"
        case "an":
            return "ɐn"
        case "to":
            return {None: "tu", True: "tʊ", False: "tə"}[vowel]
        case "in":
            return "ɪn" if following else "ˈɪn"
        case "i" if word == "I":
            return "ˌI"
        case "am" if word == "am" and following:
            return "ɐm"
    return ""


def _choose(entry: dict[str, str | None], word: str, before: list[str], after: list[str], following: str) -> str:
    if not following and entry.get("None"):
        return entry["None"] or ""
    tag = part_of_speech(word, [one.lower() for one in before[-3:]], [one.lower() for one in after[:2]])
    for candidate in (tag, "VERB" if tag.startswith("VB") else "", "DEFAULT"):
        if found := entry.get(candidate):
            return found
    return next((value for value in entry.values() if value), "")


def _stressed(name: str, mark: str) -> str:
    """A letter's name with a stress mark before its vowel."""
    for position, symbol in enumerate(name):
        if symbol in VOWELS:
            return name[:position] + mark + name[position:]
    return name


def _joined(said: list[str]) -> str:
    """Words with spaces between them, and marks directly after the word before."""
    text = ""
    for part in said:
        if not part:
            continue
        if len(part) == 1 and part in ";:,.!?…" or part == "—":
            text = text.rstrip() + part
        else:
            text += (" " if text else "") + part
    return text.lstrip(";:,.!?…— ")
