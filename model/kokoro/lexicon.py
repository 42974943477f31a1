"""`Lexicon`: pronunciations of English words, in Kokoro's symbols, with inflected forms made by rule."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Literal

from agentaudio.errors import BackendError

Accent = Literal["us", "gb"]
Entry = str | dict[str, str | None]
"""A pronunciation, or one for each part of speech: DEFAULT, NOUN, VERB, ADJ, VBD (past tense), VBN (participle);
"None" is that of the last word before a pause."""

_VOWELS_BEFORE_A_FLAP = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
_HISSING, _VOICELESS = frozenset("szʃʒʧʤ"), frozenset("ptkfθ")
_DOUBLED = frozenset("bcdgklmnprstvxz")


class Lexicon:
    """The words of misaki's lexicons, the checked one (gold) before the other (silver). Thread-safe.

    folder: holds us_gold.json, us_silver.json, gb_gold.json and gb_silver.json, which are read on first use

    Raises BackendError naming the file when one is missing or damaged.
    """

    def __init__(self, folder: Path, accent: Accent = "us") -> None:
        self.accent: Accent = accent
        self._folder = folder
        self._loading = threading.Lock()
        self._tables: tuple[dict[str, Entry], dict[str, Entry]] | None = None

    def __contains__(self, word: str) -> bool:
        return self.entry(word) is not None

    def entry(self, word: str) -> Entry | None:
        """The entry of a word as it is spelled, else with its first letter in the other case; None without one."""
        other = word[:1].swapcase() + word[1:]
        for table in self._loaded():
            for spelling in (word, other) if len(word) > 1 and word[1:] == word[1:].lower() else (word,):
                if (found := table.get(spelling)) is not None:
                    return found
        return None

    def inflected(self, word: str) -> Entry | None:
        """The entry of a word, or one made from its stem: of -'s, -s, -es, -ies, -ed, -ing, -in', -ly, -less, -ness."""
        found = self.entry(word)
        if found is not None:
            return found
        for stem, ending in _stems(word):
            entry = self.entry(stem)
            if entry is not None:
                return self._with_ending(entry, ending)
        return None

    def _with_ending(self, entry: Entry, ending: str) -> Entry:
        if isinstance(entry, dict):
            kept = ("VERB", "DEFAULT") if ending in ("ed", "ing") else ("DEFAULT", "NOUN", "VERB")
            forms = {tag: self._joined(entry[tag] or "", ending) for tag in kept if entry.get(tag)}
            if ending in ("ed", "ing") and "VERB" in forms:
                return forms["VERB"]
            return dict(forms)
        return self._joined(entry, ending)

    def _joined(self, stem: str, ending: str) -> str:
        """A stem's pronunciation with an ending's. Source: the English inflections, as in any grammar."""
        if not stem:
            return stem
        schwa = "ᵻ" if self.accent == "us" else "ɪ"
        last = stem[-1]
        flapped = self.accent == "us" and last == "t" and stem[-2:-1] in _VOWELS_BEFORE_A_FLAP and len(stem) > 1
        if ending == "s":
            return stem + (schwa + "z" if last in _HISSING else "s" if last in _VOICELESS else "z")
        if ending == "ed":
            if flapped:
                return stem[:-1] + "ɾᵻd"
            if last in "td":
                return stem + schwa + "d"
            return stem + ("t" if last in "pkfθʃsʧ" else "d")
        if ending == "ing":
            linked = "ɹ" if self.accent == "gb" and last in "əː" and stem[-2:] not in ("iː", "uː") else ""
            return (stem[:-1] + "ɾ" if flapped else stem + linked) + "ɪŋ"
        return stem + {"ly": "li", "less": "ləs", "ness": "nəs", "ful": "fᵊl"}[ending]

    def possessive(self, stem: str) -> str:
        """A pronunciation with the ending of a possessive or a plural."""
        return self._joined(stem, "s")

    def words(self) -> tuple[dict[str, Entry], dict[str, Entry]]:
        """The entries of both lexicons, as they are in the files."""
        return self._loaded()

    def _loaded(self) -> tuple[dict[str, Entry], dict[str, Entry]]:
        with self._loading:
            if self._tables is None:
                self._tables = self._read("gold"), self._read("silver")
            return self._tables

    def _read(self, kind: str) -> dict[str, Entry]:
        path = self._folder / f"{self.accent}_{kind}.json"
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BackendError(f"cannot read the pronunciations in {path}: {error}; fetch them again") from None
        if not isinstance(table, dict):
            raise BackendError(f"{path} holds no table of pronunciations; fetch it again")
        return table


def _stems(word: str) -> list[tuple[str, str]]:
    """Stems that a word may be an inflected form of, each with its ending."""
    found = []
    if word.endswith("'s") and len(word) > 3:
        found.append((word[:-2], "s"))
    if word.endswith("s'") and len(word) > 3:
        found.append((word[:-2], "s"))
    if len(word) < 4:
        return found
    if word.endswith("s") and not word.endswith("ss"):
        found.append((word[:-1], "s"))
        if word.endswith("es"):
            found.append((word[:-2], "s"))
        if word.endswith("ies"):
            found.append((word[:-3] + "y", "s"))
    if word.endswith("ed"):
        found += _verb_stems(word[:-2], "ed")
        if word.endswith("ied"):
            found.append((word[:-3] + "y", "ed"))
    if word.endswith("ing") or word.endswith("in'"):
        found += _verb_stems(word[:-3], "ing")
    for ending in ("ly", "less", "ness", "ful"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            found.append((word[: -len(ending)], ending))
    return found


def _verb_stems(stem: str, ending: str) -> list[tuple[str, str]]:
    found = [(stem + "e", ending), (stem, ending)]
    if stem[-1:] in _DOUBLED and stem[-1:] == stem[-2:-1]:
        found.append((stem[:-1], ending))
    return found
