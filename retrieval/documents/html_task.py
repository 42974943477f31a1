"""The task of a worker process that reads an HTML page. Only that process imports this module."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import trafilatura

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.charset import decoded
from agentaudio.retrieval.text.splitting import Document, split

_STYLE = "translate(@style, 'ABDEHILNOPSTVY ', 'abdehilnopstvy')"
_HIDDEN = ["//*[@hidden or @aria-hidden='true']", f"//*[contains({_STYLE}, 'display:none')]",
           f"//*[contains({_STYLE}, 'visibility:hidden')]"]  # fmt: skip
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})</title>", re.IGNORECASE)


def article(request: dict[str, Any], content: bytes | bytearray) -> tuple[dict[str, str], bytes]:
    """The main text of a page, without menus, comments and advertisements.

    request: `charset` as the server declares it, `url`, both may be null
    returns: `text`, `title` and `date` as in `html.Article`

    Raises RetrievalError for a page without text.
    """
    html = decoded(bytes(content), request["charset"])
    found: Any = trafilatura.extract_with_metadata(
        html, url=request["url"], output_format="markdown", include_comments=False, prune_xpath=_HIDDEN
    )
    text: str = _FRONT_MATTER.sub("", found.text or "") if found is not None else ""
    # Lists and very short pages are not recognised as articles: take their whole text.
    text = text.strip() or trafilatura.html2txt(html).strip()
    if not text:
        raise RetrievalError(f"{request['url'] or 'the page'} has no text; it may need JavaScript, try another page")
    named = _TITLE.search(html)
    title = str((found and found.title) or (named[1] if named else ""))
    date = str((found and found.date) or "")
    return {"text": text.replace("**", ""), "title": " ".join(unescape(title).split()), "date": date}, b""


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
