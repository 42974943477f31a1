"""`WordPieces`: splits English text into the word pieces of a BERT vocabulary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_PIECES = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_LONGEST_WORD = 100


class WordPieces:
    """The uncased BERT tokeniser, for a vocabulary that may be pruned to ASCII.

    vocabulary: pieces in the order of their ids, with [UNK], [CLS] and [SEP]; a piece that continues a word starts
        with ##

    Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 4.1 (longest
    piece first), with BERT's lower-casing, accent removal and splitting at punctuation.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids = {piece: number for number, piece in enumerate(vocabulary)}
        self._unknown = self._ids["[UNK]"]
        self._first, self._last = self._ids["[CLS]"], self._ids["[SEP]"]
        self._of_word: dict[str, tuple[int, ...]] = {}

    def __call__(self, text: str, longest: int) -> list[int]:
        """Ids of the pieces of `text` between [CLS] and [SEP], at most `longest` in total.

        Empty when the text is only white space.
        """
        plain = unicodedata.normalize("NFD", text[: longest * 40].lower())
        plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn")
        ids: list[int] = []
        for word in _PIECES.findall(plain):
            ids.extend(self._split(word))
            if len(ids) >= longest - 2:
                break
        return [self._first, *ids[: longest - 2], self._last] if ids else []

    def _split(self, word: str) -> tuple[int, ...]:
        known = self._of_word.get(word)
        if known is None:
            known = self._longest_pieces(word)
            # Bounded, so that the memory of a long-running server stays limited.
            if len(self._of_word) < 50_000:
                self._of_word[word] = known
        return known

    def _longest_pieces(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        ids: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self._ids.get(word[start:end] if start == 0 else "##" + word[start:end])
                if piece is not None:
                    ids.append(piece)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(ids)
