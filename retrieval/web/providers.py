"""Search engines behind one protocol: ddgs and SearXNG need no key, Tavily and Brave need one."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Protocol

import httpx2

from agentaudio.errors import MissingExtra, NetworkError
from agentaudio.http import Guard, fetch, guarded_client
from agentaudio.retrieval.web.locale import locale_of
from agentaudio.retrieval.web.passage import WebPassage
from agentaudio.retrieval.web.refusal import EngineError, from_outside, refusal
from agentaudio.workers.limits import SEARCH
from agentaudio.workers.pool import WEB, Job

log = logging.getLogger(__name__)

TIMEOUT_S = 8.0
MAX_ANSWER_BYTES = 2_000_000
MAX_SNIPPET_CHARS = 1_000
ANYWHERE = "wt-wt"
"""The region of ddgs for a query whose language is not known from its script."""
BRAVE_COUNTRIES = frozenset(("CN", "TW", "JP", "KR", "RU", "SA", "GR", "IN"))
"""Countries of `locale_of` that Brave takes; it refuses queries with others."""
MAX_NAMED = 10
"""Engines of a SearXNG instance that are named in one message."""


class SearchEngine(Protocol):
    """Finds pages for a query."""

    @property
    def name(self) -> str: ...

    async def search(self, query: str, k: int) -> list[WebPassage]:
        """The k best pages, best first, each with an excerpt as its text.

        Raises EngineError when the engine cannot be reached or refuses to answer.
        """
        ...


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
        locale = locale_of(query)
        request = {
            "query": query, "k": k, "backend": self.backend, "allowed": [],
            "region": locale.region if locale else ANYWHERE,
        }  # fmt: skip

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
        locale = locale_of(query)
        language = {"language": locale.tag} if locale else {}
        request = httpx2.Request(
            "GET", f"{self.url.rstrip('/')}/search",
            params={"q": query, "format": "json", "safesearch": "1", **language},
        )  # fmt: skip
        hints = {403: "allow JSON in its settings.yml: search: formats: [html, json]"}
        answer = await _answer(self.name, request, hints)
        found = _passages(answer.get("results"), k, date="publishedDate")
        if silent := _silent_engines(answer.get("unresponsive_engines")):
            if not found:
                problem = f"{self.name} found nothing, and these of its engines failed: {silent}"
                raise EngineError(problem, reason="query")
            log.info("%s found %d pages, and these of its engines failed: %s", self.name, len(found), silent)
        return found


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
        answer = await _answer(self.name, request, key=self.key)
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
        locale = locale_of(query)
        asked = {}
        if locale and locale.language != "fa":  # which Brave does not have
            asked = {"search_lang": locale.brave or locale.language}
            asked |= {"country": locale.country} if locale.country in BRAVE_COUNTRIES else {}
        request = httpx2.Request(
            "GET", f"{self.url}/res/v1/web/search", params={"q": query, "count": min(k, 20), **asked},
            headers={"X-Subscription-Token": self.key, "Accept": "application/json"},
        )  # fmt: skip
        web = (await _answer(self.name, request, key=self.key)).get("web")
        return _passages(web.get("results") if isinstance(web, dict) else [], k, excerpt="description", date="page_age")


async def _answer(
    engine: str, request: httpx2.Request, hints: Mapping[int, str] | None = None, *, key: str = ""
) -> dict[str, Any]:
    """The JSON object that an engine answers with.

    The configured address may be private; what it redirects to may not.

    hints: what to do about a status
    key: of the account, which no message shows
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
        raise refusal(engine, answer, hints or {}, key)
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


def _silent_engines(rows: Any) -> str:
    """The engines of a SearXNG instance that did not answer, with the reason, such as "bing (timeout)"."""
    named = []
    for row in rows if isinstance(rows, list) else ():
        name, *why = row if isinstance(row, list) and row else [row]
        if isinstance(name, str) and name:
            reason = f" ({from_outside(str(why[0]), 60)})" if why and why[0] else ""
            named.append(f"{from_outside(name, 40)}{reason}")
    more = len(named) - MAX_NAMED
    return ", ".join(named[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _plain(markup: Any) -> str:
    text = unescape(re.sub(r"</?(?:b|strong|em|mark)>", "", str(markup or "")))
    return " ".join(text.encode("utf-8", "replace").decode().split())[:MAX_SNIPPET_CHARS]
