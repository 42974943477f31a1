"""Text, title and date of a web page, without menus, comments and advertisements."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from agentaudio.errors import MissingExtra, RetrievalError

_STYLE = "translate(@style, 'ABDEHILNOPSTVY ', 'abdehilnopstvy')"
_HIDDEN = ["//*[@hidden or @aria-hidden='true']", f"//*[contains({_STYLE}, 'display:none')]",
           f"//*[contains({_STYLE}, 'visibility:hidden')]"]  # fmt: skip
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})</title>", re.IGNORECASE)
_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{1,40})""", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Article:
    """text: with Markdown headings and empty lines between paragraphs
    date: of publication, YYYY-MM-DD, or empty when unknown
    """

    text: str
    title: str = ""
    date: str = ""


def article(page: bytes, *, charset: str | None = None, url: str | None = None) -> Article:
    """The main text of an HTML page.

    charset: as the server declares it, which may be wrong
    url: of the page, for messages and for the date

    Raises RetrievalError for a page without text or that the parser cannot read, MissingExtra without
    the extra `web`.
    """
    try:
        import trafilatura
    except ImportError:
        raise MissingExtra("reading web pages", "web") from None
    html = decoded(page, charset)
    try:
        found: Any = trafilatura.extract_with_metadata(
            html, url=url, output_format="markdown", include_comments=False, prune_xpath=_HIDDEN
        )
        text: str = _FRONT_MATTER.sub("", found.text or "") if found is not None else ""
        # Lists and very short pages are not recognised as articles: take their whole text.
        text = text.strip() or trafilatura.html2txt(html).strip()
    except Exception as error:  # broken markup makes the parser raise exceptions of any type
        raise RetrievalError(f"{url or 'the page'} cannot be read as HTML ({error!r}); try another page") from None
    if not text:
        raise RetrievalError(f"{url or 'the page'} has no text; it may need JavaScript, try another page")
    named = _TITLE.search(html)
    title = str((found and found.title) or (named[1] if named else ""))
    date = str((found and found.date) or "")
    return Article(text.replace("**", ""), " ".join(unescape(title).split()), date)


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
