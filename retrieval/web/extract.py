"""The article of a web page: its text, title and date, without menus, comments and advertisements."""

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
    """text: Markdown headings, paragraphs apart; date: of publication, YYYY-MM-DD, or empty."""

    text: str
    title: str = ""
    date: str = ""


def article(page: bytes, *, charset: str | None = None, url: str | None = None) -> Article:
    """What an HTML page says. charset: as the server told it, which need not be true.

    Raises RetrievalError for a page without text, MissingExtra without the extra `web`.
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
        # Lists and very short pages are no articles; all their words are taken.
        text = text.strip() or trafilatura.html2txt(html).strip()
    except Exception as error:  # markup that nobody wrote makes parsers fail in any way they can
        raise RetrievalError(f"{url or 'the page'} cannot be read as HTML ({error!r}); try another") from None
    if not text:
        raise RetrievalError(f"{url or 'the page'} holds no text; it may need a browser, try another")
    named = _TITLE.search(html)
    title = str((found and found.title) or (named[1] if named else ""))
    date = str((found and found.date) or "")
    return Article(text.replace("**", ""), " ".join(unescape(title).split()), date)


def decoded(content: bytes, charset: str | None = None) -> str:
    """Text of bytes whose character set was told wrong, or not at all: never an error, at worst U+FFFD.

    What is valid UTF-8 is UTF-8: by chance that happens to no text of some length.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content.decode(name, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.search(content[:2048])
    for told in (charset, declared[1].decode("ascii") if declared else None, "cp1252"):
        try:
            if told and codecs.lookup(told).name not in ("utf-8", "utf-8-sig"):
                return content.decode(told)
        except (LookupError, UnicodeError, ValueError):
            continue
    return content.decode("utf-8", "replace")
