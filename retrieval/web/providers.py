"""Search engines behind one protocol: ddgs and SearXNG need no key, Tavily and Brave need one."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Protocol

import httpx2

from agentaudio.errors import MissingExtra, NetworkError, RetrievalError
from agentaudio.http import Guard, fetch, guarded_client, retry_after_s
from agentaudio.retrieval.web.passage import WebPassage
from agentaudio.workers.limits import SEARCH
from agentaudio.workers.pool import WEB, Job

TIMEOUT_S = 8.0
MAX_ANSWER_BYTES = 2_000_000
MAX_SNIPPET_CHARS = 1_000


class SearchEngine(Protocol):
    """Finds pages for a query."""

    @property
    def name(self) -> str: ...

    async def search(self, query: str, k: int) -> list[WebPassage]:
        """The k best pages, best first, each with an excerpt as its text.

        Raises EngineError when the engine cannot be reached or refuses to answer.
        """
        ...


class EngineError(RetrievalError):
    """A search engine failed.

    retry_after_s: seconds to wait before the next query, where the engine says so
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Ddgs:
    """Public engines through the `ddgs` package, without a key; any of them may stop answering.

    The package runs in a worker process, within the limits `SEARCH`.

    backend: name of one of the package's engines, or "auto"
    """

    backend: str = "auto"
    name: str = "ddgs"

    async def search(self, query: str, k: int) -> list[WebPassage]:
        if importlib.util.find_spec("ddgs") is None:
            raise MissingExtra("web search", "web")
        request = {"query": query, "k": k, "backend": self.backend, "allowed": []}

        def ask(job: Job[Any]) -> Any:
            found, _ = job.ask(
                "agentaudio.retrieval.web.ddgs_task:search", request,
                limits=SEARCH, what="the answer of ddgs", error=EngineError,
            )  # fmt: skip
            return found

        return _passages(await WEB.call(ask), k, address="href", excerpt="body")


@dataclass(frozen=True)
class SearXNG:
    """A SearXNG instance that you run.

    url: address of the instance, whose settings must allow the format json
    """

    url: str
    name: str = "searxng"

    async def search(self, query: str, k: int) -> list[WebPassage]:
        request = httpx2.Request(
            "GET", f"{self.url.rstrip('/')}/search", params={"q": query, "format": "json", "safesearch": "1"}
        )
        hints = {403: "allow JSON in its settings.yml: search: formats: [html, json]"}
        answer = await _answer(self.name, request, hints)
        return _passages(answer.get("results"), k, date="publishedDate")


@dataclass(frozen=True)
class Tavily:
    """api.tavily.com.

    key: an API key
    """

    key: str = field(repr=False)
    url: str = "https://api.tavily.com"
    name: str = "tavily"

    async def search(self, query: str, k: int) -> list[WebPassage]:
        request = httpx2.Request(
            "POST", f"{self.url}/search", json={"query": query, "max_results": k},
            headers={"Authorization": f"Bearer {self.key}"},
        )  # fmt: skip
        answer = await _answer(self.name, request, _KEY_HINTS)
        return _passages(answer.get("results"), k, date="published_date")


@dataclass(frozen=True)
class Brave:
    """api.search.brave.com.

    key: an API key
    """

    key: str = field(repr=False)
    url: str = "https://api.search.brave.com"
    name: str = "brave"

    async def search(self, query: str, k: int) -> list[WebPassage]:
        request = httpx2.Request(
            "GET", f"{self.url}/res/v1/web/search", params={"q": query, "count": min(k, 20)},
            headers={"X-Subscription-Token": self.key, "Accept": "application/json"},
        )  # fmt: skip
        web = (await _answer(self.name, request, _KEY_HINTS)).get("web")
        return _passages(web.get("results") if isinstance(web, dict) else [], k, excerpt="description", date="page_age")


_KEY_HINTS = {401: "check its key", 403: "check its key"}


async def _answer(engine: str, request: httpx2.Request, hints: Mapping[int, str]) -> dict[str, Any]:
    """The JSON object that an engine answers with.

    The configured address may be private; what it redirects to may not.
    """
    guard = Guard.for_service(request.url)
    try:
        async with asyncio.timeout(TIMEOUT_S), guarded_client(guard, timeout_s=TIMEOUT_S) as client:
            request.headers.setdefault("accept-encoding", client.headers["accept-encoding"])
            answer = await fetch(client, request, max_bytes=MAX_ANSWER_BYTES)
    except TimeoutError:
        raise EngineError(f"{engine} did not answer within {TIMEOUT_S:.0f} s; is it running?") from None
    except NetworkError as error:
        raise EngineError(f"{engine} cannot be used: {error}; check its address, and that it is running") from None
    if answer.status != 200:
        hint = hints.get(answer.status, "try later")
        raise EngineError(f"{engine} answers {answer.status}; {hint}", retry_after_s(answer.headers))
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise EngineError(f"{engine} does not answer with a JSON object; check its address")
    return found


def _passages(
    rows: Any, k: int, *, address: str = "url", excerpt: str = "content", date: str = ""
) -> list[WebPassage]:  # fmt: skip
    """At most k results as passages; those without a web address, and repeated ones, are dropped.

    address, excerpt, date: the engine's names for these fields
    """
    found: dict[str, WebPassage] = {}
    for row in rows if isinstance(rows, Iterable) else ():
        url = str(row.get(address, "")) if isinstance(row, dict) else ""
        if not re.match(r"https?://\S+\Z", url) or url in found or len(found) == k:
            continue
        published = re.match(r"\d{4}-\d\d-\d\d", str(row.get(date) or ""))
        found[url] = WebPassage(
            _plain(row.get(excerpt)), _plain(row.get("title")) or url, url, score=1 / (len(found) + 1),
            date=published[0] if published else "",
        )  # fmt: skip
    return list(found.values())


def _plain(markup: Any) -> str:
    text = unescape(re.sub(r"</?(?:b|strong|em|mark)>", "", str(markup or "")))
    return " ".join(text.encode("utf-8", "replace").decode().split())[:MAX_SNIPPET_CHARS]
