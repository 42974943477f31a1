"""Text, title and date of a web page, without menus, comments and advertisements."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from agentaudio.errors import MissingExtra, RetrievalError
from agentaudio.workers.limits import PAGE
from agentaudio.workers.pool import DOCUMENTS


@dataclass(frozen=True, slots=True)
class Article:
    """text: with Markdown headings and empty lines between paragraphs
    date: of publication, YYYY-MM-DD, or empty when unknown
    """

    text: str
    title: str = ""
    date: str = ""


def article(page: bytes, *, charset: str | None = None, url: str | None = None, name: str = "the page") -> Article:
    """The main text of an HTML page, which a worker process reads. Blocks until it has.

    charset: as the server declares it, which may be wrong
    url: of the page, for messages and for the date
    name: of the page without an address, for messages

    Raises RetrievalError for a page without text, that the parser cannot read, or that reaches one of
    the limits `PAGE`; MissingExtra without the extra `web`.
    """
    require_parser()
    request = {"charset": charset, "url": url}
    found, _ = DOCUMENTS.run(
        lambda job: job.ask(
            "agentaudio.retrieval.documents.html_task:article",
            request, page, limits=PAGE, what=url or name, error=RetrievalError,
        )
    )  # fmt: skip
    return Article(**found)


def require_parser() -> None:
    """Raise MissingExtra when the parser of web pages is not installed."""
    if importlib.util.find_spec("trafilatura") is None:
        raise MissingExtra("reading web pages", "web")
