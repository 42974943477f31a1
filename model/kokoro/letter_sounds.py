"""`LetterSounds`: the pronunciation of words that no lexicon holds, from their letters."""

from __future__ import annotations

import math
import re
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

BITS = 10
"""Of one pair of a letter and its symbols, in the key of an n-gram."""
BEAM = 12
LONGEST_WORD = 40
_END = 1
_STRESSES = "ˈˌ"


SHIPPED = Path(__file__).parent / "assets" / "letter_sounds.npz"
"""A model of American English; see assets/NOTICE."""

_BRITISH = (
    ("ɜɹ", "ɜː"), ("əɹ(?![AIOQWYiuæɑɔəɛɜɪʊʌᵻˈˌ])", "ə"), ("([ɑɔ])ɹ(?![AIOQWYiuæɑɔəɛɜɪʊʌᵻˈˌ])", r"\1ː"),
    ("ɹ(?![AIOQWYiuæɑɔəɛɜɪʊʌᵻˈˌ])", "ə"), ("([iuɑɔ])(?!ː)", r"\1ː"), ("(?<![ˈˌ])iː$", "i"), ("O", "Q"), ("æ", "a"),
    ("ɾ", "t"), ("ᵻ", "ɪ"),
)  # fmt: skip


def british(said: str) -> str:
    """American symbols as a British speaker says them: without r before consonants, and with long vowels.

    Source: Wells 1982, "Accents of English", volume 1, chapter 2 (General American and Received Pronunciation).
    """
    for american, other in _BRITISH:
        said = re.sub(american, other, said)
    return said


class LetterSounds:
    """An n-gram model of pairs of a letter and its symbols, decoded with a beam. Thread-safe.

    path: a file of scripts/train_letter_sounds.py, read on first use

    Smoothed as in Witten and Bell 1991, "The zero-frequency problem", interpolated.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loading = threading.Lock()
        self._symbols: list[str] = []
        self._of_letter: dict[str, list[int]] = {}
        self._counts: list[dict[int, int]] = []
        self._totals: list[dict[int, tuple[int, int]]] = []

    def __call__(self, word: str) -> str:
        """The symbols of a word of the letters a to z; other letters are left out. A longer one is cut."""
        self._load()
        letters = [letter for letter in word.lower() if letter in self._of_letter][:LONGEST_WORD]
        order = len(self._counts)
        mask = (1 << BITS * (order - 1)) - 1
        beam: list[tuple[float, int, tuple[int, ...]]] = [(0.0, 0, ())]
        for letter in letters:
            found = []
            for score, context, path in beam:
                for pair in self._of_letter[letter]:
                    chance = score + math.log(self._chance(context, pair))
                    found.append((chance, (context << BITS | pair) & mask, (*path, pair)))
            beam = sorted(found, reverse=True)[:BEAM]
        ended = [(score + math.log(self._chance(context, _END)), path) for score, context, path in beam]
        said = "".join(self._symbols[pair] for pair in max(ended)[1])
        return _with_one_stress(said)

    def _chance(self, context: int, pair: int) -> float:
        """The interpolated probability of a pair after the pairs of `context`."""
        chance = 1e-4
        for length, (counts, totals) in enumerate(zip(self._counts, self._totals, strict=True)):
            before = context & ((1 << BITS * length) - 1)
            total = totals.get(before)
            if total is None:
                break
            uses, kinds = total
            chance = (counts.get(before << BITS | pair, 0) + kinds * chance) / (uses + kinds)
        return chance

    def _load(self) -> None:
        with self._loading:
            if self._counts:
                return
            with np.load(self._path, allow_pickle=False) as kept:
                letters, symbols = kept["letters"].tolist(), kept["symbols"].tolist()
                orders = range(1, 1 + sum(name.startswith("keys") for name in kept.files))
                grams = [(np.cumsum(kept[f"keys{n}"]), kept[f"counts{n}"]) for n in orders]
            of_letter: dict[str, list[int]] = defaultdict(list)
            for number, letter in enumerate(letters, start=2):
                of_letter[letter].append(number)
            self._of_letter, self._symbols = dict(of_letter), ["", "", *symbols]
            self._totals = [_totals(*gram) for gram in grams]
            self._counts = [dict(zip(keys.tolist(), counts.tolist(), strict=True)) for keys, counts in grams]


def _totals(keys: Any, counts: Any) -> dict[int, tuple[int, int]]:
    """For each context: how often it occurs, and how many different pairs follow it."""
    contexts, starts = np.unique(keys >> BITS, return_index=True)
    uses = np.add.reduceat(counts.astype(np.int64), starts)
    kinds = np.diff(np.append(starts, len(keys)))
    return dict(zip(contexts.tolist(), zip(uses.tolist(), kinds.tolist(), strict=True), strict=True))


def _with_one_stress(said: str) -> str:
    """The symbols with exactly one primary stress, which is the first of several; before the first vowel if none."""
    first = said.find("ˈ")
    if first >= 0:
        return said[: first + 1] + said[first + 1 :].replace("ˈ", "ˌ")
    if "ˌ" in said:
        return said.replace("ˌ", "ˈ", 1)
    for place, symbol in enumerate(said):
        if symbol in "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ":
            return f"{said[:place]}ˈ{said[place:]}"
    return said
