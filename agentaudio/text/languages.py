"""Scripts that are written without spaces between words."""

from __future__ import annotations

import re

HAN = "\u3400-\u9fff\uf900-\ufaff"
"""Chinese characters, as the inside of a regular expression's character class."""

CJK = "\u3040-\u30ff" + HAN
"""Chinese characters and Japanese kana, as the inside of a regular expression's character class."""

_CJK = re.compile(f"[{CJK}]")


def has_cjk(text: str) -> bool:
    """Whether the text holds a Chinese character or Japanese kana."""
    return _CJK.search(text) is not None
