"""`Fetcher`: pages of the public web, limited in size, time, redirects and media type."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.robotparser import RobotFileParser

import httpx2

from agentaudio.cache import Cache
from agentaudio.errors import AgentAudioError, NetworkError, RetrievalError, ServiceUnavailable
from agentaudio.http import Guard, fetch, following, guarded_client, parse_url

USER_AGENT = "agentaudio"
ROBOTS = b"/robots.txt"
MAX_PAGE_BYTES = 2_000_000
MAX_ROBOTS_BYTES = 500_000  # RFC 9309, 2.5, asks for at least 500 KiB
TIME_LIMIT_S = 8.0
KINDS = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown")


@dataclass(frozen=True, slots=True)
class Page:
    """A page as its server sent it, decompressed.

    url: after redirects
    kind: media type, such as text/html
    charset: as the server declares it, None where it does not
    """

    url: str
    kind: str
    charset: str | None
    body: bytes


class Fetcher:
    """Fetches pages through a guard. Several tasks and threads may share one.

    max_bytes: longest page, after decompression
    time_limit_s: seconds for a page, from its robots.txt to its last byte
    robots: read each site's robots.txt first and obey it (RFC 9309)
    """

    def __init__(
        self, guard: Guard = Guard(), *, max_bytes: int = MAX_PAGE_BYTES, time_limit_s: float = TIME_LIMIT_S,
        robots: bool = True,
    ) -> None:  # fmt: skip
        self._guard, self._max_bytes, self._time_limit_s, self._robots = guard, max_bytes, time_limit_s, robots
        self._rules: Cache[RobotFileParser] = Cache(size=1_000, keep_s=3_600)

    async def fetch(self, url: str) -> Page:
        """One page.

        Raises RefusedAddress for an address outside the public web, NetworkError when the site does not
        answer properly or in time, RetrievalError for a page that is not text or that robots.txt forbids.
        """
        (found,) = await self.fetch_all([url])
        if isinstance(found, AgentAudioError):
            raise found
        return found

    async def fetch_all(self, urls: Sequence[str]) -> list[Page | AgentAudioError]:
        """Several pages concurrently, in the order of the URLs: each one or the error it met."""
        async with (
            guarded_client(self._guard, timeout_s=self._time_limit_s) as client,
            guarded_client(self._guard, timeout_s=self._time_limit_s) as rules,
        ):
            client.headers["user-agent"] = rules.headers["user-agent"] = USER_AGENT
            client.event_hooks = {"response": [_check_response]}
            return list(await asyncio.gather(*(self._page(client, rules, url) for url in urls)))

    async def _page(self, client: httpx2.AsyncClient, rules: httpx2.AsyncClient, url: str) -> Page | AgentAudioError:
        try:
            async with asyncio.timeout(self._time_limit_s):
                address = parse_url(url)
                if self._robots and not (await self._rules_of(rules, address)).can_fetch(USER_AGENT, str(address)):
                    return RetrievalError(f"{url[:200]} is not read: the robots.txt of {address.host} forbids it")
                answer = await fetch(client, client.build_request("GET", address), max_bytes=self._max_bytes)
        except AgentAudioError as error:
            return error
        except TimeoutError:
            return NetworkError(f"{url[:200]} took longer than {self._time_limit_s:g} s; try another page")
        kind, charset = _kind(answer.headers)
        return Page(answer.url, kind, charset, answer.body)

    async def _rules_of(self, client: httpx2.AsyncClient, address: httpx2.URL) -> RobotFileParser:
        """The rules of a site: all is allowed without robots.txt, nothing while its server fails (RFC 9309, 2.3).

        A robots.txt that redirects to where none is counts as missing; of a longer one than MAX_ROBOTS_BYTES the
        beginning counts (2.3.1.2 and 2.5).
        """
        place = address.copy_with(raw_path=ROBOTS, fragment=None)
        if (known := self._rules.get(str(place))) is not None:
            return known
        try:
            status, body = await _beginning(client, client.build_request("GET", place))
        except ServiceUnavailable:
            raise
        except NetworkError:  # a redirect that leads nowhere, or may not be followed
            status, body = 404, b""
        lines = ["User-agent: *", "Disallow: /"] if status >= 500 else []
        if status == 200:
            lines = body.decode("utf-8", "replace").splitlines()
        rules = RobotFileParser()
        rules.parse(lines)
        self._rules.put(str(place), rules)
        return rules


async def _beginning(client: httpx2.AsyncClient, request: httpx2.Request) -> tuple[int, bytes]:
    """The status of an answer, and the whole lines in its first MAX_ROBOTS_BYTES."""
    body = bytearray()
    async with following(client, request) as response:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > MAX_ROBOTS_BYTES:
                return response.status_code, bytes(body[: body.rfind(b"\n", 0, MAX_ROBOTS_BYTES) + 1])
        return response.status_code, bytes(body)


async def _check_response(response: httpx2.Response) -> None:
    """Raises NetworkError or RetrievalError for a response that is not a page, before its body is read."""
    if response.has_redirect_location:
        return
    if response.status_code != 200:
        raise NetworkError(f"{response.url.host} answers {response.status_code} for this page; try another")
    kind, _ = _kind(response.headers)
    if kind not in KINDS:
        raise RetrievalError(f"{response.url.host} sends {kind[:60]!r}, which is not text; try another page")


def _kind(headers: httpx2.Headers) -> tuple[str, str | None]:
    kind, *parameters = headers.get("content-type", "text/html").split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return kind.strip().lower(), value.strip(" \"'") or None
    return kind.strip().lower(), None
