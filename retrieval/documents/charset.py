"""`decoded`: text from bytes whose character set may be declared wrongly, or not at all."""

from __future__ import annotations

import codecs
import re

_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{1,40})""", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decoded(content: bytes, charset: str | None = None) -> str:
    """Text from bytes whose declared character set may be wrong or missing; at worst with U+FFFD.

    Bytes that are valid UTF-8 are read as UTF-8 whatever is declared: other encodings hardly ever
    happen to be valid UTF-8.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.search(content[:2048])
    for name in (charset, declared[1].decode("ascii") if declared else None, "cp1252"):
        try:
            if name and codecs.lookup(name).name not in ("utf-8", "utf-8-sig"):
                return content.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    return content.decode("utf-8", "replace")
