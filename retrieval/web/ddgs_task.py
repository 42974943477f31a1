"""The task of a worker process that asks public search engines through `ddgs`. Only that process imports this module.

`ddgs` needs its own HTTP client, which engines take for a browser. Here it connects through a `guarded_proxy` only, and
follows no redirects itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import ddgs.base
import primp
from ddgs import DDGS
from ddgs.exceptions import DDGSException, TimeoutException

from agentaudio.errors import NetworkError, RefusedAddress
from agentaudio.guarded_proxy import guarded_proxy
from agentaudio.http import MAX_REDIRECTS, Guard, parse_url
from agentaudio.retrieval.web.providers import MAX_ANSWER_BYTES, TIMEOUT_S
from agentaudio.retrieval.web.refusal import EngineError

NOTHING = "No results found."


def search(request: dict[str, Any], content: bytes | bytearray) -> tuple[list[dict[str, Any]], bytes]:
    """The results of a query.

    request: `query`, `k`, `backend` and `region`, and `allowed`, the hosts whose addresses may be private
    returns: rows with `title`, `href` and `body`; none when the engines answered and found nothing

    Raises EngineError when the engines refuse or do not answer; `ddgs` does not tell that from finding nothing, but
    the status of the answers does.
    """
    statuses: list[int] = []
    guard = Guard(frozenset(request["allowed"]))

    try:
        with guarded_proxy(guard) as proxy:

            class Client(GuardedClient):
                def __init__(self, *args: Any, **options: Any) -> None:
                    super().__init__(guard, proxy, statuses)

            vars(ddgs.base)["HttpClient"] = Client
            rows = DDGS(timeout=round(TIMEOUT_S)).text(
                request["query"], backend=request["backend"], region=request["region"], max_results=request["k"]
            )
    except DDGSException as error:
        if str(error) == NOTHING and statuses and all(status == 200 for status in statuses):
            return [], b""
        raise EngineError(f"ddgs found nothing for {request['query']!r} ({error}); try later, or other words") from None
    return rows, b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engines of `ddgs` read of a response."""

    status_code: int
    content: bytes
    encoding: str

    @property
    def text(self) -> str:
        try:
            return self.content.decode(self.encoding, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")


class GuardedClient:
    """Takes the place of ddgs' HttpClient.

    guard: refuses an address before it is requested, with the reason; the proxy refuses it again when it connects
    proxy: address of a `guarded_proxy`, through which all connections go
    statuses: gets the status of each answer
    client: the browser-like client, whose headers and cookies the engines set
    """

    def __init__(self, guard: Guard, proxy: str, statuses: list[int]) -> None:
        self._guard, self._statuses = guard, statuses
        self.client = primp.Client(
            proxy=proxy, timeout=TIMEOUT_S, impersonate="random", impersonate_os="random", follow_redirects=False
        )

    def request(self, method: str, url: str, **options: Any) -> Answer:
        """Send a request and follow up to MAX_REDIRECTS redirects, each to an address that is checked.

        A redirect becomes a GET without the body, except one with status 307 or 308 on the same site.

        Raises what the engines of ddgs expect.
        """
        try:
            for _ in range(MAX_REDIRECTS + 1):
                asyncio.run(self._guard.addresses_of(parse_url(url)))
                response = self.client.request(method, url, stream=True, **options)
                place = response.headers.get("location")
                if not (place and response.status_code in (301, 302, 303, 307, 308)):
                    self._statuses.append(response.status_code)
                    return _read(response)
                left, url = parse_url(url), str(parse_url(url).join(parse_url(place)))
                response.close()
                repeated = response.status_code in (307, 308) and method != "GET"
                if repeated and parse_url(url).origin != left.origin:
                    raise RefusedAddress(f"{left.host} redirects a {method} to another site")
                if not repeated:
                    method, options = "GET", {}
            raise NetworkError(f"{parse_url(url).host} redirects more than {MAX_REDIRECTS} times")
        except primp.TimeoutError as error:
            raise TimeoutException(error) from error
        except (primp.PrimpError, NetworkError, ValueError) as error:
            raise DDGSException(str(error)) from error

    def get(self, url: str, **options: Any) -> Answer:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answer:
        return self.request("POST", url, **options)


def _read(response: Any) -> Answer:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise NetworkError(f"the engine sends more than {MAX_ANSWER_BYTES} bytes, which is the limit")
    return Answer(response.status_code, bytes(body), response.encoding or "utf-8")
