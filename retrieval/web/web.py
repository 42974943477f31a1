"""`Web`: passages of the web that match a query, and the text of a page."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence

from agentaudio.cache import Cache
from agentaudio.conversation import Passage
from agentaudio.errors import AgentAudioError, RetrievalError
from agentaudio.retrieval.documents.html import require_parser
from agentaudio.retrieval.documents.index import DocumentIndex, Rerank
from agentaudio.retrieval.web.engines import Engines
from agentaudio.retrieval.web.fetch import Fetcher, Page
from agentaudio.retrieval.web.passage import WebPassage
from agentaudio.retrieval.web.providers import SearchEngine
from agentaudio.text.embedding import Embed
from agentaudio.workers.limits import PAGE
from agentaudio.workers.pool import DOCUMENTS

RESULTS = 8
PAGES = 5
MOST_EMBEDDED = 40
"""Most passages that are ranked by meaning: embedding one takes about 10 ms, and the user waits for the answer."""


class Web:
    """Searches the web, fetches the best pages and ranks their passages.

    engine: finds pages; None uses the engines configured in the environment
    fetcher: fetches pages
    rerank: orders the best passages

    Raises OptionError when the environment names an engine that is unknown or not configured.
    """

    def __init__(
        self, engine: SearchEngine | None = None, *, fetcher: Fetcher | None = None, rerank: Rerank | None = None
    ) -> None:
        self._engine = engine or Engines.from_environment(os.environ)
        self._fetcher = fetcher or Fetcher()
        self._rerank = rerank
        self._read: Cache[tuple[WebPassage, ...]] = Cache(size=64, keep_s=600)

    async def search(self, query: str, k: int = 5, *, embed: Embed | None = None) -> list[WebPassage]:
        """The k best passages for a query, best first.

        A page that cannot be read is represented by the search engine's excerpt.

        embed: texts to unit vectors; without it passages are ranked by their words

        Raises RetrievalError when no engine answers.
        """
        results = await self._engine.search(query, RESULTS)
        pages = await self._pages([result.source for result in results[:PAGES]])
        candidates: list[WebPassage] = []
        for result in results:
            read = pages.get(result.source)
            candidates += read if isinstance(read, tuple) else [result]
        return await asyncio.to_thread(self._best, query, candidates, k, embed)

    async def read(
        self, url: str, query: str | None = None, k: int = 8, *, embed: Embed | None = None
    ) -> list[WebPassage]:
        """The first k passages of a page, or the k that match a query best, in the order of the page.

        embed: texts to unit vectors; without it passages are ranked by their words

        Raises RefusedAddress for an address outside the public web, NetworkError when the site does not
        answer properly, RetrievalError for a page without text.
        """
        read = (await self._pages([url]))[url]
        if isinstance(read, AgentAudioError):
            raise read
        if not query:
            return list(read[:k])
        best = await asyncio.to_thread(self._best, query, read, k, embed)
        return sorted(best, key=lambda passage: passage.position)

    async def _pages(self, urls: Sequence[str]) -> dict[str, tuple[WebPassage, ...] | AgentAudioError]:
        found: dict[str, tuple[WebPassage, ...] | AgentAudioError] = {}
        for url in urls:
            if (known := self._read.get(url)) is not None:
                found[url] = known
        missing = [url for url in dict.fromkeys(urls) if url not in found]
        fetched = await self._fetcher.fetch_all(missing) if missing else []
        read = await asyncio.gather(*(_passages(page) for page in fetched))
        for url, passages in zip(missing, read, strict=True):
            found[url] = passages
            if isinstance(passages, tuple):
                self._read.put(url, passages)
        return found

    def _best(self, query: str, passages: Sequence[WebPassage], k: int, embed: Embed | None) -> list[WebPassage]:
        if not passages:
            return []
        dates = {passage.source: passage.date for passage in passages}
        known: Sequence[Passage] = _distinct(passages)
        if embed is not None and len(known) > MOST_EMBEDDED:
            # Keep the passages that share words with the query, and the first one of each page.
            openings = {passage.source: passage for passage in reversed(known)}.values()
            by_words = DocumentIndex(known, embed=None).search(query, MOST_EMBEDDED - len(openings))
            known = _distinct([*by_words, *openings])
        best = DocumentIndex(known, embed=embed, rerank=self._rerank).search(query, k)
        return [WebPassage(p.text, p.title, p.source, p.position, p.score, dates[p.source]) for p in best]


def _distinct(passages: Iterable[Passage]) -> list[Passage]:
    """Without repetitions: two results may redirect to one page."""
    return list({(passage.source, passage.position): passage for passage in passages}.values())


async def _passages(page: Page | AgentAudioError) -> tuple[WebPassage, ...] | AgentAudioError:
    """The passages of a page, which a worker process reads; cancelling ends the process."""
    if isinstance(page, AgentAudioError):
        return page
    plain = page.kind in ("text/plain", "text/markdown")
    if not plain:
        require_parser()
    request = {"charset": page.charset, "url": page.url, "plain": plain}
    task = "agentaudio.retrieval.documents.html_task:passages"
    what = page.url[:200]
    try:
        found, _ = await DOCUMENTS.call(
            lambda job: job.ask(task, request, page.body, limits=PAGE, what=what, error=RetrievalError)
        )
    except RetrievalError as error:
        return error
    date = found["date"]
    passages = tuple(WebPassage(text, title, url, place, 0.0, date) for text, title, url, place in found["passages"])
    return passages or RetrievalError(f"{what} has no text; try another page")
