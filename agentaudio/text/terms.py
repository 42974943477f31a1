"""The terms that a text is indexed and searched by."""

from __future__ import annotations

import re
import unicodedata

from agentaudio.text.languages import has_cjk
from agentaudio.text.stems import singular

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")

# Shorter than STOP_WORDS of agentaudio.text.words: here a rare verb may be what sets a passage apart.
_STOP_WORDS = frozenset(
    "a an and are as at be been by can could did do does for from had has have he her his how i if in into is it "
    "its just like me my no not of on or our she so some such than that the their them then there these they this "
    "to us was we were what when where which who why will with would you your please tell about".split()
)


def search_terms(text: str) -> list[str]:
    """Lower-case words of a text, in order, without accents, English stop words and plural endings.

    A word with Chinese or Japanese characters becomes its overlapping pairs of characters.
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    found: list[str] = []
    for word in _WORD.findall(plain):
        if has_cjk(word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        elif word not in _STOP_WORDS:
            found.append(singular(word))
    return found
