"""The task of a worker process that reads an HTML page. Only that process imports this module."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import trafilatura

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.charset import decoded
from agentaudio.retrieval.documents.list_numbers import letters, roman
from agentaudio.retrieval.documents.notices import without_notices
from agentaudio.retrieval.text.splitting import Document, split

_STYLE = "translate(@style, 'ABDEHILNOPSTVY ', 'abdehilnopstvy')"
_HIDDEN = ["//*[@hidden or @aria-hidden='true']", f"//*[contains({_STYLE}, 'display:none')]",
           f"//*[contains({_STYLE}, 'visibility:hidden')]"]  # fmt: skip
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_TAG = re.compile(
    r"</?(?:sub|sup|u|ins|del|mark|small|br|b|i|em|strong|span|abbr|kbd|code|q|cite)\b[^<>]{0,200}>", re.I
)
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|~><])")
_RUN_ON = re.compile(r"(?<=[:.,;!?])\*\*(?=\w)")
"""Where emphasis ends at a mark and the extractor left out the space."""
_COUNTS_OTHERWISE = re.compile(r"<ol\s[^<>]{0,300}?(?:start|type|reversed)|<li\s[^<>]{0,300}?value", re.I)
_FORMATS: dict[str, Callable[[int], str]] = {
    "a": letters, "A": lambda number: letters(number).upper(), "i": roman, "I": lambda number: roman(number).upper(),
}  # fmt: skip
_SHIFT = 0xE000
_WAS_ESCAPED = re.compile("[\ue021-\ue07e]")
"""Escaped characters, among those for private use, while emphasis and tags around them are removed."""
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})</title>", re.IGNORECASE)


def article(request: dict[str, Any], content: bytes | bytearray) -> tuple[dict[str, str], bytes]:
    """The main text of a page, without menus, comments and advertisements.

    request: `charset` as the server declares it, `url`, both may be null
    returns: `text`, `title` and `date` as in `html.Article`

    Raises RetrievalError for a page without text.
    """
    html = decoded(bytes(content), request["charset"])
    found: Any = trafilatura.extract_with_metadata(
        _numbered(html), url=request["url"], output_format="markdown", include_comments=False, prune_xpath=_HIDDEN
    )
    text: str = _FRONT_MATTER.sub("", found.text or "") if found is not None else ""
    # Lists and very short pages are not recognised as articles: take their whole text.
    text = _plain(text).strip() or trafilatura.html2txt(html).strip()
    text = without_notices(text)
    if not text:
        raise RetrievalError(f"{request['url'] or 'the page'} has no text; it may need JavaScript, try another page")
    named = _TITLE.search(html)
    title = str((found and found.title) or (named[1] if named else ""))
    date = str((found and found.date) or "")
    return {"text": text, "title": " ".join(unescape(title).split()), "date": date}, b""


def _numbered(html: str) -> Any:
    """The page with the numbers of lists that do not count from 1 as text; as it is without such lists."""
    load: Any = trafilatura.load_html
    if not _COUNTS_OTHERWISE.search(html) or (tree := load(html)) is None:
        return html
    for items in tree.iter("ol"):
        entries = items.findall("li")
        is_reversed = items.get("reversed") is not None
        number = _integer(items.get("start"), len(entries) if is_reversed else 1)
        kind = _FORMATS.get(items.get("type") or "1", str)
        labels = []
        for entry in entries:
            number = _integer(entry.get("value"), number)
            labels.append(kind(number))
            number += -1 if is_reversed else 1
        if labels != [str(place) for place in range(1, len(labels) + 1)]:
            items.tag = "ul"
            for entry, label in zip(entries, labels, strict=True):
                entry.text = f"{label}. {(entry.text or '').lstrip()}"
    return tree


def _integer(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,6}", text.strip()) else default


def _plain(markdown: str) -> str:
    """Text in Markdown without emphasis, tags and escapes; headings, lists and tables keep their marks."""
    lines = []
    for line in markdown.split("\n"):
        line = _TAG.sub("", _ESCAPE.sub(lambda match: chr(_SHIFT + ord(match[1])), line))
        line = unescape(_RUN_ON.sub(" ", line).replace("**", ""))
        lines.append(_WAS_ESCAPED.sub(lambda match: chr(ord(match[0]) - _SHIFT), line))
    return "\n".join(lines)


def passages(request: dict[str, Any], content: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """The passages of a page.

    request: `charset`, `url`, and `plain`, which is true for text without markup
    returns: `date`, and `passages` as (text, title, source, position)

    Raises RetrievalError for a page without text.
    """
    url = request["url"]
    if request["plain"]:
        found = {"text": decoded(bytes(content), request["charset"]), "title": "", "date": ""}
    else:
        found, _ = article(request, content)
    made = split(Document(found["text"], found["title"] or url, url))
    return {"date": found["date"], "passages": [(p.text, p.title, p.source, p.position) for p in made]}, b""
