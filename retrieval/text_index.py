"""`TextIndex`: lexical search, BM25 (Robertson and Zaragoza, 2009, Lucene's variant)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from agentaudio.errors import RetrievalError

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_STOP = frozenset(
    "a an and are as at be been by can could did do does for from had has have he her his how i if in into is it "
    "its just like me my no not of on or our she so some such than that the their them then there these they this "
    "to us was we were what when where which who why will with would you your please tell about".split()
)


def words(text: str) -> list[str]:
    """Lower-case words without accents, English stop words and plural endings; Chinese by character pairs."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    found: list[str] = []
    for word in _WORD.findall(plain):
        if _CJK.search(word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        elif word not in _STOP:
            found.append(_stem(word))
    return found


def _stem(word: str) -> str:
    # Plurals and possessives only: a full stemmer confuses names, which is what people ask for.
    word = word.removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


class TextIndex:
    """BM25 over a fixed list of texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        if not texts:
            raise RetrievalError("there is no text to index")
        self._size = len(texts)
        tokens = [words(text) for text in texts]
        self._vocabulary = {word for row in tokens for word in row}
        self._bm25: Any = None
        if self._vocabulary:
            import bm25s

            self._bm25 = bm25s.BM25()
            self._bm25.index(tokens, show_progress=False)

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """The k best (position, score) that share a word with the query, best first."""
        wanted = [word for word in words(query) if word in self._vocabulary]
        if not wanted or self._bm25 is None:
            return []
        scores = self._bm25.get_scores(wanted)
        order = np.argsort(-scores, kind="stable")[:k]
        return [(int(i), float(scores[i])) for i in order if scores[i] > 0]

    def __len__(self) -> int:
        return self._size
