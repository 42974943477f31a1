"""`search_form`: one form for texts and queries that differ only in how their characters are encoded."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def search_form(text: str) -> str:
    """The text in Unicode's form NFKC, without soft hyphens and other characters that are not seen.

    Ligatures become letters, full-width letters plain ones, and "½" becomes "1⁄2". Meant for comparing and
    embedding only: what is shown keeps its characters.
    """
    return unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
