"""Text from bytes whose character set may be declared wrongly, or not at all: `decoded` pages and text `of_file`."""

from __future__ import annotations

import codecs
import re
import unicodedata

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WITHIN = 2048
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_XML = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']\s*([\w:.-]{1,40})""")
_META = re.compile(rb"""<meta[\s/][^>]{0,500}?charset\s*=\s*["']?\s*([\w:.-]{1,40})""", re.IGNORECASE)
_UNREADABLE = {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}
"""What a page means that declares these in bytes which could be read as ASCII."""

_FEW = 3
"""So few characters of a text in another encoding may happen to be valid UTF-8."""
_BAD_SHARE = 0.25
"""Most of the bytes beyond ASCII that may be damaged in a text that is still UTF-8."""
_NEAR = 0.7
"""Share of the best confidence from which Windows-1252, which is much more frequent, is preferred."""
_CONTROL_SHARE = 0.005
_CONTROL_SHARE_OF_UTF8 = 0.2
"""Of a text that is UTF-8 or ASCII, which other files hardly are by chance; logs of terminals hold many."""
_STRANGE_SHARE = 0.02
_DETECTED_WITHIN = 200_000
_OTHER_NAMES = {"cp932": "shift_jis", "cp949": "euc-kr", "big5hkscs": "big5", "cp874": "windows-874"}
"""Python's names of encodings by those of the WHATWG."""
_MULTIBYTE = frozenset({"gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"})


def decoded(content: bytes, charset: str | None = None) -> str:
    """The text of a page; at worst with U+FFFD.

    Labels mean what they mean to browsers, "iso-8859-1" Windows-1252 and "gb2312" GB 18030. A byte order mark
    counts most, then `charset`, then the declaration of the page itself. Bytes that are UTF-8, but for a few that are
    damaged, are read as UTF-8 whatever is declared: other encodings hardly ever happen to be valid UTF-8. Where
    nothing is declared, the encoding is guessed.

    charset: as the server declares it
    Source: WHATWG, "Encoding" and "HTML", 13.2.3.2.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    label = _label(content, charset)
    if (is_utf8 := _in_utf8(content, label)) is not None:
        return is_utf8
    if label is None or (label == "utf-8" and _is_wrong(content)):
        label = _guessed(content) or "windows-1252"
    return _decode(content, label)


def of_file(content: bytes) -> str | None:
    """The text of a file in UTF-8, UTF-16 or an older encoding, which is guessed; None for what is not text."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return _checked(content.decode("utf-32", "replace"))
    if content.startswith(tuple(mark for mark, _ in _MARKS)):
        return _checked(decoded(content))
    if b"\0" not in content and (text := _in_utf8(content, None)) is not None:
        return _checked(text, _CONTROL_SHARE_OF_UTF8)
    if b"\0" not in content and b"\x1b$" not in content and content.isascii():
        return _checked(content.decode("ascii"), _CONTROL_SHARE_OF_UTF8)
    if b"\0" in content:
        return _as_utf16(content)
    label = _guessed(content)
    if label is None:
        return _as_utf16(content)
    return _checked(_decode(content, label))


def _label(content: bytes, charset: str | None) -> str | None:
    """The name of the declared encoding in the WHATWG's list; None where none is declared that is known."""
    from webencodings import lookup

    head = _COMMENT.sub(b"", content[:_WITHIN])
    found = lookup(charset) if charset else None
    if found is not None:
        return _python_label(charset or "") or str(found.name)
    for pattern in (_XML, _META):
        if (match := pattern.search(head)) and (found := lookup(match[1].decode("ascii"))):
            return _python_label(match[1].decode("ascii")) or _UNREADABLE.get(found.name, str(found.name))
    return None


def _is_wrong(content: bytes) -> bool:
    """Whether a text that is declared as UTF-8 holds several bytes beyond ASCII, and no character of UTF-8."""
    return content.decode("utf-8", "replace").count("\ufffd") > 1


def _python_label(label: str) -> str | None:
    """Two labels that browsers refuse to read, for safety of scripts, and that hold text all the same."""
    return {"hz-gb-2312": "hz", "iso-2022-kr": "iso2022_kr"}.get(label.strip().lower())


def _in_utf8(content: bytes, label: str | None) -> str | None:
    """The text where the bytes are UTF-8 with characters beyond ASCII; None for others, and for ASCII.

    label: the declared encoding, which a short text may happen to be in all the same
    """
    text = content.decode("utf-8", "replace")
    beyond = sum(1 for character in text if character > "\x7f") if not text.isascii() else 0
    bad = text.count("\ufffd") - content.count("\ufffd".encode())
    good = beyond - bad
    if not good or bad > _BAD_SHARE * good:
        return None
    if label in _MULTIBYTE and good < _FEW:
        return None if "\ufffd" not in _decode(content, label) else text
    return text


def _decode(content: bytes, name: str) -> str:
    """The text in an encoding of the WHATWG's list, by its name there."""
    match name:
        case "euc-jp":
            return _euc_jp(content)
        case "iso-2022-jp":
            return _euc_jp(_as_euc_jp(content))
        case "gbk" | "gb18030":
            return content.decode("gb18030", _ERRORS)
        case "hz" | "iso2022_kr":
            return content.decode(name, "replace")
    from webencodings import lookup

    codec = lookup(name).codec_info
    if name.startswith(("windows-", "iso-", "koi8", "x-mac", "mac")):
        return str(codec.decode(content, _ERRORS)[0])
    return str(codec.decode(content, "replace")[0])


def _filled(error: UnicodeError) -> tuple[str, int]:
    """What browsers read where Python's tables of old encodings have no character."""
    assert isinstance(error, UnicodeDecodeError)
    byte = error.object[error.start]
    if error.encoding == "gb18030":
        return "€" if byte == 0x80 else "\ufffd", error.start + 1
    return chr(byte) if 0x80 <= byte < 0xA0 else "\ufffd", error.start + 1


_ERRORS = "agentaudio.charset"
codecs.register_error(_ERRORS, _filled)

_JIS_0212 = re.compile(rb"(\x8f[\xa1-\xfe]{2})")
_JIS_0208 = re.compile(rb"\x8e([\xa1-\xdf])|([\xa1-\xfe])([\xa1-\xfe])")
_ESCAPE = re.compile(rb"\x1b(\([BJI]|\$[@B]|\$\(D)")


def _euc_jp(content: bytes) -> str:
    """EUC-JP with the characters that Windows added, which Python knows only in its form of Shift JIS."""

    def shifted(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return match[1]
        row, cell = match[2][0] - 0xA1, match[3][0] - 0xA1
        first = row // 2 + (0x81 if row < 62 else 0xC1)
        return bytes((first, cell + 0x9F if row % 2 else cell + 0x40 + (cell >= 63)))

    parts = _JIS_0212.split(content)
    return "".join(
        part.decode("euc_jp", "replace") if number % 2 else _JIS_0208.sub(shifted, part).decode("cp932", "replace")
        for number, part in enumerate(parts)
    )


def _as_euc_jp(content: bytes) -> bytes:
    """ISO-2022-JP as EUC-JP: the escape sequences become high bits."""
    first, *rest = _ESCAPE.split(content)
    found = [first]
    for mode, part in zip(rest[::2], rest[1::2], strict=True):
        if mode in (b"(B", b"(J"):
            found.append(part)
            continue
        high = bytes(byte | 0x80 if 0x21 <= byte < 0x7F else byte for byte in part)
        if mode == b"(I":
            high = b"".join(b"\x8e" + high[at : at + 1] for at in range(len(high)))
        elif mode == b"$(D":
            high = b"".join(b"\x8f" + high[at : at + 2] for at in range(0, len(high), 2))
        found.append(high)
    return b"".join(found)


def _guessed(content: bytes) -> str | None:
    """The name, in the WHATWG's list, of the encoding that the bytes look like; None for what is not text."""
    import chardet
    from webencodings import lookup

    begun = content[:_DETECTED_WITHIN]
    ranked = chardet.detect_all(begun, encoding_era=chardet.EncodingEra.MODERN_WEB, prefer_superset=True)
    sure = {str(row["encoding"]).lower(): float(row["confidence"]) for row in ranked if row["encoding"]}
    if not sure:
        return None
    best = max(sure, key=sure.__getitem__)
    if best.startswith("windows-") and sure.get("windows-1252", 0.0) >= _NEAR * sure[best]:
        best = "windows-1252"
    found = lookup(
        {"cp932": "shift_jis", "cp949": "euc-kr", "big5hkscs": "big5", "cp874": "windows-874"}.get(best, best)
    )
    return str(found.name) if found is not None and found.name != "replacement" else None


def _as_utf16(content: bytes) -> str | None:
    """The text in UTF-16 without a byte order mark; None where it does not look like one.

    Of the two orders of bytes, the right one has fewer blocks of 256 characters, and hardly any character at the
    beginning of a block, apart from the ideographic space.
    """
    readings = []
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = content[: len(content) // 2 * 2].decode(encoding)
        except UnicodeDecodeError:
            continue
        strange = sum(1 for char in text if unicodedata.category(char) in ("Cn", "Co") or _begins_block(char))
        if text and _checked(text) is not None and strange <= _STRANGE_SHARE * len(text):
            readings.append((len({ord(char) >> 8 for char in text}), text))
    return min(readings)[1] if readings else None


def _begins_block(character: str) -> bool:
    return ord(character) & 0xFF == 0 and character != "\u3000"


def _checked(text: str, most: float = _CONTROL_SHARE) -> str | None:
    """The text; None where characters show that it is something else. most: share of control characters in a text"""
    controls = sum(1 for char in text if char < " " and char not in "\t\n\r\f\x0b\x1a\x1b")
    return None if "\0" in text or controls > most * len(text) else text
