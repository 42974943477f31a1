"""`Fetcher`: pages of the public web, within limits of size, time, redirects and kind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.robotparser import RobotFileParser

import httpx2

from agentaudio.errors import RetrievalError
from agentaudio.http import Guard, fetch, guarded_client, parse_url
from agentaudio.retrieval.web.cache import Cache

USER_AGENT = "agentaudio"
ROBOTS = b"/robots.txt"
MAX_PAGE_BYTES = 2_000_000
MAX_ROBOTS_BYTES = 500_000  # RFC 9309 asks for that much
TIME_LIMIT_S = 8.0
KINDS = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown")
ENCODINGS = ("", "identity", "gzip", "deflate")  # others unpack to any size before they can be stopped


@dataclass(frozen=True, slots=True)
class Page:
    """url: where the redirects led; kind: its media type; charset: as the server told it, or None"""

    url: str
    kind: str
    charset: str | None
    body: bytes


class Fetcher:
    """Fetches pages through a guard; one may serve any number of tasks and threads.

    time_limit_s: for a page, from its robots.txt to its last byte
    robots: ask each site's robots.txt first, and do as it says (RFC 9309)
    """

    def __init__(
        self, guard: Guard = Guard(), *, max_bytes: int = MAX_PAGE_BYTES, time_limit_s: float = TIME_LIMIT_S,
        robots: bool = True,
    ) -> None:  # fmt: skip
        self._guard, self._max_bytes, self._time_limit_s, self._robots = guard, max_bytes, time_limit_s, robots
        self._rules: Cache[RobotFileParser] = Cache(size=1_000, keep_s=3_600)

    async def fetch(self, url: str) -> Page:
        """One page.

        Raises RefusedAddress for a place outside the public web, RetrievalError for a page that is too
        large, takes too long, redirects too often, is no text, or that robots.txt keeps to itself.
        """
        (found,) = await self.fetch_all([url])
        if isinstance(found, RetrievalError):
            raise found
        return found

    async def fetch_all(self, urls: Sequence[str]) -> list[Page | RetrievalError]:
        """Several pages at once: each or what went wrong, in the order of the addresses."""
        async with guarded_client(self._guard, timeout_s=self._time_limit_s) as client:
            client.headers.update({"user-agent": USER_AGENT, "accept-encoding": "gzip, deflate"})
            client.event_hooks = {"response": [_refuse]}
            return list(await asyncio.gather(*(self._page(client, url) for url in urls)))

    async def _page(self, client: httpx2.AsyncClient, url: str) -> Page | RetrievalError:
        try:
            async with asyncio.timeout(self._time_limit_s):
                address = parse_url(url)
                if self._robots and not (await self._rules_of(client, address)).can_fetch(USER_AGENT, str(address)):
                    return RetrievalError(f"{url[:200]} is not read: the robots.txt of {address.host} forbids it")
                answer = await fetch(client, client.build_request("GET", address), max_bytes=self._max_bytes)
        except RetrievalError as error:
            return error
        except (TimeoutError, httpx2.TimeoutException):
            return RetrievalError(f"{url[:200]} took longer than {self._time_limit_s:g} s; try another page")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return RetrievalError(f"{url[:200]} cannot be read ({error}); try another page")
        kind, charset = _kind(answer.headers)
        return Page(answer.url, kind, charset, answer.body)

    async def _rules_of(self, client: httpx2.AsyncClient, address: httpx2.URL) -> RobotFileParser:
        """What a site allows: everything where it says nothing, nothing where it cannot tell."""
        place = address.copy_with(raw_path=ROBOTS, fragment=None)
        if (known := self._rules.get(str(place))) is not None:
            return known
        answer = await fetch(client, client.build_request("GET", place), max_bytes=MAX_ROBOTS_BYTES)
        lines = ["User-agent: *", "Disallow: /"] if answer.status >= 500 else []
        if answer.status == 200:
            lines = answer.body.decode("utf-8", "replace").splitlines()
        rules = RobotFileParser()
        rules.parse(lines)
        self._rules.put(str(place), rules)
        return rules


async def _refuse(response: httpx2.Response) -> None:
    """Raises RetrievalError before the body of an answer is read that is of no use."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise RetrievalError(f"{response.url.host} packs its answer as {encoding[:40]!r}, which is not unpacked here")
    if response.is_redirect or response.url.raw_path == ROBOTS:
        return
    if response.status_code != 200:
        raise RetrievalError(f"{response.url.host} answers {response.status_code} for this page; try another")
    kind, _ = _kind(response.headers)
    if kind not in KINDS:
        raise RetrievalError(f"{response.url.host} sends {kind[:60]!r}, which is no text to read; try another page")


def _kind(headers: httpx2.Headers) -> tuple[str, str | None]:
    kind, *parameters = headers.get("content-type", "text/html").split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return kind.strip().lower(), value.strip(" \"'") or None
    return kind.strip().lower(), None
